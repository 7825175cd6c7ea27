"""Credits that meet each other, their stop, their decisions and redemptions: whoever comes second sees the first."""

from functools import partial

import pytest
from django.utils import timezone

from redemption import approvals, ledger
from redemption.approvals import ApprovalError
from redemption.models import (
    Approval,
    ApprovalAction,
    Book,
    Channel,
    PremiumGrant,
    Redemption,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from support.actions import credits, decisions, limits, reversals
from support.actions.credits import CreditError, NeedsSecondPersonError
from support.models import DAYS, CreditLimit, CreditReversal, ManualCredit
from tests import factories
from tests.simulation.crowd import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 8
LIMITS = {"single": 1, "approves": 10**6}


def unexpected(outcomes, *allowed):
    """What was raised but for refusals of these kinds."""
    return [repr(one) for one in outcomes if isinstance(one, BaseException) and not isinstance(one, allowed)]


def disagreeing():
    return [line for line in prove() if not line.agrees]


@pytest.fixture
def people(crowd):
    """An agent and two managers; everything above a penny needs one of them, in pounds and in days."""
    policy = factories.credit_policy(Role.AGENT, Role.MANAGER, **LIMITS)
    for limit in CreditLimit.objects.filter(policy=policy):
        limit.pk, limit.unit = None, DAYS
        limit.save()
    factories.credit_reason("moved_card", proof="card", needs_approval=True)
    return factories.user(Role.AGENT), factories.user(Role.MANAGER), factories.user(Role.MANAGER)


def ask(agent, to=None, **fields):
    return credits.request(factories.wanted(to, **fields), why="He lost an evening.", by=agent)


def granted(agent, manager, to=None, **fields):
    """A credit that was asked for and approved."""
    return decisions.approve(ask(agent, to, **fields), by=manager).credit


def test_of_two_approvers_at_once_one_decides_and_it_is_credited_once(people):
    agent, *managers = people
    for _ in range(ROUNDS):
        asked = ask(agent)
        outcomes = all_at_once([partial(decisions.approve, asked, by=manager) for manager in managers * 2])
        assert unexpected(outcomes, ApprovalError) == []
        assert [type(one) for one in outcomes].count(Approval) == 1
        assert ManualCredit.objects.filter(approval__request=asked).count() == 1
    assert ManualCredit.objects.count() == Transfer.objects.count() == ROUNDS
    assert disagreeing() == []


def test_a_request_is_approved_or_rejected_or_withdrawn(people):
    agent, one, other = people
    for _ in range(ROUNDS):
        asked = ask(agent)
        outcomes = all_at_once(
            [
                partial(decisions.approve, asked, by=one),
                partial(decisions.reject, asked, by=other, reason="No."),
                partial(decisions.withdraw, asked, by=agent),
                approvals.expire,
            ]
        )
        assert unexpected(outcomes, ApprovalError) == []
        asked.refresh_from_db()
        done = [not isinstance(outcome, ApprovalError) for outcome in outcomes[:3]]
        assert done == [asked.status == status for status in ("approved", "rejected", "withdrawn")]
        assert ManualCredit.objects.filter(approval__request=asked).count() == (asked.status == "approved")
    assert disagreeing() == []


def test_of_many_who_ask_at_once_one_request_waits(people):
    agent, *_ = people
    to = factories.account()
    wanted = [factories.wanted(to) for _ in range(6)]
    outcomes = all_at_once([partial(credits.request, one, why="He lost an evening.", by=agent) for one in wanted])
    assert unexpected(outcomes, CreditError) == []
    assert [isinstance(one, CreditError) for one in outcomes].count(False) == 1


def test_one_form_sent_many_times_at_once_credits_once(crowd):
    factories.credit_policy()
    agent = factories.user(Role.AGENT)
    for _ in range(ROUNDS):
        wanted = factories.wanted()
        outcomes = all_at_once([partial(credits.grant, wanted, by=agent)] * 5)
        assert unexpected(outcomes) == []
        assert len({one.pk for one in outcomes}) == 1
    assert ManualCredit.objects.count() == Transfer.objects.count() == ROUNDS


def test_a_credit_is_reversed_once_and_never_below_what_is_left(people):
    """Two transactions that reverse one credit, and a month that is paid from the same wallet."""
    agent, *managers = people
    for number in range(ROUNDS):
        to = factories.account()
        credit = granted(agent, managers[0], to)
        asked = reversals.request_reversal(credit, why="mistake", by=agent)
        pay = partial(
            ledger.post,
            debit=Book.CUSTOMER_CREDIT,
            credit=Book.REVENUE,
            amount=300,
            currency="GBP",
            kind=TransferKind.RENEWAL,
            source=f"month:{number}",
            program_id=to.program_id,
            wallet=Wallet.objects.select_related("account").get(account=to),
        )
        outcomes = all_at_once([*(partial(decisions.approve, asked, by=manager) for manager in managers), pay])
        assert unexpected(outcomes, ApprovalError, ledger.NotEnoughCreditError) == []
        taken = CreditReversal.objects.get(credit=credit).amount
        paid = 0 if isinstance(outcomes[2], ledger.NotEnoughCreditError) else 300
        assert (taken, paid) in {(500, 0), (200, 300)}
        assert Wallet.objects.get(account=to).balance == 0
    assert disagreeing() == []


def test_the_ledger_reverses_a_transfer_once_whoever_calls(people):
    agent, manager, _ = people
    for _ in range(ROUNDS):
        credit = granted(agent, manager)
        granted(agent, manager, credit.account)
        outcomes = all_at_once([partial(ledger.reverse, credit.transfer)] * 4)
        assert unexpected(outcomes, ledger.LedgerError) == []
        assert [isinstance(one, Transfer) for one in outcomes].count(True) == 1
        assert Wallet.objects.get(account=credit.account).balance == 500


def test_nothing_is_granted_once_a_stop_has_returned(crowd):
    """What is being granted at that moment is finished before it, or finds it."""
    factories.credit_policy(Role.AGENT)
    manager = factories.user(Role.MANAGER)
    agents = [factories.user(Role.AGENT) for _ in range(8)]

    def stop():
        limits.stop(reason="looking", by=manager)
        return ManualCredit.objects.count()

    for _ in range(ROUNDS):
        before = ManualCredit.objects.count()
        calls = [partial(credits.grant, factories.wanted(), by=agent) for agent in agents]
        outcomes = all_at_once([*calls[:4], stop, *calls[4:]])
        assert unexpected(outcomes, CreditError) == []
        refused = [one for one in outcomes if isinstance(one, CreditError)]
        assert outcomes[4] == ManualCredit.objects.count() == before + len(agents) - len(refused)
        limits.resume(reason="All is well.", by=manager)
    assert disagreeing() == []


def test_nothing_is_approved_once_a_stop_has_returned(people):
    agent, *managers = people

    def stop():
        limits.stop(reason="looking", by=managers[1])
        return ManualCredit.objects.count()

    for _ in range(ROUNDS):
        asked = [ask(agent) for _ in range(4)]
        approving = [partial(decisions.approve, one, by=managers[0]) for one in asked]
        outcomes = all_at_once([*approving[:2], stop, *approving[2:]])
        assert unexpected(outcomes, CreditError) == []
        assert outcomes[2] == ManualCredit.objects.count()
        limits.resume(reason="All is well.", by=managers[1])
    # What the stop kept from being credited still waits.
    assert Approval.objects.count() == ManualCredit.objects.count()


def test_time_is_taken_back_while_the_account_redeems(people, no_limits):
    agent, manager, _ = people
    for _ in range(ROUNDS):
        program = factories.program()
        to = factories.account(program)
        credit = granted(agent, manager, to, unit=DAYS, amount=10)
        granted(agent, manager, to, unit=DAYS, amount=5)
        asked = reversals.request_reversal(credit, why="mistake", by=agent)
        months = factories.cards(2, factories.batch(factories.product(program, months=1)))
        outcomes = all_at_once(
            [
                partial(decisions.approve, asked, by=manager),
                *(partial(redeem, account=to, text=card.text, channel=Channel.WEB) for card in months),
            ]
        )
        assert unexpected(outcomes) == []
        assert all(result.is_redeemed for result in outcomes[1:])
        grants = PremiumGrant.objects.filter(account=to, period__isnull=False).order_by("period")
        periods = [grant.period for grant in grants]
        assert len(periods) == 3
        assert [period.lower for period in periods[1:]] == [period.upper for period in periods[:-1]]
        assert periods[0].lower == program.today(timezone.now())
    assert disagreeing() == []


def test_money_is_taken_back_while_the_account_redeems(people, no_limits):
    agent, manager, _ = people
    for _ in range(ROUNDS):
        card = factories.card()
        to = factories.account(card.batch.product.program)
        asked = reversals.request_reversal(granted(agent, manager, to), why="mistake", by=agent)
        outcomes = all_at_once(
            [
                partial(decisions.approve, asked, by=manager),
                partial(redeem, account=to, text=card.text, channel=Channel.WEB),
            ]
        )
        assert unexpected(outcomes) == []
        assert Wallet.objects.get(account=to).balance == 3000
    assert disagreeing() == []


def moving(agent, source, target, **product):
    """A request to move a card that was redeemed to one account over to another of its program."""
    card = factories.card(factories.batch(factories.product(source.program, **product)))
    assert redeem(account=source, text=card.text, channel=Channel.WEB).is_redeemed
    ticket = factories.ticket(source.program)
    redemption = Redemption.objects.get(code=card.serial)
    return reversals.request_move(redemption, to=target, ticket=ticket, why="His other one.", by=agent)


@pytest.mark.parametrize("product", [{}, {"months": 1}], ids=["money", "time"])
def test_two_cards_that_change_places_at_once_wait_for_each_other(product, people, no_limits):
    agent, *managers = people
    for _ in range(ROUNDS):
        program = factories.program()
        pair = [factories.account(program) for _ in range(2)]
        asked = [moving(agent, one, other, **product) for one, other in (pair, pair[::-1])]
        outcomes = all_at_once(
            [partial(decisions.approve, one, by=manager) for one, manager in zip(asked, managers, strict=True)]
        )
        assert unexpected(outcomes) == []
        if not product:
            assert [wallet.balance for wallet in Wallet.objects.filter(account__in=pair)] == [3000, 3000]
    assert disagreeing() == []


def test_a_card_that_is_moved_and_replaced_at_once_gives_its_value_once(people, no_limits):
    agent, one, other = people
    # All cards first: successors take the serial numbers after them.
    programs = [factories.program() for _ in range(ROUNDS)]
    moves = [moving(agent, *(factories.account(program) for _ in range(2))) for program in programs]
    for program, move in zip(programs, moves, strict=True):
        serial = int(move.target.removeprefix("code:"))
        asked = approvals.request(
            action=ApprovalAction.REPLACE,
            target=move.target,
            payload=replace_payload(serial, Book.GOODWILL),
            reason="a thief",
            by=agent,
        )
        replacing = partial(
            replace_card,
            serial=serial,
            by=agent,
            approval=approvals.approve(asked, by=other),
            reason="a thief",
            source=Book.GOODWILL,
        )
        outcomes = all_at_once([partial(decisions.approve, move, by=one), replacing])
        assert [isinstance(outcome, Exception) for outcome in outcomes].count(True) == 1
        assert "Error" in next(type(one).__name__ for one in outcomes if isinstance(one, Exception))
        assert ledger.balance(Book.GOODWILL, program=program) == {}
    assert disagreeing() == []


def test_credits_and_moves_in_every_direction_never_lock_each_other_out(crowd, no_limits):
    """Two accounts, three agents, each thing that takes a lock of a credit: no deadlock, and the books agree."""
    policy = factories.credit_policy(Role.AGENT, Role.MANAGER, single=1000, approves=10**6)
    for limit in CreditLimit.objects.filter(policy=policy):
        limit.pk, limit.unit = None, DAYS
        limit.save()
    factories.credit_reason("moved_card", proof="card", needs_approval=True)
    agents, managers = ([factories.user(role) for _ in range(3)] for role in (Role.AGENT, Role.MANAGER))
    program = factories.program()
    pair = [factories.account(program) for _ in range(2)]
    for _ in range(ROUNDS // 2):
        backs = [
            reversals.request_reversal(
                credits.grant(factories.wanted(to, unit=unit, amount=7), by=agents[0]), why="mistake", by=agents[1]
            )
            for to in pair
            for unit in ("GBP", DAYS)
        ]
        moves = [moving(agents[2], one, other) for one, other in (pair, pair[::-1])]
        above = [ask(agents[number], pair[number], amount=2000) for number in (0, 1)]
        calls = [
            partial(decisions.approve, one, by=managers[number % 3]) for number, one in enumerate(backs + moves + above)
        ]
        calls += [
            partial(credits.grant, factories.wanted(to, unit=unit, amount=3), by=agent)
            for agent in agents
            for to in pair
            for unit in ("GBP", DAYS)
        ]
        outcomes = all_at_once(calls[::2] + calls[1::2])
        assert unexpected(outcomes, NeedsSecondPersonError) == []
    assert disagreeing() == []
