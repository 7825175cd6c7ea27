"""A small world in which everything happens in any order: whatever does, the figures agree, now and on every past day.

Beside the database a plain model keeps what each card should be; it knows nothing of transfers.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from redemption import approvals, ledger
from redemption.batches import BatchError, close_batch, extend_batch, freeze_batch, thaw_batch
from redemption.cards import CardError, activate_cards, freeze_cards, thaw_cards, void_cards, void_payload
from redemption.ledger import LedgerError
from redemption.models import (
    ApprovalAction,
    Batch,
    BatchStatus,
    Book,
    Channel,
    Code,
    CodeStatus,
    PremiumGrant,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from tests import factories

START = datetime(2020, 1, 1, 12, tzinfo=UTC)
CARDS = 6


@dataclass
class Card:
    """What a card should be. `is_owed`: sold, and its value neither spent, nor ended, nor broken."""

    text: str
    serial: int
    batch: Batch
    # The batch that it inherits its expiry from, its own unless it is a successor.
    dated_by: Batch
    value: int
    gives_credit: bool
    expires_on: date | None
    status: CodeStatus = CodeStatus.INACTIVE
    is_sold: bool = False
    is_owed: bool = False

    @property
    def is_unspent(self):
        return self.status.is_unspent

    def ends(self, status):
        self.status, self.is_owed = status, False


class World(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        # A world that went wrong must not spoil the next one.
        call_command("flush", verbosity=0, interactive=False)
        self.now, self.moments = START, [START]
        self.posted = 0
        self.system, self.manager, self.agent = (
            User.objects.system(),
            factories.user(Role.MANAGER),
            factories.user(Role.AGENT),
        )
        self.program = factories.program(time_zone="Europe/London", stacking_cap_months=6)
        self.accounts = [factories.account(self.program, currency="GBP") for _ in range(2)]
        self.cards: list[Card] = []
        self.batches = []
        for months, days in ((0, None), (0, 20), (2, 40)):
            product = factories.product(self.program, months=months, value=3000 - months)
            batch = factories.batch(product, expires_on=days and (START + timedelta(days=days)).date())
            self.batches.append(batch)
            self.cards += [
                Card(card.text, card.serial, batch, batch, batch.value, not months, batch.expires_on)
                for card in factories.cards(CARDS, batch, status=CodeStatus.INACTIVE)
            ]

    # --- What the rules are given

    def card(self, number):
        return self.cards[number % len(self.cards)]

    def run(self, number, length):
        """A run of cards from one on, whatever batches they are of: (first, last, those of them that there are)."""
        first = self.card(number).serial
        last = first + length
        return first, last, [card for card in self.cards if first <= card.serial <= last]

    def is_over(self, expires_on):
        return expires_on is not None and self.program.today(self.now) > expires_on

    def attempt(self, verb, *args, **more):
        """What the verb gave, or None where it refused."""
        try:
            return verb(*args, now=self.now, **more)
        except (CardError, BatchError, LedgerError, approvals.ApprovalError):
            return None

    def approved(self, action, target, payload):
        asked = approvals.request(
            action=action, target=target, payload=payload, reason="asked", by=self.agent, now=self.now
        )
        return approvals.approve(asked, by=self.manager, now=self.now)

    def status_of(self, batch):
        return Batch.objects.values_list("status", flat=True).get(pk=batch.pk)

    # --- What happens

    numbers = st.integers(0, 60)
    lengths = st.integers(0, 4)

    @rule(number=numbers, length=lengths)
    def sell(self, number, length):
        first, last, cards = self.run(number, length)
        touched = self.attempt(activate_cards, first=first, last=last, by=self.system)
        if touched:
            sold = [card for card in cards if card.status == CodeStatus.INACTIVE]
            assert touched.changed == len(sold)
            for card in sold:
                card.status, card.is_sold, card.is_owed = CodeStatus.ACTIVE, True, True

    @rule(number=numbers, who=st.integers(0, 1))
    def redeem(self, number, who):
        card = self.card(number)
        result = redeem(account=self.accounts[who], text=card.text, channel=Channel.WEB, now=self.now)
        works = (
            card.status == CodeStatus.ACTIVE
            and self.status_of(card.batch) == BatchStatus.ACTIVE
            and not self.is_over(card.expires_on)
        )
        if card.gives_credit:
            assert result.is_redeemed == works
        if result.is_redeemed:
            assert works
            card.ends(CodeStatus.REDEEMED)

    @rule(number=numbers, length=lengths)
    def freeze(self, number, length):
        first, last, cards = self.run(number, length)
        touched = self.attempt(freeze_cards, first=first, last=last, by=self.agent, reason="report")
        frozen = [card for card in cards if card.status in {CodeStatus.INACTIVE, CodeStatus.ACTIVE}]
        assert touched.changed == len(frozen)
        for card in frozen:
            card.status = CodeStatus.FROZEN

    @rule(number=numbers, length=lengths)
    def thaw(self, number, length):
        first, last, cards = self.run(number, length)
        touched = self.attempt(thaw_cards, first=first, last=last, by=self.agent, reason="cleared")
        thawed = [card for card in cards if card.status == CodeStatus.FROZEN]
        assert touched.changed == len(thawed)
        for card in thawed:
            card.status = CodeStatus.ACTIVE if card.is_sold else CodeStatus.INACTIVE

    @rule(number=numbers, length=lengths)
    def void(self, number, length):
        first, last, cards = self.run(number, length)
        approval = self.approved(ApprovalAction.VOID, f"code:{first}", void_payload(first, last))
        touched = self.attempt(void_cards, first=first, last=last, by=self.agent, approval=approval, reason="stolen")
        if touched:
            ended = [card for card in cards if card.is_unspent]
            assert touched.changed == len(ended)
            for card in ended:
                card.ends(CodeStatus.VOID)

    @rule(number=numbers, source=st.sampled_from([Book.RECEIVABLE, Book.GOODWILL]))
    def replace(self, number, source):
        card = self.card(number)
        source = source if card.status == CodeStatus.REDEEMED else None
        approval = self.approved(ApprovalAction.REPLACE, f"code:{card.serial}", replace_payload(card.serial, source))
        made = self.attempt(
            replace_card, serial=card.serial, by=self.agent, approval=approval, reason="damaged", source=source
        )
        if made is None:
            return
        was_redeemed = card.status == CodeStatus.REDEEMED
        self.cards.append(
            Card(
                made.code,
                made.serial,
                Batch.objects.get(pk=made.batch_id),
                card.dated_by,
                card.value,
                card.gives_credit,
                None if was_redeemed else card.expires_on,
                CodeStatus.ACTIVE if card.is_sold else CodeStatus.INACTIVE,
                card.is_sold,
                card.is_sold,
            )
        )
        if not was_redeemed:
            card.ends(CodeStatus.REPLACED)

    @rule(number=st.integers(0, 2), verb=st.sampled_from([freeze_batch, thaw_batch, thaw_batch]))
    def stop_and_go(self, number, verb):
        self.attempt(verb, self.batches[number], by=self.manager, reason="looking")

    @rule(number=st.integers(0, 2))
    @precondition(lambda self: len(self.moments) > 12)
    def close(self, number):
        self.attempt(close_batch, self.batches[number], by=self.manager, reason="over")

    @rule(number=st.integers(0, 2), days=st.integers(1, 60))
    def extend(self, number, days):
        batch = self.batches[number]
        batch.refresh_from_db()
        if batch.expires_on is None:
            return
        expires_on = batch.expires_on + timedelta(days=days)
        self.attempt(extend_batch, batch, expires_on=expires_on, by=self.manager)
        batch.refresh_from_db()
        if batch.expires_on == expires_on:
            # A card that stands in for a redeemed one is new value and has no last day.
            for card in self.cards:
                if card.dated_by.pk == batch.pk and card.expires_on:
                    card.expires_on = expires_on
                    card.is_owed = card.is_sold and card.is_unspent

    @rule()
    def the_night_comes(self):
        broken = ledger.post_breakage(now=self.now)
        over = [
            card
            for card in self.cards
            if card.is_owed and card.expires_on and self.program.today(self.now - timedelta(hours=1)) > card.expires_on
        ]
        assert broken.cards == len(over)
        for card in over:
            card.is_owed = False

    @rule(hours=st.integers(1, 15 * 24))
    def time_goes_by(self, hours):
        self.now += timedelta(hours=hours)
        self.moments.append(self.now)

    @rule()
    def a_month_goes_by_with_its_nights(self):
        self.time_goes_by(hours=25 * 24)
        self.the_night_comes()

    @rule(who=st.integers(0, 1), amount=st.integers(1, 5000), spends=st.booleans())
    def credit_comes_and_goes(self, who, amount, spends):
        account = self.accounts[who]
        with transaction.atomic():
            wallet = ledger.wallet_of(account, "GBP")
        books = (Book.CUSTOMER_CREDIT, Book.REVENUE) if spends else (Book.GOODWILL, Book.CUSTOMER_CREDIT)
        self.posted += 1
        before = wallet.balance
        moved = self.attempt(
            ledger.post,
            debit=books[0],
            credit=books[1],
            amount=amount,
            currency="GBP",
            kind=TransferKind.RENEWAL if spends else TransferKind.MANUAL_CREDIT,
            source=f"{account.pk}:{self.posted}",
            program_id=self.program.pk,
            wallet=wallet,
        )
        assert bool(moved) == (not spends or amount <= before)

    @rule(number=numbers)
    def reverse_a_credit(self, number):
        credits = Transfer.objects.filter(program_id=self.program.pk, kind=TransferKind.MANUAL_CREDIT).order_by("pk")
        if credits:
            credit = credits[number % len(credits)]
            before = Wallet.objects.get(pk=credit.wallet_id).balance
            is_new = not Transfer.objects.filter(reverses=credit).exists()
            back = self.attempt(ledger.reverse, credit)
            assert bool(back) == (is_new and before > 0)
            if back:
                assert back.amount == min(credit.amount, before)

    # --- What always holds

    @invariant()
    def owes_what_the_cards_say(self):
        if not hasattr(self, "cards"):
            return
        owed = sum(card.value for card in self.cards if card.is_owed)
        assert ledger.balance(Book.LIABILITY, program=self.program) == ({"GBP": owed} if owed else {})

    def teardown(self):
        if not hasattr(self, "cards"):
            return
        statuses = dict(Code.objects.filter(pk__in=[card.serial for card in self.cards]).values_list("pk", "status"))
        assert statuses == {card.serial: card.status for card in self.cards}
        assert self.disagreeing() == []
        for moment in self.moments:
            assert self.disagreeing(as_of=moment) == [], moment
        for account in self.accounts:
            periods = [grant.period for grant in PremiumGrant.objects.filter(account=account).order_by("period")]
            assert all(after.lower >= before.upper for before, after in pairwise(periods))

    def disagreeing(self, **more):
        return [line for line in reconcile(**more) if not line.agrees]


@pytest.fixture
def free_tries(settings):
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("worlds", "steps"), [(20, 50), pytest.param(200, 80, marks=pytest.mark.heavy)], ids=["few worlds", "many worlds"]
)
def test_whatever_happens_the_figures_agree(worlds, steps, free_tries):
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=worlds,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking would take many minutes; the steps are few enough to read.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
