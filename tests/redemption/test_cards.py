"""What happens to cards, and what it posts."""

import time
from datetime import timedelta

import pytest
from django.db.models import Max
from django.utils import timezone

from redemption import approvals, ledger
from redemption.batches import extend_batch, freeze_batch, thaw_batch
from redemption.cards import CardError, activate_cards, freeze_cards, thaw_cards, void_cards, void_payload
from redemption.models import (
    ApprovalAction,
    Attempt,
    BatchStatus,
    BatchTally,
    Book,
    CardEvent,
    Channel,
    Code,
    CodeStatus,
    TallyMark,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from redemption.tallies import roll_up
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)


def approved(action, target, payload, agent, manager):
    return approvals.approve(
        approvals.request(action=action, target=target, payload=payload, reason="stolen", by=agent), by=manager
    )


def void(first, last, agent, manager):
    approval = approved(ApprovalAction.VOID, f"code:{first}", void_payload(first, last), agent, manager)
    return void_cards(first=first, last=last, by=agent, approval=approval, reason="stolen")


def disagreeing(**options):
    return [line for line in reconcile(**options) if not line.agrees]


def roll_up_everything():
    """Until the server's oldest transaction, other tests' included, is younger than what was written here."""
    written = [model.objects.aggregate(Max("xact"))["xact__max"] or 0 for model in (Attempt, CardEvent, Transfer)]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        roll_up()
        if TallyMark.objects.get().xact > max(map(int, written)):
            return
    raise AssertionError("some transaction never ended")


def test_a_sold_card_is_owed_by_its_retailer_once():
    batch = factories.batch(factories.product(value=2500))
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    system = User.objects.system()
    assert activate_cards(first=card.serial, by=system).changed == 1
    again = activate_cards(first=card.serial, by=system)
    assert (again.changed, again.skipped) == (0, {CodeStatus.ACTIVE: 1})
    transfer = Transfer.objects.get()
    assert (transfer.debit, transfer.credit, transfer.amount) == (Book.RECEIVABLE, Book.LIABILITY, 2500)
    assert disagreeing() == []


def test_freezing_a_range_takes_what_is_unspent_and_leaves_its_neighbours(agent):
    batch = factories.batch()
    cards = factories.cards(10, batch)
    account = factories.account(batch.product.program)
    redeem(account=account, text=cards[4].text, channel=Channel.WEB)
    touched = freeze_cards(first=cards[2].serial, last=cards[7].serial, by=agent, reason="stolen box")
    assert (touched.changed, touched.skipped) == (5, {CodeStatus.REDEEMED: 1})
    assert [code.status for code in Code.objects.order_by("pk")] == [1, 1, 3, 3, 2, 3, 3, 3, 1, 1]
    runs = CardEvent.objects.order_by("pk").values_list("first_serial", "last_serial")
    assert list(runs) == [(cards[2].serial, cards[3].serial), (cards[5].serial, cards[7].serial)]
    assert freeze_cards(first=cards[2].serial, last=cards[7].serial, by=agent, reason="again").changed == 0
    thaw_cards(first=cards[0].serial, last=cards[9].serial, by=agent, reason="found")
    assert [code.status for code in Code.objects.order_by("pk")] == [1, 1, 1, 1, 2, 1, 1, 1, 1, 1]


def test_a_thawed_card_that_was_never_sold_is_inactive_again(agent):
    card = factories.card(status=CodeStatus.FROZEN, sold=False)
    thaw_cards(first=card.serial, by=agent, reason="cleared")
    assert card.row.status == CodeStatus.INACTIVE


def test_voiding_needs_a_second_person_and_gives_the_value_back(agent, manager):
    card = factories.card()
    asked = approvals.request(
        action=ApprovalAction.VOID,
        target=f"code:{card.serial}",
        payload=void_payload(card.serial),
        reason="stolen",
        by=manager,
    )
    with pytest.raises(approvals.ApprovalError, match="Another person"):
        approvals.approve(asked, by=manager)
    with pytest.raises(approvals.ApprovalError, match="may not decide"):
        approvals.approve(asked, by=agent)
    approval = approvals.approve(asked, by=factories.user(Role.SENIOR_AGENT))
    other = factories.card(card.batch)
    with pytest.raises(approvals.ApprovalError, match="something else"):
        void_cards(first=other.serial, by=agent, approval=approval, reason="stolen")
    assert void_cards(first=card.serial, by=agent, approval=approval, reason="stolen").changed == 1
    assert (card.row.status, other.row.status) == (CodeStatus.VOID, CodeStatus.ACTIVE)
    assert ledger.balance(Book.RECEIVABLE) == {"GBP": -3000}
    assert disagreeing() == []


def test_expiry_posts_breakage_on_its_date_and_an_extension_takes_it_back(manager):
    program = factories.program(time_zone="America/New_York")
    last_day = factories.last_day(3)
    batch = factories.batch(factories.product(program), expires_on=last_day)
    factories.cards(3, batch)
    before = timezone.now()
    assert ledger.post_breakage(now=before).amounts == {"GBP": 9000}
    assert ledger.post_breakage(now=before).cards == 0
    effective = Transfer.objects.filter(kind=TransferKind.BREAKAGE).first().effective_at
    assert effective.astimezone(program.zone).isoformat()[:19] == f"{last_day + timedelta(days=1)}T00:00:00"
    assert (ledger.balance(Book.LIABILITY), ledger.balance(Book.BREAKAGE)) == ({}, {"GBP": 9000})
    extend_batch(batch, expires_on=last_day + timedelta(days=30), by=manager)
    assert (ledger.balance(Book.LIABILITY), ledger.balance(Book.BREAKAGE)) == ({"GBP": 9000}, {})
    assert disagreeing() == []
    assert ledger.post_breakage(now=before + timedelta(days=40)).amounts == {"GBP": 9000}


