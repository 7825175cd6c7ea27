"""A request that comes twice has one effect and one answer."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.utils import timezone

from redemption.jobs import clean_up
from redemption.models import ApiRequest, CardEvent, CodeStatus, MemberRole, Transfer
from support.actions.keys import rotate_key
from support.models import CompromiseReport
from tests import factories
from tests.support.till.tills import Till, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(factories.product(factories.program(deactivation_minutes=30)))


def sent(batch):
    """A wish for each post, its path and its body."""
    fresh, sold, listed = (
        factories.card(batch, status=status) for status in (CodeStatus.INACTIVE, CodeStatus.ACTIVE, CodeStatus.ACTIVE)
    )
    return {
        "/activate": {"serial": fresh.serial},
        "/deactivate": {"serial": sold.serial},
        "/reports": {"kind": "stolen", "serials": [listed.serial], "note": "Ü"},
    }


@pytest.mark.parametrize("path", ["/activate", "/deactivate", "/reports"])
def test_sent_again_the_first_answer_comes_again_to_the_byte(till, batch, path):
    content = sent(batch)[path]
    first, events = till.post(path, content, name="one"), CardEvent.objects.count()
    assert first.status_code in {200, 201}
    assert "Idempotent-Replayed" not in first.headers
    # The same content, written in another way.
    backwards = dict(reversed(content.items()))
    for again in (till.post(path, content, name="one"), till.post(path, backwards, name="one")):
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert CardEvent.objects.count() == events
    assert CompromiseReport.objects.count() == (path == "/reports")


def test_the_first_answer_comes_also_when_the_world_has_moved_on(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    first = till.post("/activate", {"serial": card.serial}, name="one")
    assert till.post("/deactivate", {"serial": card.serial}, name="two").status_code == 200
    again = till.post("/activate", {"serial": card.serial}, name="one")
    assert (again.status_code, again.content) == (200, first.content)
    assert card.row.status == CodeStatus.INACTIVE


def test_a_refusal_comes_again_as_well_and_its_key_does_nothing_later(till, batch):
    card = factories.card(batch)
    first = till.post("/activate", {"serial": card.serial}, name="one")
    assert told(first) == (409, "already_active")
    till.post("/deactivate", {"serial": card.serial})
    again = till.post("/activate", {"serial": card.serial}, name="one")
    assert (again.status_code, again.content, again.headers["Idempotent-Replayed"]) == (409, first.content, "true")
    unknown = till.post("/activate", {"serial": 2_000_000_000}, name="two")
    assert till.post("/activate", {"serial": 2_000_000_000}, name="two").content == unknown.content
    assert card.row.status == CodeStatus.INACTIVE


def test_the_same_key_for_something_else_is_refused(till, batch):
    one, other = factories.cards(2, batch, status=CodeStatus.INACTIVE)
    assert till.post("/activate", {"serial": one.serial}, name="one").status_code == 200
    for path, content in (("/activate", {"serial": other.serial}), ("/deactivate", {"serial": one.serial})):
        assert told(till.post(path, content, name="one")) == (422, "idempotency_key_reused")
    assert (one.row.status, other.row.status) == (CodeStatus.ACTIVE, CodeStatus.INACTIVE)


def test_keys_are_each_retailers_own(till, batch):
    card, foreign = factories.card(batch, status=CodeStatus.INACTIVE), factories.card(status=CodeStatus.INACTIVE)
    assert till.post("/activate", {"serial": card.serial}, name="one").status_code == 200
    stranger = Till(foreign.batch.retailer)
    assert stranger.post("/activate", {"serial": foreign.serial}, name="one").status_code == 200
    assert told(stranger.post("/activate", {"serial": card.serial}, name="two")) == (404, "unknown_card")


def test_a_rotated_keys_request_is_repeated_with_the_next_one(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    first = till.post("/activate", {"serial": card.serial}, name="one")
    new = rotate_key(till.key, by=factories.member(batch.retailer, MemberRole.MANAGER))
    again = Till(token=new.token.text).post("/activate", {"serial": card.serial}, name="one")
    assert (again.status_code, again.content) == (200, first.content)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_malformed"),
        ("x" * 101, "idempotency_key_malformed"),
        ("a b", "idempotency_key_malformed"),
        ("a\tb", "idempotency_key_malformed"),
        ("é", "idempotency_key_malformed"),
        ("\x7f", "idempotency_key_malformed"),
    ],
)
def test_a_key_is_needed_and_has_its_form(till, batch, name, code):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    answered = till.post("/activate", {"serial": card.serial}, HTTP_IDEMPOTENCY_KEY=name)
    assert told(answered) == (400, code)
    assert card.row.status == CodeStatus.INACTIVE


@pytest.mark.parametrize("name", ["!", "~" * 100, "550e8400-e29b-41d4-a716-446655440000"])
def test_any_visible_characters_make_a_key(till, batch, name):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    assert till.post("/activate", {"serial": card.serial}, name=name).status_code == 200
    # Whatever it is, it is not kept as it came.
    assert name not in ApiRequest.objects.get().key


def test_what_was_not_understood_or_not_allowed_is_not_kept(till, batch, settings):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    content = {"serial": card.serial}
    assert till.post("/activate", body=b"{", name="one").status_code == 400
    assert till.post("/activate", {"serial": 5}, name="one").status_code == 422
    assert Till(token="none").post("/activate", content, name="one").status_code == 401
    assert Till(batch.retailer, ["status"]).post("/activate", content, name="one").status_code == 403
    busy = Till(batch.retailer)
    settings.API_REQUESTS_PER_MINUTE = 1
    busy.get("/cards/1000000000")
    assert busy.post("/activate", content, name="one").status_code == 429
    assert not ApiRequest.objects.exists()
    settings.API_REQUESTS_PER_MINUTE = 0
    assert till.post("/activate", content, name="one").status_code == 200


def test_answers_are_kept_for_a_month(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    till.post("/activate", {"serial": card.serial}, name="one")
    now = timezone.now()
    for days, left in ((29, 1), (31, 0)):
        with time_machine.travel(now + timedelta(days=days), tick=False):
            clean_up(0)
        assert ApiRequest.objects.count() == left


# --- With real connections


def at_once(*calls):
    """What each call returned, all begun together."""
    barrier, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number, call):
        barrier.wait()
        try:
            answers[number] = call()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
def test_of_the_same_request_many_times_at_once_one_runs_and_the_others_get_its_answer(till, batch):
    card = factories.card(batch)
    content = {"kind": "stolen", "serials": [card.serial]}
    answers = at_once(*[lambda: till.post("/reports", content, name="one")] * 6)
    assert {(one.status_code, one.content) for one in answers} == {(201, answers[0].content)}
    assert sorted("Idempotent-Replayed" in one.headers for one in answers) == [False] + [True] * 5
    assert CompromiseReport.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_tills_that_sell_a_card_at_once_one_does(till, batch):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    answers = at_once(*[lambda: till.post("/activate", {"serial": card.serial})] * 4)
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    assert Transfer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sold_and_taken_back_at_once_a_card_ends_one_way_and_the_books_agree(till, batch):
    card = factories.card(batch)
    serial = {"serial": card.serial}
    answers = at_once(
        lambda: till.post("/deactivate", serial),
        lambda: till.post("/activate", serial),
        lambda: till.post("/reports", {"kind": "stolen", "serials": [card.serial]}),
    )
    assert {one.status_code for one in answers} <= {200, 201, 409}
    assert card.row.status == CodeStatus.FROZEN
    sales = Transfer.objects.filter(kind="activate").count() - Transfer.objects.filter(kind="reversal").count()
    assert sales == (card.row.activated_at is not None)
