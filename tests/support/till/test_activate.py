"""The till tells that a card was sold."""

import pytest

from redemption.models import BatchStatus, CardEvent, CardEventKind, CodeStatus, Transfer, User
from tests import factories
from tests.support.till.tills import told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch()


def test_a_sold_card_is_active_and_its_value_is_owed(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    answered = till.post("/activate", {"serial": card.serial})
    assert answered.status_code == 200
    assert answered.json() == {
        "serial": card.serial,
        "status": "active",
        "changed": True,
        "at": answered.json()["at"],
    }
    assert card.row.status == CodeStatus.ACTIVE
    assert [(one.amount, one.code_id) for one in Transfer.objects.all()] == [(batch.value, card.serial)]
    event = CardEvent.objects.get(kind=CardEventKind.ACTIVATED)
    assert (event.by, event.details) == (User.objects.system(), {"api_key": till.key.pk})


def test_a_card_is_sold_once(till, batch):
    card = factories.card(batch)
    answered = till.post("/activate", {"serial": card.serial})
    assert told(answered) == (409, "already_active")
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize("status", [CodeStatus.REDEEMED, CodeStatus.FROZEN, CodeStatus.VOID, CodeStatus.REPLACED])
def test_what_is_no_longer_for_sale_is_refused_in_a_sentence(till, batch, status):
    card = factories.card(batch, status=status)
    answered = till.post("/activate", {"serial": card.serial})
    assert told(answered) == (409, "refused")
    assert answered.json()["message"] == f"This card is {status.label.lower()}: it cannot be sold."
    assert card.row.status == status


def test_cards_of_a_frozen_batch_are_not_sold(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    batch.status = BatchStatus.FROZEN
    batch.save()
    answered = till.post("/activate", {"serial": card.serial})
    assert told(answered) == (409, "refused")
    assert card.row.status == CodeStatus.INACTIVE


def test_a_strangers_card_is_answered_like_one_that_is_not_there_and_stays_as_it_is(till, batch):
    foreign = factories.card(status=CodeStatus.INACTIVE)
    answers = [till.post("/activate", {"serial": serial}) for serial in (foreign.serial, batch.serials.upper + 10**8)]
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert told(answers[0]) == (404, "unknown_card")
    assert foreign.row.status == CodeStatus.INACTIVE
    assert not CardEvent.objects.exists()


def test_a_serial_number_of_ones_own_batch_that_no_card_has_is_unknown(till, batch):
    assert told(till.post("/activate", {"serial": batch.serials.upper - 1})) == (404, "unknown_card")
