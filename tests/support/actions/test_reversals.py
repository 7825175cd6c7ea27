"""What is taken back, and what goes over to another account: once, capped at what is left, by two people."""

from datetime import timedelta

import pytest

from redemption import approvals, ledger
from redemption.approvals import ApprovalError
from redemption.cards import CardError
from redemption.ledger import LedgerError
from redemption.models import (
    ApprovalAction,
    Book,
    Channel,
    PremiumGrant,
    Redemption,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from support.actions import decisions, limits
from support.actions.credits import CreditError
from support.actions.reversals import (
    left_of,
    left_to_move,
    move_approved,
    request_move,
    request_reversal,
    reverse_approved,
)
from support.models import DAYS, AuditAction, AuditEvent, CreditLimit, CreditPolicy, CreditReversal, ManualCredit
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON


def later(days):
    return NOON + timedelta(days=days)


def agreeing():
    return [line for line in reconcile() if not line.agrees] == []


@pytest.fixture(autouse=True)
def _policy():
    policy = factories.credit_policy(Role.AGENT, Role.SENIOR_AGENT, approves=0)
    for role, unit, approves in ((Role.AGENT, DAYS, 0), (Role.MANAGER, DAYS, 1), (Role.MANAGER, "GBP", 1)):
        limit = CreditLimit.objects.filter(policy=policy).first()
        limit.pk, limit.role, limit.unit, limit.approves = None, role, unit, approves
        limit.save()


def spend(account, amount):
    """A month's plan is paid from the wallet."""
    ledger.post(
        debit=Book.CUSTOMER_CREDIT, credit=Book.REVENUE, amount=amount, currency="GBP", kind=TransferKind.RENEWAL,
        source=f"month:{Transfer.objects.count()}", program_id=account.program_id,
        wallet=ledger.wallet_of(account, "GBP"),
    )  # fmt: skip


def reverse(credit, *, by, manager, now=NOON):
    asked = request_reversal(credit, why="Wrong account.", by=by, now=now)
    decisions.approve(asked, by=manager, now=now)
    return CreditReversal.objects.get(credit=credit)


# --- A credit is taken back


def test_a_credit_is_reversed_by_a_new_transfer(agent, manager):
    credit = factories.credit(amount=500, by=agent, now=NOON)
    asked = request_reversal(credit, why="Wrong account.", by=agent, now=NOON)
    assert (asked.action, asked.target) == (ApprovalAction.REVERSAL, f"credit:{credit.pk}")
    assert asked.payload == {"credit": credit.pk, "reason": "Wrong account.", "unit": "GBP", "amount": 500}
    assert Wallet.objects.get().balance == 500, "nothing happens before a second person says so"
    approval = decisions.approve(asked, by=manager, now=later(1))
    reversal = CreditReversal.objects.get()
    assert (reversal.credit, reversal.amount, reversal.unit, reversal.account) == (credit, 500, "GBP", credit.account)
    assert (reversal.by, reversal.approval, reversal.reason, reversal.at) == (
        agent,
        approval,
        "Wrong account.",
        later(1),
    )
    back = reversal.transfer
    assert (back.debit, back.credit, back.amount) == (Book.CUSTOMER_CREDIT, Book.GOODWILL, 500)
    assert (back.kind, back.reverses) == (TransferKind.REVERSAL, credit.transfer)
    assert Wallet.objects.get().balance == 0
    unchanged = ManualCredit.objects.get(pk=credit.pk)
    assert (unchanged.amount, unchanged.transfer.amount) == (500, 500)
    assert agreeing()
    requested, reversed_ = AuditEvent.objects.filter(target=f"credit:{credit.pk}").order_by("pk")
    assert (requested.action, requested.actor_id) == (AuditAction.REVERSAL_REQUESTED, agent.pk)
    assert (reversed_.action, reversed_.details["amount"]) == (AuditAction.CREDIT_REVERSED, 500)


def test_no_more_is_taken_back_than_is_left_by_then(agent, manager):
    credit = factories.credit(amount=500, by=agent, now=NOON)
    spend(credit.account, 100)
    assert left_of(credit) == 400
    asked = request_reversal(credit, why="Wrong account.", by=agent, now=NOON)
    assert asked.payload["amount"] == 400
    spend(credit.account, 150)
    decisions.approve(asked, by=manager, now=NOON)
    assert CreditReversal.objects.get().amount == 250
    assert Wallet.objects.get().balance == 0
    assert agreeing()


def test_no_more_is_taken_back_than_was_given(agent, manager):
    credit = factories.credit(amount=500, by=agent, now=NOON)
    factories.credit(credit.account, amount=300, by=agent, now=NOON)
    assert reverse(credit, by=agent, manager=manager).amount == 500
    assert Wallet.objects.get().balance == 300


def test_what_is_spent_is_not_taken_back(agent, manager):
    credit = factories.credit(amount=500, by=agent, now=NOON)
    asked = request_reversal(credit, why="Wrong account.", by=agent, now=NOON)
    spend(credit.account, 500)
    with pytest.raises(CreditError, match="Nothing of it is left to take back"):
        decisions.approve(asked, by=manager, now=NOON)
    asked.refresh_from_db()
    assert (asked.status, CreditReversal.objects.count()) == ("pending", 0)
    decisions.withdraw(asked, by=agent)
    with pytest.raises(CreditError, match="Nothing of it is left to take back"):
        request_reversal(credit, why="Wrong account.", by=agent, now=NOON)


def test_a_credit_is_reversed_once(agent, manager):
    credit = factories.credit(amount=500, by=agent, now=NOON)
    factories.credit(credit.account, amount=500, by=agent, now=NOON)
    reversal = reverse(credit, by=agent, manager=manager)
    assert left_of(credit) == 0
    with pytest.raises(CreditError, match="reversed before"):
        request_reversal(credit, why="Again.", by=agent, now=NOON)
    with pytest.raises(CreditError, match="reversed before"):
        reverse_approved(reversal.approval)
    assert Wallet.objects.get().balance == 500


def test_one_request_waits_for_a_credit(agent):
    credit = factories.credit(by=agent, now=NOON)
    request_reversal(credit, why="Wrong account.", by=agent, now=NOON)
    with pytest.raises(CreditError, match="asked for this already"):
        request_reversal(credit, why="Wrong account.", by=factories.user(Role.AGENT), now=NOON)


def test_premium_days_that_are_not_over_are_taken_back(agent, manager):
    credit = factories.credit(unit=DAYS, amount=10, by=agent, now=NOON)
    assert [left_of(credit, now=later(days)) for days in (0, 4, 10)] == [10, 6, 0]
    asked = request_reversal(credit, why="Wrong account.", by=agent, now=later(4))
    assert (asked.payload["unit"], asked.payload["amount"]) == (DAYS, 6)
    decisions.approve(asked, by=manager, now=later(6))
    reversal = CreditReversal.objects.get()
    assert (reversal.amount, reversal.unit, reversal.transfer, reversal.shown) == (4, DAYS, None, "4 days")
    credit.account.refresh_from_db()
    assert credit.account.premium_until == later(6).date()
    assert agreeing()


def test_a_reversal_needs_another_person_with_power_in_the_unit(agent, manager):
    credit = factories.credit(by=agent, now=NOON)
    asked = request_reversal(credit, why="Wrong account.", by=manager, now=NOON)
    with pytest.raises(ApprovalError, match="Another person"):
        decisions.approve(asked, by=manager, now=NOON)
    with pytest.raises(ApprovalError, match="may approve no credits in this unit"):
        decisions.approve(asked, by=factories.user(Role.SENIOR_AGENT), now=NOON)
    # However large: nothing is given away.
    decisions.approve(asked, by=factories.user(Role.MANAGER), now=NOON)
    assert CreditReversal.objects.get().amount == 500


def test_only_roles_that_grant_credits_ask_to_reverse_them(agent):
    credit = factories.credit(by=agent, now=NOON)
    for role in (Role.SOCIAL_MEDIA, Role.AUDITOR, Role.CUSTOMER):
        with pytest.raises(CreditError, match="may not reverse"):
            request_reversal(credit, why="Wrong account.", by=factories.user(role))


def test_the_customer_neither_asks_nor_decides(manager, agent):
    """His own credit of before he joined us, and the one of whoever has his address by now."""
    to = factories.account()
    credit = factories.credit(to, by=agent, now=NOON)
    asked = request_reversal(credit, why="Wrong account.", by=agent, now=NOON)
    to.email = manager.email
    to.save()
    with pytest.raises(CreditError, match="You are the customer: a colleague must decide it"):
        decisions.approve(asked, by=manager, now=NOON)
    decisions.withdraw(asked, by=agent)
    with pytest.raises(CreditError, match="You are the customer"):
        request_reversal(ManualCredit.objects.get(), why="Wrong account.", by=manager)


def test_a_stop_keeps_nobody_from_taking_back(agent, manager):
    credit = factories.credit(by=agent, now=NOON)
    limits.stop(reason="Strange figures.", by=manager)
    assert reverse(credit, by=agent, manager=manager).amount == 500


# --- What a card gave goes over


@pytest.fixture
def moving(agent):
    """A card redeemed to the wrong one of a customer's accounts: redemption, right account, ticket."""

    def of(now=NOON, **product):
        card = factories.card(factories.batch(factories.product(**product)))
        program = card.batch.product.program
        wrong, right = factories.account(program), factories.account(program)
        assert redeem(account=wrong, text=card.text, channel=Channel.WEB, now=now).is_redeemed
        return Redemption.objects.get(code=card.serial), right, factories.ticket(program, account=wrong)

    return of


def move(redemption, right, ticket, *, by, manager, now=NOON):
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=by, now=now)
    decisions.approve(asked, by=manager, now=now)
    return ManualCredit.objects.get(moves__redemption=redemption)


