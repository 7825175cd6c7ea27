"""A sale taken back at the till: in time, once, and so that nothing of it is left but its history."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from redemption import ledger
from redemption.batches import extend_batch
from redemption.cards import CardError, activate_cards, freeze_cards, thaw_cards
from redemption.deactivating import deactivate_card
from redemption.models import (
    ApprovalAction,
    BatchTally,
    Book,
    CardEvent,
    CardEventKind,
    Channel,
    CodeStatus,
    Redemption,
    Transfer,
    TransferKind,
    User,
)
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Permission, Role
from support.reports.filters import Filters
from support.reports.liability import liability_rows
from tests import factories
from tests.redemption.test_cards import approved, roll_up_everything, void
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db

S = CodeStatus
MINUTE = timedelta(minutes=1)
SOLD = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def system():
    return User.objects.system()


@pytest.fixture
def batch():
    return factories.batch(factories.product(factories.program(deactivation_minutes=30)))


def sold(batch, at=SOLD):
    card = factories.card(batch, status=S.INACTIVE)
    activate_cards(first=card.serial, by=User.objects.system(), now=at)
    return card


def disagreeing(**more):
    return [line for line in prove(**more) if not line.agrees]


def stands(card):
    row = card.row
    return S(row.status), row.activated_at


# --- What it does


def test_the_card_is_as_it_was_before_its_sale(batch, system):
    card, neighbour = sold(batch), sold(batch)
    assert deactivate_card(serial=card.serial, by=system, details={"key": 7}, now=SOLD + MINUTE) is True
    assert (stands(card), stands(neighbour)) == ((S.INACTIVE, None), (S.ACTIVE, SOLD))
    sale, back = Transfer.objects.filter(code=card.serial).order_by("pk")
    assert (back.debit, back.credit, back.amount, back.kind) == (
        Book.LIABILITY,
        Book.RECEIVABLE,
        3000,
        TransferKind.REVERSAL,
    )
    assert (back.reverses, back.batch, back.retailer, back.effective_at) == (
        sale,
        batch,
        batch.retailer,
        SOLD + MINUTE,
    )
    event = CardEvent.objects.get(kind=CardEventKind.DEACTIVATED)
    assert (event.first_serial, event.last_serial, event.by, event.at) == (
        card.serial,
        card.serial,
        system,
        SOLD + MINUTE,
    )
    assert event.details == {"key": 7, "activated_at": SOLD.isoformat()}
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({"GBP": 3000}, [])


def test_it_does_not_redeem_until_it_is_sold_again(batch, system):
    card, account = sold(batch, timezone.now()), factories.account(batch.product.program)
    deactivate_card(serial=card.serial, by=system)
    refused = redeem(account=account, text=card.text, channel=Channel.WEB)
    assert refused.reason == RefusalReason.NOT_ACTIVATED
    activate_cards(first=card.serial, by=system)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({}, [])


def test_repeating_it_does_nothing(batch, system):
    card = sold(batch)
    deactivate_card(serial=card.serial, by=system, now=SOLD + MINUTE)
    before = (CardEvent.objects.count(), Transfer.objects.count())
    assert deactivate_card(serial=card.serial, by=system, now=SOLD + 90 * MINUTE) is False
    assert (CardEvent.objects.count(), Transfer.objects.count()) == before


def test_it_may_be_sold_and_taken_back_again_and_again(batch, system):
    card = sold(batch)
    for round in range(1, 4):
        at = SOLD + 10 * round * MINUTE
        assert deactivate_card(serial=card.serial, by=system, now=at) is True
        assert ledger.balance(Book.LIABILITY) == {}
        assert activate_cards(first=card.serial, by=system, now=at + MINUTE).changed == 1
        assert ledger.balance(Book.LIABILITY) == {"GBP": 3000}
    causes = Transfer.objects.filter(kind=TransferKind.ACTIVATE).order_by("pk").values_list("source", flat=True)
    assert list(causes) == [f"code:{card.serial}{again}" for again in ("", ":1", ":2", ":3")]
    assert disagreeing() == []


def test_a_card_without_a_value_is_taken_back_and_posts_nothing(system):
    batch = factories.batch(factories.product(factories.program(deactivation_minutes=30), value=0, months=3))
    card = sold(batch)
    assert deactivate_card(serial=card.serial, by=system, now=SOLD + MINUTE) is True
    assert (stands(card), Transfer.objects.count(), disagreeing()) == ((S.INACTIVE, None), 0, [])


# --- When not


def refused(card, match, by=None, now=SOLD + MINUTE, **more):
    before = (stands(card), CardEvent.objects.count(), Transfer.objects.count())
    with pytest.raises(CardError, match=match):
        deactivate_card(serial=card.serial, by=by or User.objects.system(), now=now, **more)
    assert (stands(card), CardEvent.objects.count(), Transfer.objects.count()) == before


def test_after_the_programs_time_it_is_too_late(batch, system):
    card, last = sold(batch), sold(batch)
    refused(
        card, "within 30 minutes; this one is older: report the card", now=SOLD + 30 * MINUTE + timedelta(seconds=1)
    )
    assert deactivate_card(serial=last.serial, by=system, now=SOLD + 30 * MINUTE) is True


def test_a_program_may_take_no_sales_back():
    batch = factories.batch(factories.product(factories.program(deactivation_minutes=0)))
    refused(sold(batch), "sales are not taken back at the till: report the card instead")


def test_what_was_redeemed_frozen_or_ended_is_not_taken_back(batch):
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    spent, frozen, ended, replaced = (sold(batch, timezone.now()) for _ in range(4))
    redeem(account=factories.account(batch.product.program), text=spent.text, channel=Channel.WEB)
    freeze_cards(first=frozen.serial, by=agent, reason="stolen")
    void(ended.serial, ended.serial, agent, manager)
    new = replace(replaced, agent, manager)
    for card, status in ((spent, "redeemed"), (frozen, "frozen"), (ended, "void"), (replaced, "replaced")):
        refused(card, f"This card is {status}: its sale cannot be taken back", now=timezone.now())
    successor = factories.Card(new.code, new.code, new.serial, batch)
    refused(successor, "nobody bought it", now=timezone.now())
    # Thawed in time, it is.
    thaw_cards(first=frozen.serial, by=agent, reason="fine")
    assert deactivate_card(serial=frozen.serial, by=User.objects.system()) is True
    assert disagreeing() == []


def replace(card, agent, manager):
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", replace_payload(card.serial), agent, manager)
    return replace_card(serial=card.serial, by=agent, approval=approval, reason="torn")


def test_a_card_whose_value_has_become_breakage_is_not_taken_back():
    program = factories.program(deactivation_minutes=60 * 24 * 30)
    batch = factories.batch(factories.product(program), expires_on=SOLD.date())
    card, manager = sold(batch), factories.user(Role.MANAGER)
    after = SOLD + timedelta(days=2)
    ledger.post_breakage(now=after)
    refused(card, "This card has expired", now=after)
    # Extended, it is owed again, and may go back.
    extend_batch(batch, expires_on=SOLD.date() + timedelta(days=60), by=manager, now=after)
    assert deactivate_card(serial=card.serial, by=User.objects.system(), now=after) is True
    assert (ledger.balance(Book.LIABILITY), ledger.balance(Book.BREAKAGE), disagreeing()) == ({}, {}, [])


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_only_a_till_or_who_manages_batches_may(batch, role):
    card, by = sold(batch), factories.user(role)
    if by.may(Permission.MANAGE_BATCHES):
        assert deactivate_card(serial=card.serial, by=by, now=SOLD + MINUTE) is True
    else:
        refused(card, "Your role may not do this", by=by)


def test_a_tills_retailer_has_no_other_cards(batch, system):
    card, other = sold(batch), factories.retailer()
    refused(card, "No card has this serial number", retailer=other)
    assert deactivate_card(serial=card.serial, by=system, retailer=batch.retailer, now=SOLD + MINUTE) is True
    with pytest.raises(CardError, match="No card has this serial number"):
        deactivate_card(serial=1, by=system)


# --- What is said of it afterwards


def test_every_past_moment_reconciles(batch, system):
    card, _ = sold(batch), sold(batch)
    moments, at = [(SOLD - MINUTE, 0), (SOLD, 6000)], SOLD
    for _ in range(2):
        at += 10 * MINUTE
        deactivate_card(serial=card.serial, by=system, now=at)
        moments += [(at - MINUTE, 6000), (at, 3000)]
        at += 10 * MINUTE
        activate_cards(first=card.serial, by=system, now=at)
        moments += [(at - MINUTE, 3000), (at, 6000)]
    assert disagreeing() == []
    for moment, owed in moments:
        held = ledger.balance(Book.LIABILITY, as_of=moment)
        assert (disagreeing(as_of=moment), held) == ([], {"GBP": owed} if owed else {}), moment


def test_the_liability_page_tells_it_as_a_sale_that_was_not(batch, system):
    back, kept = sold(batch), sold(batch)
    deactivate_card(serial=back.serial, by=system, now=SOLD + MINUTE)
    (line,) = liability_rows(Filters(on=str(SOLD.date())))
    assert (line.flows.sold, line.flows.voided, line.flows.redeemed, line.outstanding) == (3000, 0, 0, 3000)
    assert stands(kept) == (S.ACTIVE, SOLD)


@pytest.mark.django_db(transaction=True)
def test_a_batchs_figures_count_it_back():
    batch = factories.batch(factories.product(factories.program(deactivation_minutes=30)))
    back, _ = sold(batch), sold(batch)
    roll_up_everything()
    before = BatchTally.objects.get(batch=batch)
    assert (before.activated, before.outstanding) == (2, 6000)
    deactivate_card(serial=back.serial, by=User.objects.system(), now=SOLD + MINUTE)
    roll_up_everything()
    after = BatchTally.objects.get(batch=batch)
    assert (after.issued, after.activated, after.outstanding) == (before.issued, 1, 3000)


# --- With others at work


@pytest.mark.django_db(transaction=True)
def test_a_sale_is_taken_back_or_its_card_redeemed_and_never_both(settings):
    settings.ATTEMPTS_PER_ACCOUNT = settings.ATTEMPTS_PER_ADDRESS = settings.ATTEMPTS_PER_PROGRAM = 0
    batch, system = (
        factories.batch(factories.product(factories.program(deactivation_minutes=30))),
        User.objects.system(),
    )
    cards = [sold(batch, timezone.now()) for _ in range(12)]
    accounts = [factories.account(batch.product.program) for _ in range(3)]
    calls = [
        call
        for number, card in enumerate(cards)
        for call in (
            partial(deactivate_card, serial=card.serial, by=system),
            partial(redeem, account=accounts[number % 3], text=card.text, channel=Channel.WEB),
        )
    ]
    outcomes = all_at_once(calls, clients=6)
    assert all("This card is redeemed" in error for error in errors(outcomes))
    redeemed = set(Redemption.objects.values_list("code", flat=True))
    assert {card.serial for card in cards if stands(card)[0] == S.REDEEMED} == redeemed
    assert {card.serial for card in cards if stands(card) == (S.INACTIVE, None)} == {
        card.serial for card in cards
    } - redeemed
    assert (ledger.balance(Book.LIABILITY), disagreeing()) == ({}, [])


@pytest.mark.django_db(transaction=True)
def test_of_many_tills_at_once_one_takes_it_back():
    batch, system = (
        factories.batch(factories.product(factories.program(deactivation_minutes=30))),
        User.objects.system(),
    )
    card = sold(batch)
    call = partial(deactivate_card, serial=card.serial, by=system, now=SOLD + MINUTE)
    assert sorted(all_at_once([call] * 6)) == [False] * 5 + [True]
    assert (Transfer.objects.count(), disagreeing()) == (2, [])
