"""Mails of signing in leave in the background: no answer waits for them, or tells whether there is one."""

import re

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core import mail
from django.test import Client

from redemption.models import SealedMail
from redemption.roles import Role
from support.sign_in import AccountAdapter
from tests import factories, leak_search
from tests.factories import PASSWORD
from tests.mails import delivered, waiting
from tests.redemption.test_sealed_mail import away  # noqa: F401
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db
ASK, FORGOTTEN, SIGN_UP = "/accounts/login/code/", "/accounts/password/reset/", "/accounts/signup/"
KNOWN, UNKNOWN = "known@example.com", "nobody@example.com"


@pytest.fixture
def known():
    return factories.user(Role.CUSTOMER, email=KNOWN)


def asks(address, email):
    """For a mail, in a browser of its own."""
    return Client().post(address, {"email": email, "password1": "", "password2": ""})


@pytest.mark.parametrize("address", [ASK, FORGOTTEN, SIGN_UP])
def test_as_much_is_written_whether_an_address_is_known_or_not(known, address):
    answers, kept = [], []
    for email in (KNOWN, UNKNOWN):
        before = set(SealedMail.objects.values_list("pk", flat=True))
        answer = asks(address, email)
        answers.append((answer.status_code, answer.url))
        new = SealedMail.objects.exclude(pk__in=before)
        kept.append((new.count(), len(waiting()) - len(before)))
    assert answers[0] == answers[1]
    assert kept == [(1, 1)] * 2
    assert mail.outbox == []
    got = [KNOWN, UNKNOWN] if address == SIGN_UP else [KNOWN]
    assert [message.to for message in delivered()] == [[email] for email in got]
    assert not SealedMail.objects.exists()


def test_a_code_and_its_address_rest_nowhere_in_the_clear(known):
    asks(ASK, KNOWN)
    content = dict(leak_search.tables())
    (message,) = delivered()
    (code,) = re.findall(r"^[A-Z]{4}-[A-Z]{4}$", message.body, re.M)
    assert [place for place, text in content.items() if code.encode() in text] == []
    found = {place for place, text in content.items() if KNOWN.encode() in text}
    assert not [place for place in found if "sealedmail" in place or "procrastinate" in place]


@pytest.mark.parametrize("address", [ASK, FORGOTTEN, SIGN_UP])
def test_a_mail_server_that_is_away_changes_no_answer(known, away, address):  # noqa: F811
    answer = asks(address, KNOWN)
    assert answer.status_code == 302
    assert delivered() == []
    assert SealedMail.objects.count() == 1


def test_codes_are_tried_for_as_long_as_they_work_and_the_others_for_a_day(known, settings):
    lasts = {}
    for address in (ASK, FORGOTTEN):
        asks(address, KNOWN)
        lasts[address] = SealedMail.objects.get().expires_at
        delivered()
    minutes = (lasts[FORGOTTEN] - lasts[ASK]).total_seconds() / 60
    assert 24 * 60 - 15 <= minutes < 24 * 60 - 14
    assert settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT == 15 * 60


def test_what_tells_of_a_change_leaves_in_the_background_too(away, settings):  # noqa: F811
    client, person = at_the_desk(Role.CUSTOMER)
    new = "another horse, another battery"
    changed = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert changed.status_code == 302
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    (message,) = delivered()
    assert (message.to, message.from_email) == ([person.email], AccountAdapter().get_from_email())
    assert message.subject.startswith("[Redemption Desk] ")


def test_beyond_the_limit_nothing_is_written(known, settings):
    settings.SIGN_IN_MAILS_PER_PERSON = 2
    for email in (KNOWN, UNKNOWN):
        for _ in range(3):
            asks(ASK, email)
    assert SealedMail.objects.count() == 4


def test_staff_who_may_not_sign_in_by_a_code_get_none_and_the_page_does_as_much():
    without, having = factories.user(Role.AGENT), factories.user(Role.AGENT)
    TOTP.activate(having, generate_totp_secret())
    for person in (without, having):
        asks(ASK, person.email)
    assert SealedMail.objects.count() == 2
    assert [message.to for message in delivered()] == [[having.email]]
