"""Manual credits: what is granted at once, what needs a second person, and what is refused."""

import uuid
from dataclasses import replace

import pytest

from redemption.models import Book, PremiumGrant, Transfer, TransferKind, Wallet
from redemption.reconcile import reconcile
from redemption.roles import Role
from support.actions import credits, decisions, limits
from support.actions.credits import CreditError, NeedsSecondPersonError, customers_of, grant, request
from support.actions.links import merge
from support.models import DAYS, Attachment, AuditAction, AuditEvent, ManualCredit, Proof
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def policy():
    return factories.credit_policy()


def refused(wanted, *, by, match, field=""):
    """Granting it and asking for it are refused alike, and nothing of either stays."""
    before = ManualCredit.objects.count(), Transfer.objects.count(), AuditEvent.objects.count()
    for verb in (grant, lambda *args, **more: request(*args, why="He lost an evening.", **more)):
        with pytest.raises(CreditError, match=match) as caught:
            verb(wanted, by=by, now=NOON)
        assert caught.value.field == field
    assert (ManualCredit.objects.count(), Transfer.objects.count(), AuditEvent.objects.count()) == before


# --- What is granted


def test_a_credit_within_the_limits_is_granted_at_once(agent):
    made = factories.credit_policy(single=500)
    wanted = factories.wanted(amount=500, note="by phone")
    credit = grant(wanted, by=agent, now=NOON)
    assert (credit.amount, credit.unit, credit.approval) == (500, "GBP", None)
    assert (credit.granted_by, credit.granted_as, credit.granted_at) == (agent, "agent", NOON)
    assert (credit.policy, credit.note, credit.reason.slug) == (made, "by phone", "technical_failure")
    transfer = credit.transfer
    assert (transfer.debit, transfer.credit, transfer.amount) == (Book.GOODWILL, Book.CUSTOMER_CREDIT, 500)
    assert (transfer.kind, transfer.source) == (TransferKind.MANUAL_CREDIT, f"credit:{wanted.key}")
    assert Wallet.objects.get(account=wanted.account).balance == 500
    assert [line for line in reconcile() if not line.agrees] == []
    event = AuditEvent.objects.get(action=AuditAction.CREDIT_GRANTED)
    assert (event.actor_id, event.target) == (agent.pk, f"account:{wanted.account.pk}")
    assert event.details == {
        "credit": credit.pk,
        "ticket": wanted.ticket.pk,
        "code": None,
        "unit": "GBP",
        "amount": 500,
        "approval": None,
    }


def test_premium_days_are_granted_without_money(agent):
    factories.credit_policy(unit=DAYS)
    wanted = factories.wanted(unit=DAYS, amount=3)
    credit = grant(wanted, by=agent, now=NOON)
    assert (credit.unit, credit.amount, credit.transfer, credit.shown) == ("days", 3, None, "3 days")
    assert credit.premium_grant == PremiumGrant.objects.get(account=wanted.account, days=3)
    assert not Transfer.objects.exists()
    assert [line for line in reconcile() if not line.agrees] == []


def test_days_above_the_programs_cap_are_refused(agent):
    factories.credit_policy(unit=DAYS)
    to = factories.account(factories.program(stacking_cap_months=1))
    with pytest.raises(CreditError, match="more than 1 months of premium time ahead") as caught:
        grant(factories.wanted(to, unit=DAYS, amount=60), by=agent, now=NOON)
    assert caught.value.field == "amount"
    assert not ManualCredit.objects.exists()


def test_a_credit_for_a_card_names_its_retailer(policy, agent):
    card = factories.card()
    to = factories.account(card.batch.product.program)
    credit = grant(factories.wanted(to, code=card.row), by=agent)
    assert (credit.code_id, credit.retailer_id) == (card.serial, card.batch.retailer_id)
    assert (credit.transfer.code_id, credit.transfer.batch_id) == (card.serial, card.batch.pk)
    assert [line for line in reconcile() if not line.agrees] == []


