"""Credits in any order by several people, with a clock that moves: the books balance, and nobody passes a limit.

Beside the database a plain model keeps what was granted, by whom and when; from it the windows are summed anew.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from redemption import approvals, ledger
from redemption.approvals import REQUESTS_LAST, ApprovalError
from redemption.cards import CardError, freeze_cards, thaw_cards
from redemption.ledger import LedgerError
from redemption.models import (
    Approval,
    ApprovalAction,
    ApprovalRequest,
    Book,
    Channel,
    PremiumGrant,
    Redemption,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import credits, decisions, limits, reversals
from support.actions.credits import CreditError, NeedsSecondPersonError
from support.actions.limits import LimitsError
from support.models import DAYS, CreditLimit, CreditReversal, ManualCredit
from tests import factories
from tests.simulation.crowd import all_at_once

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}
UNITS = ["GBP", DAYS]
REFUSALS = (CreditError, ApprovalError, LimitsError, LedgerError, CardError)
# Narrow enough that a handful of steps passes each of them.
LIMITS = {
    "single": 40, "day_sum": 60, "day_count": 3, "week_sum": 100, "week_count": 5, "month_sum": 150, "month_count": 8,
    "account_sum": 90, "account_count": 4,
}  # fmt: skip
CARDS = 12


@dataclass
class Granted:
    """What the database should have, seen from outside. `alone`: nobody approved it."""

    who: int
    to: int
    unit: str
    amount: int
    at: datetime
    alone: bool
    is_move: bool = False


class Desk(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        # A world that went wrong must not spoil the next one.
        call_command("flush", verbosity=0, interactive=False)
        self.now = START
        self.posted = 0
        self.is_stopped = False
        self.written: tuple[int, ...] = ()
        self.granted: list[Granted] = []
        self.program = factories.program(time_zone="Europe/London", stacking_cap_months=6)
        # Two agents, a senior agent and two managers; the last manager and the first agent are customers as well.
        roles = [Role.AGENT, Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, Role.MANAGER]
        self.people = [factories.user(role) for role in roles]
        self.accounts = [
            factories.account(self.program),
            factories.account(self.program, user=self.people[0]),
            factories.account(self.program, email=self.people[4].email.upper()),
        ]
        self.tickets = [factories.ticket(self.program, account=account) for account in self.accounts]
        self.tickets.append(factories.ticket(self.program))
        self.reason = factories.credit_reason()
        factories.credit_reason("moved_card", proof="card", needs_approval=True)
        policy = factories.credit_policy(Role.AGENT, **LIMITS)
        for role, approves in ((Role.AGENT, 0), (Role.SENIOR_AGENT, 50), (Role.MANAGER, 200)):
            for unit in UNITS:
                if (role, unit) != (Role.AGENT, "GBP"):
                    limit = CreditLimit.objects.filter(policy=policy).order_by("pk").first()
                    limit.pk, limit.role, limit.unit, limit.approves = None, role, unit, approves
                    limit.save()
        self.cards = []
        for months in (0, 1):
            batch = factories.batch(factories.product(self.program, months=months, value=70))
            self.cards += factories.cards(CARDS // 2, batch)
        for number in (0, 1, CARDS - 1):
            self.redeem(number, 0)

    # --- What the rules are given

    def attempt(self, verb, *args, **more):
        """What the verb gave, or the sentence with which it refused; nothing else may come of it."""
        try:
            return verb(*args, **more)
        except NeedsSecondPersonError as needs:
            return needs
        except REFUSALS as refused:
            return str(refused)

    def wanted(self, to, ticket, unit, amount, card=None):
        code = self.cards[card].row if card is not None else None
        return credits.Wanted(self.accounts[to], unit, amount, self.reason, self.tickets[ticket], code)

    def is_customer(self, who, *accounts, ticket=None):
        """The first agent holds the second account, the last manager has the third one's address."""
        if ticket is not None and ticket < len(self.accounts):
            accounts = (*accounts, ticket)
        return (who, 1) in {(0, one) for one in accounts} or (who, 2) in {(4, one) for one in accounts}

    def model(self, who, to, unit, amount):
        """Whether the plain model finds the credit within every limit of who wants to grant it."""
        own = [one for one in self.granted if one.who == who and one.unit == unit and one.alone]
        for name, length in WINDOWS.items():
            amounts = [one.amount for one in own if one.at > self.now - length]
            if sum(amounts) + amount > LIMITS[f"{name}_sum"] or len(amounts) + 1 > LIMITS[f"{name}_count"]:
                return False
        given = (one for one in self.granted if one.to == to and one.unit == unit and not one.is_move)
        recent = [one.amount for one in given if one.at > self.now - 30 * DAY]
        fits = sum(recent) + amount <= LIMITS["account_sum"] and len(recent) + 1 <= LIMITS["account_count"]
        return fits and amount <= LIMITS["single"]

    # --- What happens

    # The usual more often than the rest: else nearly everything would be refused.
    people_ = st.sampled_from([0, 0, 1, 1, 1, 2, 3, 4])
    deciders = st.sampled_from([3, 3, 3, 4, 4, 2, 2, 1, 0])
    accounts_ = st.sampled_from([0, 0, 0, 1, 2])
    # Of the account's own, of nobody's, or of another account's.
    tickets_ = st.sampled_from([None, None, None, 3, 0, 2])
    units = st.sampled_from(UNITS)
    amounts = st.sampled_from([1, 10, 10, 20, 30, 40, 41, 60, 60, 200, 201])
    cards_ = st.none() | st.integers(0, CARDS - 1)
    numbers = st.integers(0, 30)

    @rule(
        wishes=st.lists(
            st.tuples(people_, accounts_, tickets_, units, amounts, cards_, st.booleans()), min_size=1, max_size=5
        )
    )
    def credit(self, wishes):
        for wish in wishes:
            self.grant_or_ask(*wish)

    def grant_or_ask(self, who, to, ticket, unit, amount, card, asks):
        """Grants it, or asks a colleague where that needs one."""
        ticket = to if ticket is None else ticket
        wanted = self.wanted(to, ticket, unit, amount, card)
        fits = self.model(who, to, unit, amount)
        may = not self.is_stopped and not self.is_customer(who, to, ticket=ticket) and ticket in {to, 3}
        made = self.attempt(credits.grant, wanted, by=self.people[who], now=self.now)
        if isinstance(made, ManualCredit):
            assert may
            assert fits
            self.granted.append(Granted(who, to, unit, amount, self.now, alone=True))
        elif isinstance(made, NeedsSecondPersonError):
            assert may
            assert not fits
        else:
            # Premium time has a cap of its own.
            assert not may or "premium time ahead" in made, made
        if asks:
            asked = self.attempt(credits.request, wanted, why="asked", by=self.people[who], now=self.now)
            # What is within the limits is granted, not asked for; and what was granted is not asked for again.
            assert isinstance(asked, str) or (may and not fits)

    @rule(wishes=st.lists(st.tuples(people_, numbers), min_size=1, max_size=3))
    def ask_to_take_back(self, wishes):
        for who, number in wishes:
            self.ask_to_reverse(who, number)

    def ask_to_reverse(self, who, number):
        made = list(ManualCredit.objects.order_by("pk"))
        if made:
            credit = made[number % len(made)]
            self.attempt(reversals.request_reversal, credit, why="mistake", by=self.people[who], now=self.now)

    @rule(who=people_, to=accounts_, ticket=tickets_, number=numbers)
    def ask_to_move(self, who, to, ticket, number):
        made = list(Redemption.objects.select_related("account").order_by("pk"))
        if made:
            self.attempt(
                reversals.request_move,
                made[number % len(made)],
                to=self.accounts[to],
                ticket=self.tickets[to if ticket is None else ticket],
                why="His other one.",
                by=self.people[who],
                now=self.now,
            )

    def waiting(self, number, *, decided=False):
        """A request that waits; or, of those that do not, whichever."""
        rows = list(ApprovalRequest.objects.order_by("pk"))
        rows = [row for row in rows if (row.status != "pending") == decided]
        return rows[number % len(rows)] if rows else None

    @rule(
        answers=st.lists(
            st.tuples(st.sampled_from(["approve"] * 7 + ["reject", "withdraw", "stale"]), numbers, deciders),
            min_size=1,
            max_size=5,
        )
    )
    def decide(self, answers):
        for verb, number, who in answers:
            asked = self.waiting(number, decided=verb == "stale")
            if asked is None:
                continue
            if verb == "reject":
                self.attempt(decisions.reject, asked, by=self.people[who], reason="No.", now=self.now)
            elif verb == "withdraw":
                told = self.attempt(decisions.withdraw, asked, by=self.people[number % 5])
                assert told is not None or self.people[number % 5].pk == asked.requested_by_id
            else:
                self.approve(asked, who)

    def approve(self, asked, who):
        before = self.standing(asked)
        told = self.attempt(decisions.approve, asked, by=self.people[who], now=self.now)
        if isinstance(told, str):
            assert self.standing(asked) == before, "what is refused leaves nothing"
            return
        assert before[0] == "pending"
        assert self.now < asked.expires_at
        assert self.people[who].pk not in {asked.requested_by_id, *asked.customers}
        assert self.people[who].role in {Role.SENIOR_AGENT, Role.MANAGER}
        payload = asked.payload
        asker = next(number for number, one in enumerate(self.people) if one.pk == asked.requested_by_id)
        credit = ManualCredit.objects.filter(approval=told).first()
        back = CreditReversal.objects.filter(approval=told).first()
        match asked.action:
            case ApprovalAction.CREDIT:
                assert not self.is_stopped
                assert payload["amount"] <= (50 if self.people[who].role == Role.SENIOR_AGENT else 200)
                assert (credit.amount, credit.unit, back) == (payload["amount"], payload["unit"], None)
            case ApprovalAction.REVERSAL:
                assert credit is None
                assert back.credit_id == payload["credit"]
                assert 0 < back.amount <= back.credit.amount
            case ApprovalAction.MOVE:
                assert not self.is_stopped
                assert credit.moves == back
                assert credit.amount == back.amount
        if credit:
            to = next(number for number, one in enumerate(self.accounts) if one.pk == credit.account_id)
            self.granted.append(
                Granted(asker, to, credit.unit, credit.amount, self.now, alone=False, is_move=bool(credit.moves_id))
            )

    @rule(number=numbers)
    def use_an_approval_again(self, number):
        approval = Approval.objects.order_by("pk")[number % 7 :].first()
        if approval is None:
            return
        before = self.standing(approval.request)
        for verb in (credits.grant_approved, reversals.reverse_approved, reversals.move_approved):
            assert isinstance(self.attempt(verb, approval, now=self.now), str)
        assert self.standing(approval.request) == before

    @rule(number=st.integers(0, CARDS - 1), to=accounts_)
    def redeem(self, number, to):
        redeem(account=self.accounts[to], text=self.cards[number].text, channel=Channel.WEB, now=self.now)

    @rule(number=st.integers(0, CARDS - 1), verb=st.sampled_from([freeze_cards, thaw_cards]))
    def freeze_or_thaw(self, number, verb):
        serial = self.cards[number].serial
        self.attempt(verb, first=serial, by=self.people[0], reason="report", now=self.now)

    @rule(to=accounts_, amount=st.integers(1, 100))
    def pay_a_month(self, to, amount):
        account = self.accounts[to]
        self.posted += 1
        with transaction.atomic():
            wallet = ledger.wallet_of(account, "GBP")
            paid = self.attempt(
                ledger.post, debit=Book.CUSTOMER_CREDIT, credit=Book.REVENUE, amount=amount, currency="GBP",
                kind=TransferKind.RENEWAL, source=f"month:{self.posted}", program_id=self.program.pk, wallet=wallet,
                now=self.now,
            )  # fmt: skip
        assert isinstance(paid, Transfer) == (amount <= wallet.balance)

    @rule(who=deciders, on=st.sampled_from([True, False, False, False]))
    def stop_or_go(self, who, on):
        made = self.attempt(limits.stop if on else limits.resume, reason="looking", by=self.people[who], now=self.now)
        if not isinstance(made, str):
            assert self.people[who].role == Role.MANAGER or (on and self.people[who].role == Role.SENIOR_AGENT)
            self.is_stopped = on

    @rule(seconds=st.sampled_from([1, 1, 60, 3600, 3600, 86_399, 86_400, 86_401, 5 * 86_400, 7 * 86_400, 30 * 86_400]))
    def time_goes_by(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule()
    def the_hour_strikes(self):
        over = ApprovalRequest.objects.filter(status="pending", requested_at__lte=self.now - REQUESTS_LAST).count()
        assert approvals.expire(now=self.now) == over

    # --- What always holds

    def standing(self, asked):
        """What a request has led to, and how many credits and transfers there are."""
        asked = ApprovalRequest.objects.get(pk=asked.pk)
        return asked.status, ManualCredit.objects.count(), CreditReversal.objects.count(), Transfer.objects.count()

    @invariant()
    def what_always_holds(self):
        if not hasattr(self, "granted"):
            return
        written = Transfer.objects.count(), ManualCredit.objects.count(), Approval.objects.count()
        if written != self.written:
            self.written = written
            self.no_limit_is_passed_in_any_window()
            self.nobody_approves_for_himself_and_each_approval_posts_once()
            self.the_books_balance()

    def no_limit_is_passed_in_any_window(self):
        """From the rows themselves: each window that ends with a credit that somebody granted alone."""
        rows = list(ManualCredit.objects.order_by("pk"))
        assert len(rows) == len(self.granted)
        for end in rows:
            if end.approval_id:
                continue
            like = [row for row in rows if row.unit == end.unit and row.granted_at <= end.granted_at]
            for name, length in WINDOWS.items():
                own = [
                    row.amount
                    for row in like
                    if row.granted_by_id == end.granted_by_id
                    and not row.approval_id
                    and row.granted_at > end.granted_at - length
                ]
                assert sum(own) <= LIMITS[f"{name}_sum"]
                assert len(own) <= LIMITS[f"{name}_count"]
            got = [
                row.amount
                for row in like
                if row.account_id == end.account_id
                and not row.moves_id
                and row.pk <= end.pk
                and row.granted_at > end.granted_at - 30 * DAY
            ]
            assert sum(got) <= LIMITS["account_sum"]
            assert len(got) <= LIMITS["account_count"]

    def nobody_approves_for_himself_and_each_approval_posts_once(self):
        for approval in Approval.objects.filter(decision="approved"):
            assert approval.decided_by_id not in {approval.requested_by_id, *approval.customers}
            made = ManualCredit.objects.filter(approval=approval).count()
            back = CreditReversal.objects.filter(approval=approval).count()
            assert (made, back) == {"credit": (1, 0), "reversal": (0, 1), "move": (1, 1)}[approval.action]
        for credit in ManualCredit.objects.all():
            assert credit.granted_by_id not in credit.customers
        assert not ManualCredit.objects.filter(approval__decision="rejected").exists()

    def the_books_balance(self):
        assert not Wallet.objects.filter(balance__lt=0).exists()
        given = sum(one.amount for one in self.granted if one.unit == "GBP" and not one.is_move)
        back = sum(CreditReversal.objects.filter(credit__isnull=False, unit="GBP").values_list("amount", flat=True))
        assert ledger.balance(Book.GOODWILL) == ({"GBP": back - given} if back != given else {})
        sold = 70 * CARDS
        spent = 70 * Redemption.objects.count()
        assert ledger.balance(Book.LIABILITY) == ({"GBP": sold - spent} if sold != spent else {})
        for account in self.accounts:
            grants = list(PremiumGrant.objects.filter(account=account, period__isnull=False).order_by("period"))
            assert all(after.period.lower >= one.period.upper for one, after in pairwise(grants))
            for grant in grants:
                if grant.days:
                    assert (grant.period.upper - grant.period.lower).days + grant.taken_back == grant.days

    def teardown(self):
        assert [line for line in prove() if not line.agrees] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("desks", "steps"), [(10, 80), pytest.param(60, 120, marks=pytest.mark.heavy)], ids=["few desks", "many desks"]
)
def test_whatever_people_do_no_limit_is_passed_and_the_books_balance(desks, steps, no_limits):
    run(
        Desk,
        settings=settings(
            max_examples=desks,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking would take many minutes; the steps are few enough to read.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )


# --- Two hundred at once


def fits(outcomes):
    """How many were granted; all others were told that they need a second person."""
    wrong = [repr(one) for one in outcomes if not isinstance(one, ManualCredit | NeedsSecondPersonError)]
    assert wrong == []
    return [type(one) for one in outcomes].count(ManualCredit)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("limit", "amount", "fit"),
    [
        ({"day_sum": 7_000, "single": 200}, 200, 35),
        pytest.param({"month_count": 23, "week_count": 23, "day_count": 23}, 200, 23, marks=pytest.mark.heavy),
    ],
    ids=["sum", "count"],
)
def test_of_two_hundred_at_once_exactly_those_that_fit_ones_own_limit_are_posted(limit, amount, fit, crowd):
    factories.credit_policy(**limit)
    agent = factories.user(Role.AGENT)
    wanted = [factories.wanted(amount=amount) for _ in range(200)]
    outcomes = all_at_once([partial(credits.grant, one, by=agent) for one in wanted], clients=crowd)
    assert fits(outcomes) == fit
    posted = Transfer.objects.filter(kind=TransferKind.MANUAL_CREDIT)
    assert (ManualCredit.objects.count(), posted.count()) == (fit, fit)
    assert ledger.balance(Book.GOODWILL) == {"GBP": -fit * amount}
    assert [line for line in prove() if not line.agrees] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("limit", "fit"),
    [({"account_sum": 7_000}, 35), pytest.param({"account_count": 23}, 23, marks=pytest.mark.heavy)],
    ids=["sum", "count"],
)
def test_of_two_hundred_agents_at_once_exactly_those_that_fit_one_accounts_limit_are_posted(limit, fit, crowd):
    factories.credit_policy(**limit)
    to = factories.account()
    people = [User(email=f"agent-{number}@example.com", role=Role.AGENT) for number in range(200)]
    agents = User.objects.bulk_create(people)
    ticket = factories.ticket(to.program, account=to)
    calls = [partial(credits.grant, factories.wanted(to, amount=200, ticket=ticket), by=agent) for agent in agents]
    assert fits(all_at_once(calls, clients=crowd)) == fit
    assert Wallet.objects.get(account=to).balance == fit * 200
    assert ManualCredit.objects.values("granted_by").distinct().count() == fit
    assert [line for line in prove() if not line.agrees] == []
