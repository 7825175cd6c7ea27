"""The breaker: by itself on a clock of its own, and around redeeming."""

from collections import deque
from datetime import timedelta

import psycopg
import pytest
from django.db import DataError, InterfaceError, OperationalError, connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from redemption import breaker
from redemption.breaker import Breaker, is_away
from redemption.models import Attempt, Channel, IdempotencyKey, Outage, OutageCause, Throttle
from redemption.redeem import redeem
from redemption.references import NOBODY, Untried, read_signed
from redemption.refusals import Answer
from tests import factories
from tests.redemption.api import platforms


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def one(clock, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_WINDOW_SECONDS, settings.BREAKER_PAUSE_SECONDS = 3, 60, 5
    return Breaker(clock)


def fail(one, times=3):
    for _ in range(times):
        one.failed()


# --- By itself


def test_it_opens_with_so_many_failures_and_lets_one_find_out_after_each_pause(one, clock):
    fail(one, 2)
    assert one.admits()
    fail(one, 1)
    assert (one.is_open, one.admits()) == (True, False)
    clock.now += 5
    assert [one.admits(), one.admits(), one.admits()] == [True, False, False]
    one.failed()
    assert not one.admits()
    clock.now += 5
    assert one.admits()
    one.worked()
    assert [one.is_open, one.admits(), one.admits()] == [False, True, True]


def test_failures_long_apart_are_none(one, clock):
    for _ in range(10):
        one.failed()
        clock.now += 31
    assert not one.is_open


def test_what_works_makes_up_for_what_failed(one):
    for _ in range(10):
        one.failed()
        one.worked()
    assert not one.is_open
    fail(one, 3)
    assert one.is_open


def test_one_who_was_let_through_and_never_told_keeps_nobody_out_for_good(one, clock):
    fail(one)
    clock.now += 5
    assert one.admits()
    clock.now += 4
    assert not one.admits()
    clock.now += 1
    assert one.admits()


def test_a_request_is_let_in_once_in_a_pause_and_may_still_find_out(one, clock):
    assert [one.lets_in(), one.lets_in()] == [True, True]
    fail(one)
    assert not one.lets_in()
    clock.now += 5
    assert [one.lets_in(), one.lets_in()] == [True, False]
    assert [one.admits(), one.admits()] == [True, False]
    one.worked()
    assert [one.lets_in(), one.lets_in()] == [True, True]


def test_when_one_was_shown_the_form_all_are_and_redeeming_still_waits(one, clock):
    fail(one)
    clock.now += 5
    assert one.lets_in()
    one.reached()
    assert [one.lets_in(), one.lets_in(), one.is_open] == [True, True, True]
    assert [one.admits(), one.admits()] == [True, False]
    one.failed()
    assert not one.lets_in()


def test_without_a_number_of_failures_it_never_opens(one, settings):
    settings.BREAKER_FAILURES = 0
    fail(one, 100)
    assert not one.is_open


@given(st.lists(st.sampled_from(["failed", "worked", "admits", "lets_in", "reached", "wait"]), max_size=60))
def test_whatever_happens_it_is_never_open_for_good_and_open_admits_one_in_a_pause(deeds):
    clock = Clock()
    one = Breaker(clock)
    admitted_at = None
    for deed in deeds:
        if deed == "wait":
            clock.now += 1500
        elif deed == "admits" and one.is_open:
            if one.admits():
                assert admitted_at is None or clock.now - admitted_at >= 3600
                admitted_at = clock.now
        else:
            getattr(one, deed)()
            if not one.is_open:
                admitted_at = None
    clock.now += 3600
    assert one.admits()
    one.worked()
    assert (one.is_open, one.admits(), one.lets_in()) == (False, True, True)


def raised(kind, cause):
    error = kind()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (raised(OperationalError, psycopg.OperationalError("the connection is lost")), True),
        (raised(OperationalError, psycopg.errors.AdminShutdown()), True),
        (raised(OperationalError, psycopg.errors.DiskFull()), True),
        (raised(OperationalError, psycopg.errors.QueryCanceled()), True),
        (InterfaceError(), True),
        # Lost races, and what was asked.
        (raised(OperationalError, psycopg.errors.SerializationFailure()), False),
        (raised(OperationalError, psycopg.errors.DeadlockDetected()), False),
        (raised(DataError, psycopg.errors.InvalidTextRepresentation()), False),
        (OperationalError(), False),
        (ValueError(), False),
        (None, False),
    ],
)
def test_only_a_database_that_cannot_counts(error, away):
    assert is_away(error) is away


