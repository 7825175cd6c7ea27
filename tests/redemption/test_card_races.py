"""Verbs on cards that meet each other and the nightly breakage: whoever comes second sees what the first has done."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption import approvals, ledger
from redemption.batches import close_batch, extend_batch
from redemption.cards import CardError, activate_cards, void_cards, void_payload
from redemption.models import (
    ApprovalAction,
    Book,
    CodeStatus,
    Replacement,
    Transfer,
    TransferKind,
    User,
)
from redemption.reconcile import reconcile
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from tests import factories
from tests.simulation.crowd import all_at_once

pytestmark = pytest.mark.django_db(transaction=True)


def approval(action, serial, payload, agent):
    asked = approvals.request(action=action, target=f"code:{serial}", payload=payload, reason="stolen", by=agent)
    return approvals.approve(asked, by=factories.user(Role.MANAGER))


def disagreeing():
    return [line for line in reconcile() if not line.agrees]


def test_a_card_that_is_voided_while_it_expires_leaves_the_liability_once():
    agent = factories.user(Role.AGENT)
    batch = factories.batch(expires_on=factories.last_day(3))
    cards = factories.cards(20, batch)
    voids = [approval(ApprovalAction.VOID, card.serial, void_payload(card.serial), agent) for card in cards]

    def void(number):
        return lambda: void_cards(first=cards[number].serial, by=agent, approval=voids[number], reason="stolen")

    outcomes = all_at_once([ledger.post_breakage, *[void(number) for number in range(20)]], clients=6)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert ledger.balance(Book.LIABILITY) == {}
    assert disagreeing() == []


def test_an_extension_takes_no_breakage_of_a_void_card_back():
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    batch = factories.batch(expires_on=factories.last_day(3))
    cards = factories.cards(10, batch)
    ledger.post_breakage()
    voids = [approval(ApprovalAction.VOID, card.serial, void_payload(card.serial), agent) for card in cards]

    def void(number):
        return lambda: void_cards(first=cards[number].serial, by=agent, approval=voids[number], reason="stolen")

    def extend():
        extend_batch(batch, expires_on=factories.last_day(-30), by=manager)

    outcomes = all_at_once([extend, *[void(number) for number in range(10)]], clients=6)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert (ledger.balance(Book.LIABILITY), ledger.balance(Book.BREAKAGE)) == ({}, {})
    assert disagreeing() == []


def test_no_card_of_a_closed_batch_is_sold():
    manager = factories.user(Role.MANAGER)
    batch = factories.batch()
    cards = factories.cards(10, batch, status=CodeStatus.INACTIVE)
    system = User.objects.system()
    outcomes = all_at_once(
        [lambda: close_batch(batch, by=manager)]
        + [lambda serial=card.serial: activate_cards(first=serial, by=system) for card in cards],
        clients=6,
    )
    sold = [outcome for outcome in outcomes[1:] if not isinstance(outcome, CardError)]
    assert Transfer.objects.filter(kind=TransferKind.ACTIVATE).count() == sum(touched.changed for touched in sold)
    with pytest.raises(CardError, match="closed"):
        activate_cards(first=cards[0].serial, by=system)


def test_a_successor_expires_and_is_extended_like_the_card_it_replaces():
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    today = timezone.now()
    batch = factories.batch(expires_on=factories.last_day(-1))
    sold, unsold = factories.card(batch), factories.card(batch, status=CodeStatus.INACTIVE)
    new = {}
    for card in (sold, unsold):
        payload = replace_payload(card.serial)
        yes = approval(ApprovalAction.REPLACE, card.serial, payload, agent)
        new[card.serial] = replace_card(serial=card.serial, by=agent, approval=yes, reason="damaged").serial
    later = today + timedelta(days=5)
    assert ledger.post_breakage(now=later).cards == 1
    with pytest.raises(CardError, match="expired"):
        activate_cards(first=new[unsold.serial], by=User.objects.system(), now=later)
    new_day = (later + timedelta(days=30)).date()
    extend_batch(batch, expires_on=new_day, by=manager, now=later)
    assert set(Replacement.objects.values_list("expires_on", flat=True)) == {new_day}
    assert activate_cards(first=new[unsold.serial], by=User.objects.system(), now=later).changed == 1
    assert disagreeing() == []
    assert [line for line in reconcile(as_of=later - timedelta(hours=1)) if not line.agrees] == []


def test_an_approval_voids_once_and_only_for_staff():
    agent = factories.user(Role.AGENT)
    batch = factories.batch()
    first, second = factories.cards(2, batch)
    yes = approval(ApprovalAction.VOID, first.serial, void_payload(first.serial, second.serial), agent)
    with pytest.raises(CardError, match="role"):
        void_cards(first=first.serial, last=second.serial, by=factories.user(), approval=yes, reason="stolen")
    void_cards(first=first.serial, last=second.serial, by=agent, approval=yes, reason="stolen")
    with pytest.raises(CardError, match="used before"):
        void_cards(first=first.serial, last=second.serial, by=agent, approval=yes, reason="stolen")