def test_a_credit_above_the_limits_waits_for_a_second_person(agent):
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=499, approves=500)
    manager = factories.user(Role.MANAGER)
    wanted = factories.wanted(amount=500)
    with pytest.raises(NeedsSecondPersonError, match=r"£4\.99, your limit for one credit"):
        grant(wanted, by=agent)
    assert not ManualCredit.objects.exists()
    asked = request(wanted, why="He lost an evening.", by=agent)
    approval = decisions.approve(asked, by=manager)
    credit = ManualCredit.objects.get()
    assert (credit.amount, credit.granted_by, credit.approval, credit.key) == (500, agent, approval, wanted.key)
    assert Wallet.objects.get(account=wanted.account).balance == 500


def test_one_form_grants_once(policy, agent):
    wanted = factories.wanted()
    first = grant(wanted, by=agent)
    assert grant(wanted, by=agent) == first
    assert grant(wanted, by=agent, now=NOON) == first
    assert ManualCredit.objects.count() == Transfer.objects.count() == 1
    for other in ({"amount": 501}, {"account": factories.account()}, {"reason": factories.credit_reason("goodwill")}):
        with pytest.raises(CreditError, match="This form has granted a credit before"):
            grant(replace(wanted, **other), by=agent)
    with pytest.raises(CreditError, match="This form has granted a credit before"):
        grant(wanted, by=factories.user(Role.AGENT))
    with pytest.raises(CreditError, match="This form has granted a credit before"):
        request(wanted, why="He lost an evening.", by=agent)
    assert grant(replace(wanted, key=uuid.uuid4()), by=agent) != first


# --- What is refused, and at which field


@pytest.mark.parametrize("amount", [0, -1, -(10**30), 0.5, 1.0, True, float("nan"), float("inf"), "500", None])
def test_an_amount_is_a_whole_number_above_zero(amount, policy, agent):
    refused(factories.wanted(amount=amount), by=agent, match="Write an amount above zero", field="amount")


@pytest.mark.parametrize(("unit", "amount"), [("GBP", 10**12 + 1), ("GBP", 10**400), (DAYS, 3661), (DAYS, 10**30)])
def test_an_amount_has_an_end(unit, amount, agent):
    factories.credit_policy(unit=unit)
    refused(factories.wanted(unit=unit, amount=amount), by=agent, match="Nobody grants more than", field="amount")


def test_the_largest_amounts_are_asked_for_and_kept(agent):
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=10**15)
    wanted = factories.wanted(amount=10**12)
    decisions.approve(request(wanted, why="A very bad evening.", by=agent), by=factories.user(Role.MANAGER))
    assert Wallet.objects.get().balance == 10**12


@pytest.mark.parametrize("unit", ["USD", "SEK", "gbp", "", "XXX", "day"])
def test_another_currency_is_refused(unit, policy, agent):
    refused(factories.wanted(unit=unit), by=agent, match="This account is in GBP", field="unit")


def test_a_retired_reason_stays_readable_and_is_not_used_any_more(policy, agent):
    reason = factories.credit_reason("outage", name="Outage")
    credit = grant(factories.wanted(reason=reason), by=agent)
    reason.is_retired = True
    reason.save()
    refused(factories.wanted(reason=reason), by=agent, match="not used any more", field="reason")
    assert str(ManualCredit.objects.get(pk=credit.pk).reason) == "Outage"


def test_what_a_card_gave_is_not_moved_by_a_plain_credit(policy, agent):
    card = factories.card()
    wanted = factories.wanted(
        factories.account(card.batch.product.program), code=card.row, reason=factories.credit_reason("moved_card")
    )
    refused(wanted, by=agent, match="moved from the card’s page", field="reason")


