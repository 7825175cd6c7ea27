"""The desk's people, tills and customers at a few cards: the machine of test_cards_machine.

Beside the database a plain model keeps what each card, report and book should be; it knows nothing of transfers.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.core.management import call_command
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from redemption import approvals, ledger
from redemption.batches import BatchError, extend_batch
from redemption.cards import CardError, activate_cards, freeze_cards, thaw_cards, void_cards, void_payload
from redemption.deactivating import deactivate_card
from redemption.models import ApprovalAction, Batch, Book, Channel, Code, CodeStatus, TransferKind, User
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from support.actions import credits, decisions, judging
from support.actions.credits import CreditError
from support.actions.reports import ReportError, Told, open_report
from support.models import Answer, CompromiseKind, CompromiseReport, Outcome, ReportChannel, ReportedCard
from support.reported_lines import Line
from tests import factories

START = datetime(2020, 1, 1, 12, tzinfo=UTC)
TAKEN_BACK_WITHIN = timedelta(hours=20)
S = CodeStatus
# Whatever happens to a card is one of these. There is no way out of the last three.
ALLOWED = {
    (S.INACTIVE, S.ACTIVE), (S.INACTIVE, S.FROZEN), (S.INACTIVE, S.VOID), (S.INACTIVE, S.REPLACED),
    (S.ACTIVE, S.INACTIVE), (S.ACTIVE, S.REDEEMED), (S.ACTIVE, S.FROZEN), (S.ACTIVE, S.VOID), (S.ACTIVE, S.REPLACED),
    (S.FROZEN, S.INACTIVE), (S.FROZEN, S.ACTIVE), (S.FROZEN, S.VOID), (S.FROZEN, S.REPLACED),
}  # fmt: skip
UNSPENT = {S.INACTIVE, S.ACTIVE, S.FROZEN}
TOO_LATE = {Answer.BEFORE_SALE, Answer.AFTER_SALE}
TO_BE_JUDGED = {Answer.FROZEN, *TOO_LATE}


@dataclass(eq=False)
class Card:
    """What a card should be. `is_owed`: sold, and its value neither spent, nor ended, nor broken. `root` is the serial
    number that its value was first sold under."""

    text: str
    serial: int
    batch: Batch
    dated_by: Batch
    root: int
    expires_on: date | None
    status: CodeStatus = S.INACTIVE
    sold_at: datetime | None = None
    is_owed: bool = False
    is_broken: bool = False
    redeemed_at: datetime | None = None
    thief: int = 0
    is_handed_on: bool = False

    @property
    def value(self):
        return 3000

    @property
    def is_successor(self):
        return self.root != self.serial

    @property
    def retailer_id(self):
        return self.batch.retailer_id


@dataclass(eq=False)
class Request:
    asked: object
    kind: ApprovalAction
    source: Book | None
    at: datetime
    by: User
    status: str = "pending"

    def waits(self, now):
        return self.status == "pending" and now < self.at + approvals.REQUESTS_LAST


@dataclass(eq=False)
class Row:
    """A card on a report."""

    card: Card
    answer: Answer
    outcome: str = ""
    request: Request | None = None

    @property
    def is_open(self):
        return self.answer in TO_BE_JUDGED and not self.outcome


@dataclass(eq=False)
class Report:
    report: CompromiseReport
    retailer_id: int
    rows: list[Row]
    requests: list[Request] = field(default_factory=list)


class Desk(RuleBasedStateMachine):
    """`reached`: what has happened at least once, in all worlds together."""

    reached: Counter[str] = Counter()

    @initialize(in_the_middle=st.integers(0, 3))
    def begin(self, in_the_middle):
        # The serial numbers of one world's successors are another one's cards.
        call_command("flush", verbosity=0, interactive=False)
        self.now, self.moments, self.spent = START, [START], 0
        self.system = User.objects.system()
        self.agents = [factories.user(Role.AGENT), factories.user(Role.SENIOR_AGENT), factories.user(Role.MANAGER)]
        self.deciders = [*self.agents[1:], factories.user(Role.MANAGER)]
        factories.credit_policy(Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER)
        self.program = factories.program(
            time_zone="Europe/London", deactivation_minutes=TAKEN_BACK_WITHIN.total_seconds() / 60
        )
        self.accounts = [factories.account(self.program) for _ in range(2)]
        self.wallets = [0, 0]
        self.books = Counter()
        self.credited = set()
        self.cards: list[Card] = []
        self.reports: list[Report] = []
        self.clerks = {}
        for days in (None, 20):
            batch = factories.batch(
                factories.product(self.program), expires_on=days and (START + timedelta(days=days)).date()
            )
            self.clerks[batch.retailer_id] = factories.member(batch.retailer)
            self.cards += [
                Card(card.text, card.serial, batch, batch, card.serial, batch.expires_on)
                for card in factories.cards(3, batch, status=S.INACTIVE)
            ]
        # Most worlds begin in the middle: of each retailer's three cards two are sold and one of them is redeemed; and
        # in many of those both have been reported, and in some may be replaced.
        if in_the_middle:
            for place in (0, 1, 3, 4):
                self.sell(number=4 * place)
            for place in (0, 3):
                self.redeem(number=4 * place, who=0)
        for of, retailer in enumerate(sorted(self.clerks)) if in_the_middle > 1 else ():
            own = {4 * place for place, card in enumerate(self.cards) if card.retailer_id == retailer and card.sold_at}
            self.report_cards(numbers=own, of=of, by=0, is_old=in_the_middle > 2)
        if in_the_middle > 2:
            self.ask_to_replace(number=0, places={0, 1, 2, 3}, who=0, source=Book.GOODWILL)
            self.decide(number=0, who=1, verb="approve")
        self.before = self.statuses()

    # --- What the rules are given

    def card(self, number, *likely):
        """Any card, but three times of four one in these statuses, where there is one."""
        cards = [card for card in self.cards if card.status in likely] if number % 4 else []
        return (cards or self.cards)[number // 4 % len(cards or self.cards)]

    def report(self, number):
        """One that has something to judge, where there is one."""
        reports = [report for report in self.reports if any(row.is_open for row in report.rows)]
        return (reports or self.reports)[number % len(reports or self.reports)]

    def attempt(self, verb, *args, **more):
        """Whether it was done, and what it gave."""
        try:
            return True, verb(*args, now=self.now, **more)
        except (CardError, BatchError, ReportError, CreditError, approvals.ApprovalError):
            return False, None

    def approved(self, action, target, payload):
        asked = approvals.request(
            action=action, target=target, payload=payload, reason="asked", by=self.agents[0], now=self.now
        )
        return approvals.approve(asked, by=self.deciders[-1], now=self.now)

    def is_over(self, card):
        return card.expires_on is not None and self.program.today(self.now) > card.expires_on

    def move(self, debit, credit, amount):
        self.books[debit] -= amount
        self.books[credit] += amount

    def settle(self, card, outcome):
        """On every report of the retailer that still waits for it."""
        for report in self.reports:
            for row in report.rows:
                if row.card is card and row.is_open:
                    row.outcome = outcome
                    self.reached[outcome] += 1

    def waiting(self, report, places, answers):
        """Rows that nobody has judged, or asked anything for, on this report or another one."""
        busy = {row.card for other in self.reports for row in other.rows if row.request and row.request.waits(self.now)}
        rows = [row for place, row in enumerate(report.rows) if place % 4 in places]
        return [row for row in rows if row.is_open and row.answer in answers and row.card not in busy]

    def end(self, card, status):
        """Voided or replaced: a void card's value goes back to its retailer."""
        if status == S.VOID and card.sold_at:
            self.move(Book.BREAKAGE if card.is_broken else Book.LIABILITY, Book.RECEIVABLE, card.value)
        card.status, card.is_owed, card.is_broken = status, False, False

    # --- Tills and customers

    numbers = st.integers(0, 200)
    people = st.integers(0, 2)
    places = st.sets(st.integers(0, 3), min_size=1)

    @rule(number=numbers)
    def sell(self, number):
        card = self.card(number, S.INACTIVE)
        done, touched = self.attempt(activate_cards, first=card.serial, by=self.system)
        assert done == (not self.is_over(card))
        if done and card.status == S.INACTIVE:
            assert touched.changed == 1
            card.status, card.sold_at, card.is_owed = S.ACTIVE, self.now, True
            self.move(Book.RECEIVABLE, Book.LIABILITY, card.value)

    @rule(number=numbers)
    def take_the_sale_back(self, number):
        card = self.card(number, S.ACTIVE)
        done, was_sold = self.attempt(deactivate_card, serial=card.serial, by=self.system)
        works = (
            card.status == S.ACTIVE
            and not card.is_successor
            and not card.is_broken
            and self.now - card.sold_at <= TAKEN_BACK_WITHIN
        )
        assert (done, was_sold) == ((True, works) if works or card.status == S.INACTIVE else (False, None))
        if works:
            card.status, card.sold_at, card.is_owed = S.INACTIVE, None, False
            self.move(Book.LIABILITY, Book.RECEIVABLE, card.value)

    @rule(number=numbers, who=st.integers(0, 1))
    def redeem(self, number, who):
        card = self.card(number, S.ACTIVE)
        result = redeem(account=self.accounts[who], text=card.text, channel=Channel.WEB, now=self.now)
        assert result.is_redeemed == (card.status == S.ACTIVE and not self.is_over(card))
        if result.is_redeemed:
            card.status, card.is_owed, card.redeemed_at, card.thief = S.REDEEMED, False, self.now, who
            self.move(Book.LIABILITY, Book.CUSTOMER_CREDIT, card.value)
            self.wallets[who] += card.value

    @rule(who=st.integers(0, 1), amount=st.integers(1, 5000))
    def spend(self, who, amount):
        amount = min(amount, self.wallets[who])
        if not amount:
            return
        self.spent += 1
        self.attempt(
            ledger.post,
            debit=Book.CUSTOMER_CREDIT,
            credit=Book.REVENUE,
            amount=amount,
            currency="GBP",
            kind=TransferKind.RENEWAL,
            source=f"{self.program.pk}:{self.spent}",
            program_id=self.program.pk,
            wallet=self.accounts[who].wallets.get(currency="GBP"),
        )
        self.wallets[who] -= amount
        self.move(Book.CUSTOMER_CREDIT, Book.REVENUE, amount)

    # --- The card's page

    @rule(number=numbers, who=people)
    def freeze(self, number, who):
        card = self.card(number, S.ACTIVE, S.INACTIVE)
        self.attempt(freeze_cards, first=card.serial, by=self.agents[who], reason="odd")
        if card.status in UNSPENT:
            card.status = S.FROZEN

    @rule(number=numbers, who=people)
    def thaw(self, number, who):
        card = self.card(number, S.FROZEN)
        self.attempt(thaw_cards, first=card.serial, by=self.agents[who], reason="fine")
        if card.status == S.FROZEN:
            card.status = S.ACTIVE if card.sold_at else S.INACTIVE

    @rule(number=numbers)
    def void(self, number):
        # Seldom any: a world of ended cards goes nowhere.
        card = self.card(number, S.VOID, S.REPLACED)
        approval = self.approved(ApprovalAction.VOID, f"code:{card.serial}", void_payload(card.serial))
        self.attempt(void_cards, first=card.serial, by=self.agents[0], approval=approval, reason="stolen")
        if card.status in UNSPENT:
            self.end(card, S.VOID)

    @rule(number=numbers, source=st.sampled_from([Book.RECEIVABLE, Book.GOODWILL]))
    def replace(self, number, source):
        card = self.card(number, S.ACTIVE, S.REDEEMED)
        source = source if card.status == S.REDEEMED else None
        approval = self.approved(ApprovalAction.REPLACE, f"code:{card.serial}", replace_payload(card.serial, source))
        done, made = self.attempt(
            replace_card, serial=card.serial, by=self.agents[0], approval=approval, reason="damaged", source=source
        )
        assert done == self.is_replaceable(card, source)
        if done:
            self.succeed(card, made, source)

    def is_replaceable(self, card, source):
        if card.status == S.REDEEMED:
            return not card.is_handed_on and source is not None
        return card.status in UNSPENT and not self.is_over(card)

    def is_credited(self, card):
        return card.serial in self.credited

    def succeed(self, card, made, source):
        """An unspent card hands its value on; a redeemed one's is taken from the wallet that it went to, as far as that
        goes, and the rest is new."""
        is_new_value = card.status == S.REDEEMED
        if is_new_value:
            taken = min(card.value, self.wallets[card.thief])
            self.wallets[card.thief] -= taken
            self.move(Book.CUSTOMER_CREDIT, Book.LIABILITY, taken)
            self.move(source, Book.LIABILITY, card.value - taken)
        successor = Card(
            made.code,
            made.serial,
            Batch.objects.get(pk=made.batch_id),
            card.dated_by,
            card.root,
            None if is_new_value else card.expires_on,
            S.ACTIVE if card.sold_at else S.INACTIVE,
            self.now if card.sold_at else None,
            bool(card.sold_at),
        )
        card.is_handed_on = True
        if not is_new_value:
            self.end(card, S.REPLACED)
        self.cards.append(successor)
        self.before[successor.serial] = successor.status

    # --- Reports, and what comes of them

    @rule(of=st.integers(0, 1))
    def print_another(self, of):
        batch = next(card.batch for card in self.cards[3 * of :])
        (card,) = factories.cards(1, batch, status=S.INACTIVE)
        self.cards.append(Card(card.text, card.serial, batch, batch, card.serial, self.cards[3 * of].expires_on))
        self.before[card.serial] = S.INACTIVE

    @rule(numbers=st.sets(numbers, min_size=1, max_size=5), of=st.integers(0, 1), by=people, is_old=st.booleans())
    def report_cards(self, numbers, of, by, is_old):
        """A clerk, an agent or a till names cards of either retailer; only its own are looked up."""
        retailer_id = sorted(self.clerks)[of]
        named = list(dict.fromkeys(self.card(number, S.ACTIVE, S.REDEEMED, S.INACTIVE) for number in sorted(numbers)))
        # A stranger's now and then.
        own = [card for card in named if card.retailer_id == retailer_id]
        named = own if own and sum(numbers) % 3 else named
        people = (self.clerks[retailer_id], self.agents[0], self.system)
        channel = (ReportChannel.PORTAL, ReportChannel.DESK, ReportChannel.TILL)[by]
        opened = open_report(
            retailer=self.clerks[retailer_id].memberships.get().retailer,
            lines=[Line(number, card.serial) for number, card in enumerate(named, start=1)],
            told=Told(CompromiseKind.STOLEN, sold_at=self.now if is_old else None),
            by=people[by],
            channel=channel,
            now=self.now,
        )
        rows = []
        for card in named:
            if card.retailer_id != retailer_id:
                answer = Answer.UNKNOWN
            elif card.status in UNSPENT:
                card.status, answer = S.FROZEN, Answer.FROZEN
            elif card.status == S.REDEEMED:
                answer = Answer.BEFORE_SALE if is_old and card.redeemed_at < self.now else Answer.AFTER_SALE
            else:
                answer = Answer.ENDED
            self.reached[answer] += 1
            rows.append(Row(card, answer))
        self.reports.append(Report(opened.report, retailer_id, rows))

    @rule(number=numbers, places=places, who=people)
    def clear(self, number, places, who):
        if not self.reports:
            return
        report = self.report(number)
        rows = self.waiting(report, places, {Answer.FROZEN})
        # As far as they are neither spent nor ended by others.
        cleared = [row.card for row in rows if row.card.status in UNSPENT]
        done, count = self.attempt(
            judging.clear,
            report.report,
            serials=self.chosen(report, places),
            by=self.agents[who],
            reason="All is well.",
        )
        assert (done, count) == ((True, len(cleared)) if cleared else (False, None))
        for card in cleared:
            card.status = S.ACTIVE if card.sold_at else S.INACTIVE
            self.settle(card, Outcome.CLEARED)

    def chosen(self, report, places):
        return [row.card.serial for place, row in enumerate(report.rows) if place % 4 in places]

    @rule(number=numbers, places=places, who=people)
    def ask_to_void(self, number, places, who):
        if not self.reports:
            return
        report = self.report(number)
        rows = [row for row in self.waiting(report, places, {Answer.FROZEN}) if row.card.status in UNSPENT]
        verb = judging.request_void
        done, asked = self.attempt(
            verb, report.report, serials=self.chosen(report, places), by=self.agents[who], reason="Stolen."
        )
        self.asked(report, rows, ApprovalAction.VOID, None, self.agents[who], done, asked)

    @rule(
        number=numbers,
        places=places,
        who=people,
        source=st.sampled_from([None, Book.RECEIVABLE, Book.GOODWILL, Book.REVENUE]),
    )
    def ask_to_replace(self, number, places, who, source):
        if not self.reports:
            return
        report = self.report(number)
        payer = source if source in judging.PAYERS else None
        rows = self.waiting(report, places, TO_BE_JUDGED)
        rows = [row for row in rows if self.is_replaceable(row.card, Book.GOODWILL) and not self.is_credited(row.card)]
        is_any_spent = any(row.card.status == S.REDEEMED for row in rows)
        done, asked = self.attempt(
            judging.request_replacement,
            report.report,
            serials=self.chosen(report, places),
            source=source,
            by=self.agents[who],
            reason="Stolen.",
        )
        if is_any_spent and payer is None:
            rows = []
        payer = payer if is_any_spent else None
        self.asked(report, rows, ApprovalAction.REPLACE, payer, self.agents[who], done, asked)

    def asked(self, report, rows, kind, source, by, done, asked):
        is_asked = any(request.kind == kind and request.waits(self.now) for request in report.requests)
        assert done == (bool(rows) and not is_asked)
        if not done:
            return
        earlier = {row.request for row in rows if row.request}
        for row in report.rows:
            if row.request in earlier and not row.outcome:
                row.request = None
        request = Request(asked, kind, source, self.now, by)
        report.requests.append(request)
        for row in rows:
            row.request = request

    def request(self, number):
        """One that waits, where there is one."""
        found = [(report, request) for report in self.reports for request in report.requests]
        waiting = [(report, request) for report, request in found if request.waits(self.now)]
        return (waiting or found)[number % len(waiting or found)] if found else None

    @rule(number=numbers, who=people, verb=st.sampled_from(["approve", "approve", "approve", "reject"]))
    def decide(self, number, who, verb):
        found = self.request(number)
        if not found:
            return
        report, request = found
        rows = [row for row in report.rows if row.request is request and row.is_open]
        void = [row.card for row in rows if row.card.status in {*UNSPENT, S.VOID}]
        may = request.waits(self.now) and self.deciders[who].pk != request.by.pk
        if request.kind == ApprovalAction.VOID and verb == "approve":
            may = may and bool(void)
        act = decisions.approve if verb == "approve" else decisions.reject
        done, _ = self.attempt(act, request.asked, by=self.deciders[who], reason="Seen.")
        assert done == may
        if not done:
            return
        request.status = {"approve": "approved", "reject": "rejected"}[verb]
        if request.kind == ApprovalAction.VOID and verb == "approve":
            for card in void:
                if card.status != S.VOID:
                    self.end(card, S.VOID)
                self.settle(card, Outcome.CONFIRMED)

    @rule(number=numbers)
    def withdraw(self, number):
        found = self.request(number)
        if found and number % 4 == 0 and found[1].waits(self.now):
            decisions.withdraw(found[1].asked, by=found[1].by)
            found[1].status = "withdrawn"

    @rule(number=numbers, who=people)
    def hand_over(self, number, who):
        rows = [(report, row) for report in self.reports for row in report.rows]
        allowed = [(report, row) for report, row in rows if row.is_open and row.request] if number % 4 else []
        if not rows:
            return
        report, row = (allowed or rows)[number // 4 % len(allowed or rows)]
        request = row.request
        may = (
            row.is_open
            and request is not None
            and (request.kind, request.status) == (ApprovalAction.REPLACE, "approved")
            and self.is_replaceable(row.card, request.source)
            and not self.is_credited(row.card)
        )
        done, made = self.attempt(judging.hand_over, report.report, serial=row.card.serial, by=self.agents[who])
        assert done == may
        if done:
            self.succeed(row.card, made, request.source)
            self.settle(row.card, Outcome.REPLACED)

    @rule(number=numbers, places=places, who=people)
    def close(self, number, places, who):
        if not self.reports:
            return
        report = self.report(number)
        became = {S.REDEEMED: Outcome.CLOSED, S.VOID: Outcome.CONFIRMED, S.REPLACED: Outcome.REPLACED}
        rows = [row for row in self.waiting(report, places, TO_BE_JUDGED) if row.card.status in became]
        done, count = self.attempt(
            judging.close, report.report, serials=self.chosen(report, places), by=self.agents[who], reason="Too late."
        )
        assert (done, count) == ((True, len(rows)) if rows else (False, None))
        for row in rows:
            self.settle(row.card, became[row.card.status])

    @rule(number=numbers, who=st.integers(0, 1), amount=st.integers(1, 5000))
    def credit(self, number, who, amount):
        """For a card: never while its value is still on it and a report holds it, nor once it was replaced."""
        card = self.card(number, S.REDEEMED, S.FROZEN)
        account = self.accounts[who]
        wanted = factories.wanted(account, amount=amount, code=Code.objects.get(pk=card.serial))
        is_held = card.status == S.FROZEN and any(
            row.card is card and row.is_open and row.answer == Answer.FROZEN
            for report in self.reports
            for row in report.rows
        )
        done, _ = self.attempt(credits.grant, wanted, by=self.agents[0])
        assert done == (not is_held and not card.is_handed_on)
        if done:
            self.credited.add(card.serial)
            self.wallets[who] += amount
            self.move(Book.GOODWILL, Book.CUSTOMER_CREDIT, amount)
            if any(row.card is card and row.is_open and row.answer in TOO_LATE for r in self.reports for row in r.rows):
                self.settle(card, Outcome.CREDITED)

    # --- Time

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 9]))
    def time_goes_by(self, hours):
        self.now += timedelta(hours=hours)
        self.moments.append(self.now)

    @rule()
    def the_night_comes(self):
        ledger.post_breakage(now=self.now)
        for card in self.cards:
            if card.is_owed and card.expires_on and self.program.today(self.now - ledger.GRACE) > card.expires_on:
                card.is_owed, card.is_broken = False, True
                self.move(Book.LIABILITY, Book.BREAKAGE, card.value)

    @rule(days=st.integers(1, 30))
    def extend(self, days):
        batch = next(card.dated_by for card in self.cards if card.expires_on)
        batch.refresh_from_db()
        expires_on = batch.expires_on + timedelta(days=days)
        done, _ = self.attempt(extend_batch, batch, expires_on=expires_on, by=self.agents[2])
        if not done:
            return
        for card in self.cards:
            if card.dated_by.pk == batch.pk and card.expires_on:
                card.expires_on = expires_on
                if card.is_broken:
                    card.is_broken, card.is_owed = False, True
                    self.move(Book.BREAKAGE, Book.LIABILITY, card.value)

    # --- What always holds

    def statuses(self):
        rows = Code.objects.filter(pk__in=[card.serial for card in self.cards]).order_by("pk")
        return {serial: S(status) for serial, status in rows.values_list("pk", "status")}

    @invariant()
    def every_card_is_what_it_should_be_and_none_comes_back(self):
        if not hasattr(self, "cards"):
            return
        now = self.statuses()
        assert now == {card.serial: card.status for card in self.cards}
        moved = {(self.before[serial], status) for serial, status in now.items() if self.before[serial] != status}
        assert moved <= ALLOWED
        self.reached.update([*moved, *now.values()])
        self.before = now

    @invariant()
    def every_book_holds_what_it_should(self):
        """And of each card that was ever sold one is owed at most: along the chain of its successors, as much as that
        one is worth is in the liability, and no more."""
        if not hasattr(self, "cards"):
            return
        books, held, owed = Counter(), Counter(), Counter()
        roots = {card.serial: card.root for card in self.cards}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT debit, credit, code_id, sum(amount) FROM redemption_transfer WHERE program_id = %s"
                " GROUP BY 1, 2, 3",
                [self.program.pk],
            )
            for debit, credit, serial, amount in cursor.fetchall():
                books[debit] -= int(amount)
                books[credit] += int(amount)
                if Book.LIABILITY in (debit, credit):
                    held[roots[serial]] += int(amount) * (1 if credit == Book.LIABILITY else -1)
        for book in Book:
            assert books[book] == self.books[book], book
        for card in self.cards:
            owed[card.root] += card.value * card.is_owed
        assert {root: amount for root, amount in held.items() if amount} == +owed
        assert max(owed.values()) <= 3000
        assert self.books[Book.LIABILITY] == sum(owed.values())
        assert self.books[Book.CUSTOMER_CREDIT] == sum(self.wallets)

    @invariant()
    def every_report_says_what_came_of_it(self):
        if not hasattr(self, "cards"):
            return
        lines = ReportedCard.objects.filter(report__in=[report.report for report in self.reports])
        assert list(lines.order_by("report_id", "pk").values_list("serial", "answer", "outcome")) == [
            (row.card.serial, row.answer, row.outcome) for report in self.reports for row in report.rows
        ]
        found = CompromiseReport.objects.order_by("pk").values_list("undecided", "answered_at")
        undecided = [sum(row.is_open for row in report.rows) for report in self.reports]
        assert [(count, at is None) for count, at in found] == [(count, count > 0) for count in undecided]

    def teardown(self):
        if not hasattr(self, "cards"):
            return
        assert [line for line in prove() if not line.agrees] == []
        for moment in self.moments:
            assert [line for line in prove(as_of=moment) if not line.agrees] == [], moment