def test_a_voided_card_that_had_expired_leaves_breakage(agent, manager):
    batch = factories.batch(expires_on=factories.last_day(3))
    card, _ = factories.cards(2, batch)
    ledger.post_breakage()
    void(card.serial, None, agent, manager)
    assert (ledger.balance(Book.LIABILITY), ledger.balance(Book.BREAKAGE)) == ({}, {"GBP": 3000})
    assert disagreeing() == []


def test_replacing_moves_exactly_what_is_left(agent, manager):
    batch = factories.batch(expires_on=factories.last_day(-30))
    card = factories.card(batch)
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", replace_payload(card.serial), agent, manager)
    before = ledger.balance(Book.LIABILITY)
    successor = replace_card(serial=card.serial, by=agent, approval=approval, reason="damaged")
    assert ledger.balance(Book.LIABILITY) == before
    assert card.row.status == CodeStatus.REPLACED
    with pytest.raises(CardError, match="replaced before"):
        replace_card(serial=card.serial, by=agent, approval=approval, reason="again")
    account = factories.account(batch.product.program)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).reason == RefusalReason.REPLACED
    assert redeem(account=account, text=successor.code, channel=Channel.WEB).is_redeemed
    assert Wallet.objects.get(account=account).balance == 3000
    assert successor.code not in repr(successor)
    assert disagreeing() == []


def test_replacing_a_card_that_a_thief_redeemed_takes_back_what_his_wallet_holds(agent, manager):
    card = factories.card()
    thief = factories.account(card.batch.product.program)
    redeem(account=thief, text=card.text, channel=Channel.WEB)
    wallet = Wallet.objects.get(account=thief)
    ledger.post(
        debit=Book.CUSTOMER_CREDIT, credit=Book.REVENUE, amount=1000, currency="GBP", kind=TransferKind.RENEWAL,
        source="month:1", program_id=thief.program_id, wallet=wallet,
    )  # fmt: skip
    payload = replace_payload(card.serial, Book.RECEIVABLE)
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", payload, agent, manager)
    successor = replace_card(
        serial=card.serial, by=agent, approval=approval, reason="drained at sale", source=Book.RECEIVABLE
    )
    wallet.refresh_from_db()
    assert wallet.balance == 0
    taken = Transfer.objects.filter(kind=TransferKind.REPLACE).order_by("pk").values_list("debit", "amount")
    assert list(taken) == [(Book.CUSTOMER_CREDIT, 2000), (Book.RECEIVABLE, 1000)]
    victim = factories.account(thief.program)
    assert redeem(account=victim, text=successor.code, channel=Channel.WEB).is_redeemed
    assert disagreeing() == []


def test_a_frozen_batch_redeems_nothing_and_thaws_to_what_it_was(agent):
    card = factories.card()
    account = factories.account(card.batch.product.program)
    freeze_batch(card.batch, by=agent, reason="leak at the printer")
    assert redeem(account=account, text=card.text, channel=Channel.WEB).reason == RefusalReason.BATCH_FROZEN
    thaw_batch(card.batch, by=agent)
    assert card.batch.status == BatchStatus.ACTIVE
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed


@pytest.mark.django_db(transaction=True)
def test_tallies_follow_the_records_and_count_none_twice():
    batch = factories.batch()
    cards = factories.cards(5, batch, status=CodeStatus.INACTIVE)
    activate_cards(first=cards[0].serial, last=cards[2].serial, by=User.objects.system())
    account = factories.account(batch.product.program)
    roll_up()
    redeem(account=account, text=cards[0].text, channel=Channel.WEB)
    redeem(account=account, text=cards[0].text, channel=Channel.WEB)
    roll_up_everything()
    roll_up()
    tally = BatchTally.objects.get()
    assert (tally.activated, tally.redeemed, tally.refused, tally.outstanding) == (3, 1, 1, 6000)


@pytest.mark.django_db(transaction=True)
def test_a_replacement_moves_what_is_owed_from_batch_to_batch(agent, manager):
    card, _ = factories.cards(2)
    roll_up()
    payload = replace_payload(card.serial)
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", payload, agent, manager)
    successor = replace_card(serial=card.serial, by=agent, approval=approval, reason="damaged")
    roll_up_everything()
    figures = {tally.batch_id: (tally.issued, tally.activated, tally.outstanding) for tally in BatchTally.objects.all()}
    assert figures == {card.batch.pk: (100, 0, 3000), successor.batch_id: (1, 1, 3000)}


def test_liability_as_of_a_past_date(agent, manager):
    batch = factories.batch()
    cards = factories.cards(2, batch, status=CodeStatus.INACTIVE)
    start = timezone.now() - timedelta(days=30)
    activate_cards(first=cards[0].serial, last=cards[1].serial, by=User.objects.system(), now=start)
    redeem(
        account=factories.account(batch.product.program),
        text=cards[0].text,
        channel=Channel.WEB,
        now=start + timedelta(days=10),
    )
    for days, owed in ((5, 6000), (15, 3000)):
        moment = start + timedelta(days=days)
        assert ledger.balance(Book.LIABILITY, as_of=moment) == {"GBP": owed}
        assert disagreeing(as_of=moment) == []
