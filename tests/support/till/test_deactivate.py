"""A sale taken back at the till, soon after it."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from redemption.models import CardEvent, CardEventKind, CodeStatus, Transfer, TransferKind, User
from tests import factories
from tests.support.till.tills import told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(factories.product(factories.program(deactivation_minutes=30)))


def test_a_sale_is_taken_back_and_the_card_is_sold_again(till, batch):
    card = factories.card(batch)
    answered = till.post("/deactivate", {"serial": card.serial})
    assert answered.status_code == 200
    assert (answered.json()["status"], answered.json()["changed"]) == ("inactive", True)
    assert (card.row.status, card.row.activated_at) == (CodeStatus.INACTIVE, None)
    event = CardEvent.objects.get(kind=CardEventKind.DEACTIVATED)
    assert (event.by, event.details["api_key"]) == (User.objects.system(), till.key.pk)
    assert till.post("/activate", {"serial": card.serial}).status_code == 200
    kinds = list(Transfer.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == [TransferKind.ACTIVATE, TransferKind.REVERSAL, TransferKind.ACTIVATE]


def test_an_inactive_card_stays_so(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    answered = till.post("/deactivate", {"serial": card.serial})
    assert (answered.status_code, answered.json()["changed"]) == (200, False)
    assert not CardEvent.objects.exists()


def test_an_old_sale_is_refused_in_a_sentence(till, batch):
    card = factories.card(batch)
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=False):
        answered = till.post("/deactivate", {"serial": card.serial})
    assert told(answered) == (409, "refused")
    assert answered.json()["message"].startswith("A sale is taken back within 30 minutes")
    assert card.row.status == CodeStatus.ACTIVE


@pytest.mark.parametrize("status", [CodeStatus.REDEEMED, CodeStatus.FROZEN, CodeStatus.VOID])
def test_what_is_no_longer_active_is_refused(till, batch, status):
    card = factories.card(batch, status=status)
    assert told(till.post("/deactivate", {"serial": card.serial})) == (409, "refused")
    assert card.row.status == status


def test_a_strangers_card_is_answered_like_one_that_is_not_there_and_stays_as_it_is(till, batch):
    foreign = factories.card(factories.batch(batch.product))
    unknown = batch.serials.upper - 1
    answers = [till.post("/deactivate", {"serial": serial}) for serial in (foreign.serial, unknown, 2_000_000_000)]
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert told(answers[0]) == (404, "unknown_card")
    assert foreign.row.status == CodeStatus.ACTIVE