def receipt(ticket):
    return Attachment.objects.create(
        ticket=ticket, message=ticket.messages.first(), kind="receipt", name="receipt.jpg", size=1, digest=b"x" * 32
    )


@pytest.fixture
def proofs(agent):
    """An account, a card and a receipt on its ticket."""
    card = factories.card()
    to = factories.account(card.batch.product.program)
    ticket = factories.ticket(to.program, account=to)
    return {"to": to, "ticket": ticket, "code": card.row, "receipt": receipt(ticket)}


@pytest.mark.parametrize(
    ("proof", "gives", "match", "field"),
    [
        (Proof.CARD, [], "needs the card", "code"),
        (Proof.CARD, ["receipt"], "needs the card", "code"),
        (Proof.RECEIPT, [], "needs a receipt", "receipt"),
        (Proof.RECEIPT, ["code"], "needs a receipt", "receipt"),
        (Proof.EITHER, [], "the card’s serial number or a receipt", "code"),
    ],
)
def test_a_reason_may_demand_a_card_or_a_receipt(proof, gives, match, field, proofs, policy, agent):
    reason = factories.credit_reason("stolen", proof=proof)
    given = {name: proofs[name] for name in gives}
    wanted = factories.wanted(proofs["to"], ticket=proofs["ticket"], reason=reason, **given)
    refused(wanted, by=agent, match=match, field=field)


@pytest.mark.parametrize(
    ("proof", "gives"),
    [(Proof.NOTHING, []), (Proof.CARD, ["code"]), (Proof.RECEIPT, ["receipt"]), (Proof.EITHER, ["code"]),
     (Proof.EITHER, ["receipt"]), (Proof.EITHER, ["code", "receipt"])],
)  # fmt: skip
def test_a_reason_is_content_with_what_it_demands(proof, gives, proofs, policy, agent):
    reason = factories.credit_reason("stolen", proof=proof)
    given = {name: proofs[name] for name in gives}
    credit = grant(factories.wanted(proofs["to"], ticket=proofs["ticket"], reason=reason, **given), by=agent)
    assert (credit.code, credit.receipt) == (given.get("code"), given.get("receipt"))
    assert (credit.receipt_digest is None) == ("receipt" not in gives)


def test_the_card_is_of_the_accounts_program(policy, agent):
    refused(factories.wanted(code=factories.card().row), by=agent, match="of another program", field="code")


def test_the_receipt_is_on_the_ticket_or_on_one_merged_into_it(policy, agent, proofs):
    other = factories.ticket(proofs["to"].program, account=proofs["to"])
    wanted = factories.wanted(proofs["to"], ticket=other, receipt=proofs["receipt"])
    refused(wanted, by=agent, match="not on the ticket", field="receipt")
    merge(ticket=proofs["ticket"], into=other, by=agent)
    assert grant(wanted, by=agent).receipt == proofs["receipt"]


def test_the_ticket_is_about_the_account_and_one_may_read_it(policy, agent):
    to = factories.account()
    elsewhere = factories.ticket(to.program, account=factories.account(to.program))
    refused(factories.wanted(to, ticket=elsewhere), by=agent, match="about another account", field="ticket")
    nobodys = factories.ticket(to.program)
    assert grant(factories.wanted(to, ticket=nobodys), by=agent).ticket == nobodys


def test_the_note_holds_no_code_and_has_an_end(policy, agent):
    card = factories.card()
    to = factories.account(card.batch.product.program)
    refused(factories.wanted(to, note=f"he typed {card.text}"), by=agent, match="There is a code in it", field="note")
    refused(factories.wanted(to, note="x" * 1001), by=agent, match="at most 1,000 characters", field="note")
    assert grant(factories.wanted(to, note=f"card {card.serial}"), by=agent)


@pytest.mark.parametrize("role", set(Role) - {Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, Role.ADMINISTRATOR})
def test_only_roles_that_grant_credits_do(role):
    factories.credit_policy(role)
    refused(factories.wanted(), by=factories.user(role), match="Your role may not grant credits")


