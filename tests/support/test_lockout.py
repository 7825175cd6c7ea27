"""Whoever guesses is turned away, in the database's count; whoever is right is not counted."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from redemption.models import Throttle, ThrottleScope, User
from redemption.roles import Role
from support import lockout
from support.lockout import Guess, LockedOutError
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.factories import PASSWORD
from tests.mails import delivered
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db
LIMIT = 3
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.SIGN_IN_FAILURES_PER_PERSON = LIMIT
    settings.SIGN_IN_FAILURES_PER_NETWORK = 2 * LIMIT
    settings.SIGN_IN_WINDOW_MINUTES = 15


def sign_in(login, password, address="192.0.2.7", client=None):
    client = client or Client()
    return client, client.post("/accounts/login/", {"login": login, "password": password}, REMOTE_ADDR=address)


def said(response):
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", response.content.decode())


def is_locked(login, password=PASSWORD, address="192.0.2.7"):
    client, response = sign_in(login, password, address)
    return "_auth_user_id" not in client.session and "was not looked at" in response.content.decode()


def locks():
    found = AuditEvent.objects.filter(action=AuditAction.SIGN_IN_LOCKED).order_by("pk")
    return list(found.values_list("actor_id", "details"))


def test_after_so_many_failures_even_the_right_password_is_not_looked_at_and_the_lock_is_told_once():
    person = factories.user(Role.AGENT)
    for _ in range(LIMIT):
        sign_in(person.email, "wrong")
    assert is_locked(person.email.upper())
    assert is_locked(person.email, address="198.51.100.1")
    assert locks() == [(person.pk, {"of": "password"})]


def test_known_and_unknown_addresses_are_answered_alike_from_the_first_try_to_the_lock():
    person = factories.user(Role.AGENT)
    answers = {}
    for login, address in ((person.email, "192.0.2.7"), ("nobody@example.com", "192.0.2.8")):
        tries = [sign_in(login, "wrong", address)[1] for _ in range(LIMIT + 1)]
        answers[login] = [(answer.status_code, said(answer).replace(login, "-")) for answer in tries]
    assert answers[person.email] == answers["nobody@example.com"]
    assert answers[person.email][-1] != answers[person.email][0]
    assert locks() == [(person.pk, {"of": "password"}), (User.objects.system().pk, {"of": "password"})]


def test_one_network_that_tries_many_people_is_locked_out_and_others_are_not():
    for number in range(2 * LIMIT):
        sign_in(f"nobody-{number}@example.com", "wrong", "2001:db8::1")
    person = factories.user()
    assert is_locked(person.email, address="2001:db8::ffff")
    client, _ = sign_in(person.email, PASSWORD, "2001:db8:0:1::1")
    assert "_auth_user_id" in client.session


def test_right_passwords_are_not_counted():
    person = factories.user()
    for _ in range(3 * LIMIT):
        client, _ = sign_in(person.email, PASSWORD)
        assert "_auth_user_id" in client.session
    counters = Throttle.objects.filter(scope=ThrottleScope.SIGN_IN)
    assert [list(row.recent) for row in counters] == [[], []]


def test_a_right_password_between_does_not_forgive_wrong_ones():
    person = factories.user()
    for _ in range(LIMIT - 1):
        sign_in(person.email, "wrong")
    sign_in(person.email, PASSWORD)
    sign_in(person.email, "wrong")
    assert is_locked(person.email)


def test_a_password_set_by_mail_ends_the_lock():
    person = factories.user()
    for _ in range(LIMIT):
        sign_in(person.email, "wrong")
    visitor = Client()
    visitor.post("/accounts/password/reset/", {"email": person.email})
    link = next(word for word in delivered()[-1].body.split() if "/password/reset/key/" in word)
    page = visitor.get(link.replace("http://testserver", ""), follow=True)
    new = "another horse, another battery"
    visitor.post(page.request["PATH_INFO"], {"password1": new, "password2": new})
    client, _ = sign_in(person.email, new)
    assert "_auth_user_id" in client.session


def test_time_ends_the_lock_and_not_a_moment_before():
    for _ in range(LIMIT):
        lockout.begin(Guess.PASSWORD, "a@example.com", "", now=NOW)
    for later in (timedelta(), timedelta(minutes=15) - timedelta(seconds=1)):
        with pytest.raises(LockedOutError):
            lockout.begin(Guess.PASSWORD, "a@example.com", "", now=NOW + later)
    lockout.begin(Guess.PASSWORD, "a@example.com", "", now=NOW + timedelta(minutes=15))


def test_what_was_typed_is_kept_nowhere():
    sign_in("my-password@example.com", "wrong")
    kept = repr(list(Throttle.objects.values()))
    assert "my-password" not in kept
    assert "192.0.2.7" not in kept


def test_guesses_at_the_second_factor_are_counted_and_no_other_session_has_more():
    person = factories.user(Role.AGENT)
    TOTP.activate(person, generate_totp_secret())
    for _ in range(LIMIT):
        client, _ = sign_in(person.email, PASSWORD)
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    client, _ = sign_in(person.email, PASSWORD)
    assert "was not looked at" in client.post(reverse("mfa_authenticate"), {"code": "000000"}).content.decode()
    assert locks() == [(person.pk, {"of": "factor"})]


def test_a_second_factor_is_used_once_whichever_process_is_asked():
    person, other = factories.user(), factories.user()
    uses = [(person, "123456", 0), (person, "123456", 119), (other, "123456", 0), (person, "123457", 0)]
    now = timezone.now()
    first = [lockout.is_first_use(who, code, now=now + timedelta(seconds=later)) for who, code, later in uses]
    assert first == [True, False, True, True]


def test_guesses_at_mailed_codes_are_counted_over_all_codes_and_sessions():
    person = factories.user()
    for _ in range(LIMIT):
        client = Client()
        client.post("/accounts/login/code/", {"email": person.email})
        client.post("/accounts/login/code/confirm/", {"code": "BCDF-BCDF"})
    client = Client()
    client.post("/accounts/login/code/", {"email": person.email})
    right = re.search(r"^[A-Z]{4}-[A-Z]{4}$", delivered()[-1].body, re.M)[0]
    client.post("/accounts/login/code/confirm/", {"code": right})
    assert "_auth_user_id" not in client.session
    assert locks() == [(person.pk, {"of": "code"})]


def test_the_old_password_cannot_be_guessed_in_a_stolen_session():
    client, person = at_the_desk(Role.CUSTOMER)
    new = "another horse, another battery"
    for old in ["wrong"] * LIMIT + [PASSWORD]:
        client.post("/accounts/password/change/", {"oldpassword": old, "password1": new, "password2": new})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_an_address_gets_so_many_mails_and_the_answer_stays_the_same(settings):
    settings.SIGN_IN_MAILS_PER_PERSON = 2
    person = factories.user()
    answers = []
    for _ in range(4):
        client = Client()
        client.post("/accounts/login/code/", {"email": person.email})
        answers.append(said(client.get("/accounts/login/code/confirm/")))
    assert len(delivered()) == 2
    assert set(answers) == {answers[0]}


@pytest.mark.django_db(transaction=True)
def test_of_a_crowd_that_guesses_at_once_exactly_so_many_are_looked_at():
    def guess(number):
        try:
            lockout.begin(Guess.PASSWORD, "a@example.com", f"192.0.2.{number}")
        except LockedOutError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(60))) == LIMIT


@given(st.lists(st.booleans(), max_size=12))
def test_only_wrong_tries_fill_the_counter(tries):
    """As a model: so many wrong ones are admitted, and as many right ones as one likes before them."""
    Throttle.objects.all().delete()
    wrong = 0
    for number, is_right in enumerate(tries):
        at = NOW + timedelta(seconds=number)
        if wrong == LIMIT:
            with pytest.raises(LockedOutError):
                lockout.begin(Guess.FACTOR, "user:1", "192.0.2.1", now=at)
            continue
        tried = lockout.begin(Guess.FACTOR, "user:1", "192.0.2.1", now=at)
        assert tried.locks == (wrong == LIMIT - 1)
        if is_right:
            tried.give_back()
        else:
            wrong += 1