def test_what_a_card_gave_goes_over(agent, manager, moving):
    redemption, right, ticket = moving()
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent, now=NOON)
    serial = redemption.code_id
    assert (asked.action, asked.target) == (ApprovalAction.MOVE, f"code:{serial}")
    payload = {name: asked.payload[name] for name in ("redemption", "from", "to", "ticket", "amount", "unit")}
    assert payload == {
        "redemption": redemption.pk,
        "from": redemption.account_id,
        "to": right.pk,
        "ticket": ticket.pk,
        "amount": 3000,
        "unit": "GBP",
    }
    assert ledger.balance(Book.LIABILITY) == {}
    approval = decisions.approve(asked, by=manager, now=NOON)
    moved = ManualCredit.objects.get()
    assert (moved.account, moved.amount, moved.reason.slug) == (right, 3000, "moved_card")
    assert (moved.code_id, moved.approval, moved.granted_by) == (serial, approval, agent)
    taken = moved.moves
    assert (taken.redemption, taken.account, taken.amount) == (redemption, redemption.account, 3000)
    assert (taken.approval, taken.transfer.reverses.kind) == (approval, TransferKind.REDEEM)
    assert (moved.transfer.debit, moved.transfer.credit) == (Book.LIABILITY, Book.CUSTOMER_CREDIT)
    assert dict(Wallet.objects.values_list("account", "balance")) == {redemption.account_id: 0, right.pk: 3000}
    assert ledger.balance(Book.LIABILITY) == {}, "a card's value stays a card's value"
    assert ledger.balance(Book.GOODWILL) == {}
    assert agreeing()
    actions = AuditEvent.objects.filter(target=f"code:{serial}").order_by("pk").values_list("action", flat=True)
    assert list(actions) == [AuditAction.MOVE_REQUESTED, AuditAction.CARD_MOVED]
    assert AuditEvent.objects.filter(action=AuditAction.CREDIT_GRANTED, target=f"account:{right.pk}").count() == 1


