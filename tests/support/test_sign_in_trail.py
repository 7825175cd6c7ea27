"""Signing in and out, passwords and second factors: each is in the trail, and nothing that was typed is."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.test import Client

from redemption.models import User
from redemption.roles import Role
from support.models import AuditAction, AuditEvent, AuditPersonal
from tests import factories
from tests.factories import PASSWORD
from tests.mails import delivered
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db
A = AuditAction


def told():
    return [(event.action, event.actor_id, event.details) for event in AuditEvent.objects.order_by("pk")]


def sign_in(client, login, password):
    return client.post("/accounts/login/", {"login": login, "password": password}, REMOTE_ADDR="192.0.2.7")


def test_a_wrong_password_is_told_of_whom_it_was_tried_for_and_from_where():
    person = factories.user(Role.AGENT, email="anna@example.com")
    sign_in(Client(), "Anna@Example.com", "guessed wrong")
    assert told() == [(A.SIGN_IN_FAILED, person.pk, {"known": 1})]
    assert AuditPersonal.objects.get().text == "from 192.0.2.7"


def test_an_address_that_nobody_has_is_told_without_what_was_typed():
    sign_in(Client(), "my-secret@password.example", "another secret")
    assert told() == [(A.SIGN_IN_FAILED, User.objects.system().pk, {"known": 0})]
    kept = repr(list(AuditEvent.objects.values())) + repr(list(AuditPersonal.objects.values()))
    assert "secret" not in kept


@pytest.mark.parametrize("login", ["nul\0@example.com", "x" * 5000, "a@" + "b" * 400 + ".example"])
def test_strange_addresses_are_refused_and_are_no_errors(login):
    assert sign_in(Client(), login, "x").status_code in {200, 400}


def test_signing_out_is_told_once_and_of_nobody_who_is_not_signed_in():
    person = factories.user(Role.CUSTOMER)
    client = Client()
    client.post("/accounts/logout/")
    sign_in(client, person.email, PASSWORD)
    client.post("/accounts/logout/")
    client.post("/accounts/logout/")
    assert told() == [(A.SIGNED_IN, person.pk, {}), (A.SIGNED_OUT, person.pk, {})]


def test_the_admins_way_out_is_told_too():
    client, person = at_the_desk(Role.AGENT)
    client.post("/admin/logout/")
    assert told() == [(A.SIGNED_OUT, person.pk, {})]


def test_a_new_password_is_told_and_so_is_one_by_mail():
    client, person = at_the_desk(Role.AGENT)
    new = "another horse, another battery"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    person.refresh_from_db()
    assert person.check_password(new)
    assert told() == [(A.SIGN_IN_CHANGED, person.pk, {"did": "password"})]
    visitor = Client()
    visitor.post("/accounts/password/reset/", {"email": person.email})
    link = next(word for word in delivered()[-1].body.split() if "/password/reset/key/" in word)
    page = visitor.get(link.replace("http://testserver", ""), follow=True)
    visitor.post(page.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD})
    assert told()[1] == (A.SIGN_IN_CHANGED, person.pk, {"did": "password_by_mail"})


def test_a_password_asked_for_again_and_typed_wrong_is_told():
    client, person = at_the_desk(Role.CUSTOMER)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 9999}]
    session.save()
    client.post("/accounts/reauthenticate/", {"password": "wrong one"})
    assert told() == [(A.SIGN_IN_FAILED, person.pk, {"known": 1, "did": "confirming"})]


@pytest.mark.django_db(transaction=True)
def test_second_factors_added_failed_and_removed_are_told():
    client, person = at_the_desk(Role.CUSTOMER)
    client.get("/accounts/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))
    client.post("/accounts/2fa/totp/activate/", {"code": code})
    assert (A.SIGN_IN_CHANGED, person.pk, {"did": "factor_added", "factor": "totp"}) in told()
    visitor = Client()
    sign_in(visitor, person.email, PASSWORD)
    visitor.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert told()[-1] == (A.SIGN_IN_FAILED, person.pk, {"did": "second_factor", "factor": "totp"})
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(user=person).exists()
    assert (A.SIGN_IN_CHANGED, person.pk, {"did": "factor_removed", "factor": "totp"}) in told()
    assert secret not in repr(told())


def test_ending_ones_other_sessions_is_told():
    person = factories.user(Role.CUSTOMER)
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(client, person.email, PASSWORD)
    here.post("/accounts/sessions/", {"pk": "all"})
    assert UserSession.objects.filter(user=person).count() == 1
    assert told()[2:] == [(A.SIGN_IN_CHANGED, person.pk, {"did": "sessions_ended", "sessions": 1})]