# --- Around redeeming


def away(execute, sql, params, many, context):
    """As when a server goes away: no error has a number."""
    asked.append(sql)
    raise OperationalError from psycopg.OperationalError("the connection is lost")


def full(execute, sql, params, many, context):
    """Its disks are full: it reads, and writes nothing but an outage's row."""
    if sql.lstrip().startswith(("WITH", "UPDATE", "DELETE")):
        raise OperationalError from psycopg.errors.DiskFull()
    return execute(sql, params, many, context)


asked: list[str] = []


@pytest.fixture(autouse=True)
def _small(settings):
    asked.clear()
    settings.BREAKER_FAILURES, settings.BREAKER_PAUSE_SECONDS = 3, 3600


@pytest.fixture
def world():
    card = factories.card()
    return factories.account(card.batch.product.program), card


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (Throttle, IdempotencyKey, Attempt)]


@pytest.mark.django_db
def test_redeeming_is_answered_at_once_while_the_database_is_away_and_uses_nothing_up(world):
    account, card = world
    redeem(account=account, text=factories.card().text, channel=Channel.WEB)
    before = everything()
    with connection.execute_wrapper(away):
        for _ in range(3):
            assert redeem(account=account, text=card.text, channel=Channel.WEB).answer == Answer.UNAVAILABLE
        number = len(asked)
        result = redeem(account=account, text=card.text, channel=Channel.WEB)
    assert (result.answer, result.attempt_id, result.reference[:3]) == (Answer.UNAVAILABLE, None, "NO-")
    assert len(asked) == number
    assert everything() == before


@pytest.mark.django_db
def test_the_first_try_that_works_closes_it_and_the_outage_is_written_down(world, settings):
    account, card = world
    with connection.execute_wrapper(away):
        for _ in range(4):
            redeem(account=account, text=card.text, channel=Channel.WEB)
    assert Outage.objects.count() == 0
    settings.BREAKER_PAUSE_SECONDS = 0
    breaker.redeeming.failed()
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    assert not breaker.redeeming.is_open
    outage = Outage.objects.get()
    assert (outage.program, outage.cause, outage.ended_at) == (account.program, OutageCause.BREAKER, None)
    assert outage.started_at <= outage.last_seen_at


@pytest.mark.django_db
def test_a_server_that_answers_is_told_of_its_outage_at_once(world):
    account, card = world
    with connection.execute_wrapper(full):
        for _ in range(3):
            assert redeem(account=account, text=card.text, channel=Channel.WEB).answer == Answer.UNAVAILABLE
    assert Outage.objects.get().program == account.program
    assert card.row.status == 1


@pytest.mark.django_db
def test_a_try_that_was_counted_before_the_database_went_is_taken_back_when_it_works(world):
    account, card = world
    with connection.execute_wrapper(counts_and_is_gone):
        assert redeem(account=account, text=card.text, channel=Channel.WEB, key="k").answer == Answer.UNAVAILABLE
    assert len(Throttle.objects.get(scope="account").recent) == 1
    breaker.redeeming.worked()
    assert (Throttle.objects.get(scope="account").recent, IdempotencyKey.objects.count()) == ([], 0)
    breaker.redeeming.worked()
    assert redeem(account=account, text=card.text, channel=Channel.WEB, key="k").is_redeemed