def test_no_more_goes_over_than_is_left(agent, manager, moving):
    redemption, right, ticket = moving()
    spend(redemption.account, 1000)
    assert left_to_move(redemption) == (2000, "GBP")
    moved = move(redemption, right, ticket, by=agent, manager=manager)
    assert (moved.amount, moved.moves.amount, moved.transfer.amount) == (2000, 2000, 2000)
    assert sorted(Wallet.objects.values_list("balance", flat=True)) == [0, 2000]
    assert agreeing()


def test_what_is_spent_does_not_go_over(agent, manager, moving):
    redemption, right, ticket = moving()
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent, now=NOON)
    spend(redemption.account, 3000)
    with pytest.raises(CreditError, match="Nothing of what this card gave is left to move"):
        decisions.approve(asked, by=manager, now=NOON)
    assert not CreditReversal.objects.exists()
    assert not ManualCredit.objects.exists()


def test_premium_time_goes_over_by_its_days(agent, manager, moving):
    redemption, right, ticket = moving(months=1)
    assert left_to_move(redemption, now=later(10)) == (20, DAYS)
    moved = move(redemption, right, ticket, by=agent, manager=manager, now=later(10))
    assert (moved.unit, moved.amount, moved.premium_grant.account) == (DAYS, 20, right)
    periods = {grant.account_id: grant.period for grant in PremiumGrant.objects.all()}
    ends = {pk: (period.lower, period.upper) for pk, period in periods.items()}
    assert ends == {
        redemption.account_id: (NOON.date(), later(10).date()),
        right.pk: (later(10).date(), later(30).date()),
    }
    assert agreeing()


def test_days_that_do_not_fit_on_the_other_account_stay_where_they_are(agent, manager, moving):
    redemption, right, ticket = moving(months=1)
    for _ in range(18):
        factories.credit(right, unit=DAYS, amount=30, by=agent, now=NOON)
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent, now=NOON)
    with pytest.raises(CreditError, match="months of premium time ahead"):
        decisions.approve(asked, by=manager, now=NOON)
    assert not CreditReversal.objects.exists()
    grant = PremiumGrant.objects.get(redemption=redemption)
    assert (grant.period.upper, grant.taken_back) == (later(30).date(), 0)


