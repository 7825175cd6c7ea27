"""How a card stands, for its retailer alone."""

from datetime import date

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import CodeStatus
from tests import factories
from tests.support.till.tills import Till, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(expires_on=date(2030, 5, 31))


def test_a_card_says_how_it_stands_and_nothing_of_customers(till, batch):
    card = factories.card(batch)
    answered = till.get(f"/cards/{card.serial}")
    assert answered.status_code == 200
    assert answered.json() == {
        "serial": card.serial,
        "status": "active",
        "activated_at": card.row.activated_at.isoformat().replace("+00:00", "Z"),
        "expires_on": "2030-05-31",
        "reports": [],
    }


@pytest.mark.parametrize("status", CodeStatus)
def test_every_status_has_its_word(till, batch, status):
    card = factories.card(batch, status=status)
    assert till.get(f"/cards/{card.serial}").json()["status"] == status.name.lower()


def test_a_card_names_the_reports_that_it_stands_on_and_no_strangers(till, batch):
    card, neighbour = factories.cards(2, batch)
    first, second = factories.report(card), factories.report(card, neighbour)
    # A stranger has listed it too, and was told that it is unknown.
    foreign = factories.card()
    Till(foreign.batch.retailer).post("/reports", {"kind": "stolen", "serials": [card.serial, foreign.serial]})
    assert till.get(f"/cards/{card.serial}").json()["reports"] == [second.reference, first.reference]
    assert till.get(f"/cards/{neighbour.serial}").json()["reports"] == [second.reference]
    assert till.get(f"/cards/{card.serial}").json()["status"] == "frozen"


def test_a_strangers_card_is_answered_like_one_that_is_not_there(till, batch):
    foreign = factories.card()
    factories.report(foreign)
    till.post("/reports", {"kind": "stolen", "serials": [foreign.serial]})
    answers = [till.get(f"/cards/{serial}") for serial in (foreign.serial, batch.serials.upper - 1, 2_000_000_000)]
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert {tuple(sorted(one.headers.items())) for one in answers} == {tuple(sorted(answers[0].headers.items()))}
    assert told(answers[0]) == (404, "unknown_card")


def test_however_many_reports_there_are_it_asks_as_often(till, batch):
    card = factories.card(batch)
    counts = []
    with time_machine.travel(timezone.now(), tick=False):
        till.get(f"/cards/{card.serial}")
        for _ in range(2):
            factories.report(card)
            # A new client, because each has its own memory of how codes look.
            with CaptureQueriesContext(connection) as queries:
                Till(token=till.token).get(f"/cards/{card.serial}")
            counts.append(len(queries))
    assert counts[0] == counts[1]