def test_who_has_left_grants_nothing(policy):
    gone = factories.user(Role.AGENT, is_active=False)
    refused(factories.wanted(), by=gone, match="Your role may not grant credits")


def test_a_stop_stops_everybody_until_it_ends(policy, agent):
    manager = factories.user(Role.MANAGER)
    limits.stop(reason="Strange figures.", by=manager, now=NOON)
    sentence = "All credits are stopped since 15 June 2026, 12:00 UTC: Strange figures."
    refused(factories.wanted(), by=agent, match=sentence)
    limits.resume(reason="All is well.", by=manager)
    assert grant(factories.wanted(), by=agent)


# --- The customer himself


@pytest.mark.parametrize("who", ["holder", "holders_address", "tickets_address", "tickets_holder", "tickets_account"])
def test_nobody_credits_himself(who, policy):
    agent = factories.user(Role.AGENT, email="Anna@Example.com")
    mine = {"email": "anna@example.COM"}
    to = factories.account(
        **{"holder": {"user": agent}, "holders_address": mine}.get(who, {}),
    )
    about = {}
    if who == "tickets_address":
        about = {"requester_email": "ANNA@example.com"}
    elif who in {"tickets_holder", "tickets_account"}:
        fields = {"user": agent} if who == "tickets_holder" else mine
        about = {"account": factories.account(to.program, **fields)}
    else:
        about = {"account": to}
    ticket = factories.ticket(to.program, **about)
    refused(factories.wanted(to, ticket=ticket), by=agent, match="You are the customer: a colleague must do it")
    assert agent.pk in customers_of(to, ticket)
    assert agent.pk not in customers_of(factories.account(), factories.ticket())


def test_a_credit_keeps_who_gained_and_whether_he_had_written(policy, agent):
    customer = factories.user()
    to = factories.account(user=customer)
    credit = grant(factories.wanted(to), by=agent)
    assert (credit.customers, credit.customer_wrote) == ([customer.pk], True)


def test_whoever_comes_to_gain_after_it_was_asked_does_not_decide_it():
    """The request has kept the customers of then; the account's address has changed since."""
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=1, approves=1000)
    manager = factories.user(Role.MANAGER)
    wanted = factories.wanted()
    asked = request(wanted, why="He lost an evening.", by=factories.user(Role.AGENT))
    wanted.account.user = manager
    wanted.account.save()
    with pytest.raises(CreditError, match="You are the customer: a colleague must decide it"):
        decisions.approve(asked, by=manager)
    asked.refresh_from_db()
    assert (asked.status, ManualCredit.objects.count()) == ("pending", 0)


# --- Asking


def test_a_request_says_why_without_a_code(agent):
    factories.credit_policy(single=1)
    card = factories.card()
    wanted = factories.wanted(factories.account(card.batch.product.program))
    for why, match in (
        ("", "Say why"),
        (" \n", "Say why"),
        ("x" * 501, "at most 500"),
        (f"see {card.text}", "There is a code"),
    ):
        with pytest.raises(CreditError, match=match):
            request(wanted, why=why, by=agent)


def test_one_request_waits_for_an_account_and_card(agent):
    factories.credit_policy(single=1)
    card = factories.card()
    to = factories.account(card.batch.product.program)
    plain = request(factories.wanted(to), why="He lost an evening.", by=agent)
    request(factories.wanted(to, code=card.row), why="The card is torn.", by=agent)
    request(factories.wanted(), why="Another customer.", by=agent)
    for again in ({}, {"code": card.row}):
        with pytest.raises(CreditError, match="Somebody has asked for this already"):
            request(factories.wanted(to, **again), why="Again.", by=factories.user(Role.AGENT))
    decisions.withdraw(plain, by=agent)
    assert credits.request(factories.wanted(to), why="Again.", by=agent).status == "pending"
