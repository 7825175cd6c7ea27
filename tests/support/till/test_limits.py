"""How often a key may ask, and how often one may try without."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.utils import timezone

from redemption.models import Throttle, ThrottleScope
from tests.support.till.tills import Till, told

pytestmark = pytest.mark.django_db
NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)


def statuses(till, count):
    return [till.get("/cards/1000000000").status_code for _ in range(count)]


def test_a_key_asks_so_often_in_a_minute_and_is_told_how_long_to_wait(settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    till, other = Till(), Till()
    with time_machine.travel(NOON, tick=False):
        assert statuses(till, 4) == [404, 404, 404, 429]
        answered = till.get("/cards/1000000000")
        assert told(answered) == (429, "too_many_requests")
        assert answered.headers["Retry-After"] == "60"
        assert statuses(other, 1) == [404]
    with time_machine.travel(NOON + timedelta(seconds=59), tick=False):
        assert till.get("/cards/1000000000").headers["Retry-After"] == "1"
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        assert statuses(till, 1) == [404]


def test_the_minute_slides(settings):
    settings.API_REQUESTS_PER_MINUTE = 3
    till = Till()
    for seconds, expected in ((0, 404), (50, 404), (61, 404), (62, 404), (63, 429)):
        with time_machine.travel(NOON + timedelta(seconds=seconds), tick=False):
            assert statuses(till, 1) == [expected], seconds


def test_no_limit_is_no_limit(settings):
    settings.API_REQUESTS_PER_MINUTE = 0
    assert statuses(Till(), 20) == [404] * 20
    assert not Throttle.objects.exists()


def test_failures_are_counted_by_address_and_stop_no_valid_key(settings):
    settings.API_FAILURES_PER_MINUTE = 2
    till, none = Till(), Till(token="rd_none")
    with time_machine.travel(NOON, tick=False):
        assert statuses(none, 3) == [401, 401, 429]
        assert none.get("/cards/1000000000").headers["Retry-After"] == "60"
        assert statuses(till, 1) == [404]
        elsewhere = none.client.get("/api/till/v1/cards/1000000000", REMOTE_ADDR="192.0.2.7")
        assert elsewhere.status_code == 401
    kept = Throttle.objects.filter(scope=ThrottleScope.ADDRESS)
    assert kept.count() == 2
    assert not [one for one in kept if "127.0.0.1" in one.key or "192.0.2.7" in one.key]


@pytest.mark.django_db(transaction=True)
def test_a_crowd_gets_exactly_what_the_limit_allows(settings):
    settings.API_REQUESTS_PER_MINUTE = 5
    till, seen = Till(), []
    barrier = threading.Barrier(4)

    def ask():
        barrier.wait()
        try:
            seen.extend(statuses(till, 4))
        finally:
            connections.close_all()

    with time_machine.travel(NOON, tick=False):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == [404] * 5 + [429] * 11