def test_a_card_moves_once(agent, manager, moving):
    redemption, right, ticket = moving()
    moved = move(redemption, right, ticket, by=agent, manager=manager)
    assert left_to_move(redemption) == (0, "GBP")
    factories.credit(redemption.account, amount=5000, by=agent, now=NOON)
    with pytest.raises(CreditError, match="moved before"):
        request_move(redemption, to=right, ticket=ticket, why="Again.", by=agent)
    with pytest.raises(CreditError, match="moved before"):
        move_approved(moved.approval)
    assert Wallet.objects.get(account=right).balance == 3000


def test_what_was_moved_counts_against_no_limit_and_is_not_taken_back(agent, manager, moving):
    redemption, right, ticket = moving()
    moved = move(redemption, right, ticket, by=agent, manager=manager)
    factories.credit_policy(Role.AGENT, account_sum=500, account_count=1, single=500, day_sum=500)
    assert factories.credit(right, amount=500, by=agent, now=NOON)
    assert left_of(moved) == 0
    with pytest.raises(CreditError, match="moved here: it is not taken back"):
        request_reversal(moved, why="Back again.", by=agent)
    with pytest.raises(LedgerError, match="moved here: it is not taken back"):
        ledger.reverse(moved.transfer)
    with pytest.raises(LedgerError, match="cards are voided or replaced"):
        ledger.reverse(Transfer.objects.get(kind=TransferKind.REDEEM))


@pytest.mark.parametrize("product", [{}, {"months": 1}])
def test_a_card_is_moved_or_replaced_and_not_both(product, agent, manager, moving):
    def replace(serial):
        asked = approvals.request(
            action=ApprovalAction.REPLACE,
            target=f"code:{serial}",
            payload=replace_payload(serial, Book.GOODWILL),
            reason="a thief",
            by=agent,
        )
        approval = approvals.approve(asked, by=manager)
        return replace_card(serial=serial, by=agent, approval=approval, reason="a thief", source=Book.GOODWILL)

    redemption, right, ticket = moving(**product)
    move(redemption, right, ticket, by=agent, manager=manager)
    with pytest.raises(CardError, match="moved to another account: there is nothing to replace"):
        replace(redemption.code_id)
    redemption, right, ticket = moving(**product)
    replace(redemption.code_id)
    assert left_to_move(redemption)[0] == 0
    with pytest.raises(CreditError, match="its value went to its successor"):
        request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent)
    assert agreeing()


def test_a_card_moves_within_its_program_and_currency(agent, moving):
    redemption, right, ticket = moving()
    elsewhere = factories.account()
    euros = factories.account(right.program, currency="EUR")
    for to, match in (
        (redemption.account, "the account that redeemed it"),
        (elsewhere, "of another program"),
        (euros, "in EUR"),
    ):
        with pytest.raises(CreditError, match=match) as caught:
            request_move(redemption, to=to, ticket=ticket, why="His other one.", by=agent)
        assert caught.value.field == "to"


def test_the_ticket_is_about_one_of_the_two_accounts(agent, moving):
    redemption, right, _ = moving()
    third = factories.ticket(right.program, account=factories.account(right.program))
    with pytest.raises(CreditError, match="about another account"):
        request_move(redemption, to=right, ticket=third, why="His other one.", by=agent)
    for ticket in (factories.ticket(right.program, account=right), factories.ticket(right.program)):
        asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent)
        decisions.withdraw(asked, by=agent)


@pytest.mark.parametrize("side", ["wrong", "right", "ticket"])
def test_neither_accounts_customer_asks_or_decides(side, agent, moving):
    redemption, right, _ = moving()
    asker, approver = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    ticket = factories.ticket(right.program)
    row = {"wrong": redemption.account, "right": right}.get(side)
    for person in (asker, approver):
        if row:
            row.user = person
            row.save()
        else:
            ticket = factories.ticket(right.program, requester_email=person.email)
        if person == asker:
            with pytest.raises(CreditError, match="You are the customer"):
                request_move(redemption, to=right, ticket=ticket, why="His other one.", by=asker)
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent)
    assert approver.pk in asked.customers
    with pytest.raises(ApprovalError, match="You are the customer"):
        decisions.approve(asked, by=approver)


def test_a_stop_stops_moves_as_well(agent, manager, moving):
    redemption, right, ticket = moving()
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent, now=NOON)
    limits.stop(reason="Strange figures.", by=manager)
    with pytest.raises(CreditError, match="All credits are stopped"):
        decisions.approve(asked, by=manager, now=NOON)
    assert not CreditReversal.objects.exists()


def test_the_asker_must_still_grant_credits(agent, manager, moving):
    redemption, right, ticket = moving()
    asked = request_move(redemption, to=right, ticket=ticket, why="His other one.", by=agent, now=NOON)
    User.objects.filter(pk=agent.pk).update(is_active=False)
    with pytest.raises(CreditError, match="may not grant credits"):
        decisions.approve(asked, by=manager, now=NOON)
    assert CreditPolicy.objects.exists()