@pytest.mark.django_db
def test_one_that_a_rerun_has_taken_over_stays_counted(world):
    account, _ = world
    wrong, now = factories.card().text, timezone.now()
    with connection.execute_wrapper(counts_and_is_gone):
        redeem(account=account, text=wrong, channel=Channel.WEB, key="k", now=now)
    later = now + timedelta(minutes=2)
    owed, breaker.redeeming._owed = breaker.redeeming._owed, deque()
    assert redeem(account=account, text=wrong, channel=Channel.WEB, key="k", now=later).reason
    breaker.redeeming._owed = owed
    breaker.redeeming.worked()
    assert Throttle.objects.get(scope="account").recent == [now]
    assert IdempotencyKey.objects.count() == 1


def counts_and_is_gone(execute, sql, params, many, context):
    """The server goes away after the statement that counts a try; which formats there are, a process mostly knows."""
    if sql.startswith("WITH lease") or "redemption_codeformat" in sql:
        return execute(sql, params, many, context)
    raise OperationalError from psycopg.OperationalError("the connection is lost")


@pytest.mark.django_db
def test_refusals_and_the_switch_open_nothing(world):
    account, card = world
    account.program.is_paused = True
    account.program.save()
    for _ in range(10):
        redeem(account=account, text=card.text, channel=Channel.WEB)
    account.program.is_paused = False
    account.program.save()
    for _ in range(10):
        redeem(account=account, text=factories.card().text, channel=Channel.WEB)
    assert not breaker.redeeming.is_open


# --- Around the pages


@pytest.mark.django_db(transaction=True)
def test_a_customer_who_cannot_even_be_signed_in_gets_a_sentence_and_from_then_on_at_once(world):
    account, card = world
    client = Client(raise_request_exception=False)
    client.force_login(factories.user(), backend="django.contrib.auth.backends.ModelBackend")
    with connection.execute_wrapper(away):
        pages = [client.get("/redeem/") for _ in range(3)]
        number = len(asked)
        pages += [client.get("/redeem/"), client.post("/redeem/", {"code": card.text})]
        elsewhere = client.get("/account/")
    assert {(page.status_code, page.headers["Retry-After"]) for page in pages} == {(503, "30")}
    assert {b"nothing was used up" in page.content for page in pages} == {True}
    assert {b"/status/" in page.content for page in pages} == {True}
    assert {b"?answer=NO-" in page.content for page in pages} == {True}
    assert number > 0
    assert len(asked) - number <= 1
    assert (elsewhere.status_code, b"Back in a moment" in elsewhere.content) == (503, True)
    breaker.redeeming.worked()
    # Whose tries they were nobody could find out: it was so at every program.
    assert Outage.objects.get().program == account.program
    assert client.get("/redeem/").status_code == 200


@pytest.mark.django_db
def test_platforms_are_told_at_once_in_their_own_shape():
    for _ in range(3):
        breaker.redeeming.failed()
    response = Client().post("/api/v1/redeem", {}, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["Retry-After"] == "30"
    signed = read_signed(response.json()["reference"])
    assert signed
    assert (signed.kind, signed.account_id) == (Untried.UNAVAILABLE, NOBODY)
    # What is no redeeming is asked for, and not refused at the door.
    assert Client().get("/api/v1/openapi.json").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_platforms_whose_key_cannot_be_looked_up_open_it_too():
    _, token = platforms.key(scopes=["validate"])
    body = {"account": "AC-1", "code": "x"}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    with connection.execute_wrapper(away):
        responses = [
            Client().post("/api/v1/validate", body, content_type="application/json", headers=headers) for _ in range(3)
        ]
    assert {(response.status_code, response.json()["code"]) for response in responses} == {(503, "unavailable")}
    assert breaker.redeeming.is_open


@pytest.mark.django_db
def test_what_nobody_expected_is_still_an_error_of_ours(monkeypatch):
    client = Client(raise_request_exception=False)
    with connection.execute_wrapper(breaks):
        response = client.post("/accounts/login/", {"login": "a@example.com", "password": "x"})
    assert (response.status_code, b"Back in a moment" in response.content) == (500, False)


def breaks(execute, sql, params, many, context):
    raise ZeroDivisionError
