"""The liability as of any day: what reconcile proves, and what plain Python makes of every transfer."""

import random
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from redemption import approvals, day_tallies, ledger
from redemption.batches import extend_batch
from redemption.cards import activate_cards, void_cards, void_payload
from redemption.models import ApprovalAction, Book, Channel, CodeStatus, Transfer, TransferKind, User
from redemption.reconcile import ledger_liability, reconcile
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from support.reports.filters import Filters, monday_of, today
from support.reports.liability import history, liability_rows
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()


def days_ago(days):
    return NOW - timedelta(days=days)


class World:
    """Half a year: sold, redeemed, expired (posted days later), extended and so unbroken, voided, replaced."""

    def __init__(self):
        self.system, self.manager = User.objects.system(), factories.user(Role.MANAGER)
        self.chance = random.Random(5)
        self.programs = [factories.program(), factories.program(time_zone="America/Los_Angeles")]
        self.accounts = [factories.account(program) for program in self.programs]
        self.old, self.torn, self.unsold = [], [], []
        for program, account in zip(self.programs, self.accounts, strict=True):
            for expires in (None, 40, 20):
                self.sell(program, account, expires)
        # After all batches: the standing batch takes ten thousand serial numbers.
        for card in self.torn:
            approval = self.approved(ApprovalAction.REPLACE, card, replace_payload(card.serial))
            replace_card(serial=card.serial, by=self.manager, approval=approval, reason="torn")
        ledger.post_breakage(now=days_ago(15))
        self.extended = self.old[0]
        extend_batch(self.extended, expires_on=today() + timedelta(days=90), by=self.manager, now=days_ago(10))
        ledger.post_breakage()

    def sell(self, program, account, expires):
        last = today() - timedelta(days=expires) if expires else None
        batch = factories.batch(factories.product(program), expires_on=last)
        *cards, unsold = factories.cards(7, batch, status=CodeStatus.INACTIVE)
        self.unsold.append(unsold)
        for card in cards:
            activate_cards(first=card.serial, by=self.system, now=days_ago(self.chance.randint(60, 180)))
        for card in cards[:2]:
            answer = redeem(
                account=account, text=card.text, channel=Channel.WEB, now=days_ago(self.chance.randint(45, 59))
            )
            assert answer.is_redeemed, answer
        void_cards(
            first=cards[2].serial,
            by=self.manager,
            approval=self.approved(ApprovalAction.VOID, cards[2], void_payload(cards[2].serial)),
            reason="stolen",
            now=days_ago(self.chance.randint(42, 44)),
        )
        if expires:
            self.old.append(batch)
        else:
            self.torn.append(cards[3])

    def approved(self, action, card, payload):
        asked = approvals.request(
            action=action, target=f"code:{card.serial}", payload=payload, reason="It is right.", by=self.manager
        )
        return approvals.approve(asked, by=factories.user(Role.SENIOR_AGENT))


def plain(day):
    """{(program's name, currency): minor units} from every transfer, in Python."""
    end = datetime.combine(day, time.max, UTC)
    owed = defaultdict(int)
    for row in Transfer.objects.filter(effective_at__lte=end).select_related("program"):
        owed[row.program.name, row.currency] += row.amount * (
            (row.credit == Book.LIABILITY) - (row.debit == Book.LIABILITY)
        )
    return {key: amount for key, amount in owed.items() if amount}


def shown(day):
    return {
        (line.program.name, line.currency): line.outstanding
        for line in liability_rows(Filters(on=str(day)))
        if line.outstanding
    }


def test_the_figures_are_reconciles_and_plain_pythons_as_of_any_day():
    world = World()
    kinds = set(Transfer.objects.values_list("kind", flat=True))
    assert {TransferKind.BREAKAGE, TransferKind.REVERSAL, TransferKind.VOID, TransferKind.REDEEM} <= kinds
    late = Transfer.objects.filter(kind=TransferKind.BREAKAGE)
    assert all(row.recorded_at - row.effective_at > timedelta(hours=1) for row in late)
    chance = random.Random(6)
    turning = [0, 1, 9, 10, 11, 14, 15, 16, 19, 20, 21, 39, 40, 41, 181, 400]
    for step, days in enumerate([*turning, *(chance.randint(0, 200) for _ in range(20))]):
        day = today() - timedelta(days=days)
        filters = Filters(on=str(day))
        assert shown(day) == plain(day), days
        theirs = {of: owed for of, owed in ledger_liability(as_of=filters.as_of_moment).items() if owed}
        assert shown(day) == theirs, days
        assert [line for line in reconcile(as_of=filters.as_of_moment) if not line.agrees] == []
        if step == 8:
            # From here on by the days, which take the backdated breakage where it belongs.
            day_tallies.roll_up()
            # And what is written for a past day afterwards.
            activate_cards(first=world.unsold[0].serial, by=world.system, now=days_ago(100))
    # The extension took breakage back.
    assert plain(today() - timedelta(days=12)) != plain(today() - timedelta(days=9))


def test_the_columns_add_up_to_what_is_outstanding_and_say_what_happened():
    World()
    lines = liability_rows(Filters())
    assert len(lines) == 2
    for line in lines:
        flows = line.flows
        assert flows.outstanding == flows.sold - flows.redeemed - flows.voided - flows.breakage + flows.replaced
        # Of 18 cards of £30 that were sold six were redeemed and three voided; three of one batch expired.
        assert flows.sold == 18 * 3000
        assert flows.redeemed == 6 * 3000
        assert flows.voided == 3 * 3000
    assert sum(line.flows.breakage for line in lines) == (3 + 3 + 3) * 3000


def test_each_week_of_the_history_ends_at_what_that_day_says():
    World()
    filters = Filters(period="52")
    found = history(filters, filters.weeks, currency="GBP")
    for place, week in enumerate(found.weeks):
        last = min(week + timedelta(days=6), today())
        ends = {line.program.pk: line.outstanding for line in liability_rows(Filters(on=str(last)))}
        assert {pk: ends_at[place] for pk, ends_at in found.outstanding.items() if ends_at[place]} == {
            pk: owed for pk, owed in ends.items() if owed
        }
    assert sum(flow.sold for flow in found.flows) == 36 * 3000
    assert found.weeks[0] == monday_of(filters.weeks.first)


def test_one_program_and_one_currency_are_told_apart():
    card, other = factories.card(), factories.card(factories.batch(factories.product(value=500, currency="USD")))
    program = card.batch.product.program
    assert [(line.currency, line.outstanding) for line in liability_rows(Filters(program=str(program.pk)))] == [
        ("GBP", 3000)
    ]
    filters = Filters()
    assert list(history(filters, filters.weeks, currency="USD").outstanding) == [other.batch.product.program_id]
