"""What is dangerous asks for a second factor that was used lately, changes nothing without it, and loses nothing."""

import re
import time
from html import unescape

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from redemption.models import User
from redemption.roles import Role
from support import step_up
from support.models import AuditAction, AuditEvent, CreditStop
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
MINUTES = 15


@pytest.fixture(autouse=True)
def _on(settings):
    settings.STAFF_SECOND_FACTOR = True
    settings.STEP_UP_MINUTES = MINUTES


def signed_in(role, minutes_ago):
    client, person = at_the_desk(role)
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "mfa", "type": "totp", "at": time.time() - 60 * minutes_ago},
        # The password alone is no second factor.
        {"method": "password", "at": time.time(), "reauthenticated": True},
    ]
    session.save()
    return client, person


def names():
    """Every address, by its name."""

    def walk(patterns, prefix=""):
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
            elif isinstance(pattern, URLPattern) and pattern.name:
                yield f"{prefix}{pattern.name}"

    return set(walk(get_resolver().url_patterns))


def test_every_dangerous_address_is_there():
    assert set(step_up.DANGEROUS) - names() == set()


# Each dangerous page, with what a stale session would post to it. It is turned away before anything is looked up.
POSTED = {
    "decide": ["/approvals/1/approve/"],
    "judge": ["/compromised/CR-1/do/void/", "/compromised/CR-1/do/replace/"],
    "hand_over": ["/compromised/CR-1/replace/1000000000/"],
    "move_card": ["/codes/1000000000/move/"],
    "reverse_credit": ["/credits/CD-1/reverse/"],
    "credit_policy": ["/credits/policy/"],
    "stop_credits": ["/credits/stop/"],
    "switch_redeeming": ["/outages/spotify/off/"],
    "admin:redemption_batch_act": [
        f"/admin/redemption/batch/1/do/{name}/" for name in ("issue", "activate", "extend", "close")
    ],
    "admin:redemption_batch_print_file": ["/admin/redemption/batch/1/print-file/"],
    "new_export": ["/exports/new/"],
    "export_file": ["/exports/1/file/"],
    "admin:redemption_user_add": ["/admin/redemption/user/add/"],
    "admin:redemption_user_change": ["/admin/redemption/user/1/change/"],
    "admin:redemption_user_send_password_link": ["/admin/redemption/user/1/send-password-link/"],
    "admin:redemption_user_remove_second_factor": ["/admin/redemption/user/1/remove-second-factor/"],
    "admin:redemption_user_end_sessions": ["/admin/redemption/user/1/end-sessions/"],
    "admin:redemption_retailer_invite": ["/admin/redemption/retailer/1/invite/"],
    "admin:redemption_retailer_invitation": ["/admin/redemption/retailer/1/invitations/1/withdraw/"],
    "admin:redemption_retailer_remove_member": ["/admin/redemption/retailer/1/members/1/remove/"],
    "admin:redemption_apikey_revoke": ["/admin/redemption/apikey/1/revoke/"],
    "platforms": ["/platforms/keys/"],
}


def test_each_dangerous_address_turns_a_stale_session_away_and_says_that_nothing_was_done():
    assert set(POSTED) - {"platforms"} == set(step_up.DANGEROUS)
    client, _ = signed_in(Role.ADMINISTRATOR, 2 * MINUTES + 1)
    before = AuditEvent.objects.count()
    for addresses in POSTED.values():
        for address in addresses:
            response = client.post(address, {}, headers={"referer": "http://testserver/approvals/?secret=1"})
            assert response.status_code == 403, address
            assert response.context["confirm_at"] == f"{reverse('mfa_reauthenticate')}?next=%2Fapprovals%2F", address
            assert "Nothing was done yet" in shown(response)
    assert AuditEvent.objects.count() == before


def test_a_fresh_session_passes_and_so_does_a_form_that_took_as_long_to_fill_in():
    for minutes, opens, sends in ((1, True, True), (MINUTES + 1, False, True), (2 * MINUTES + 1, False, False)):
        client, _ = signed_in(Role.MANAGER, minutes)
        assert (client.get("/credits/stop/").status_code == 200) == opens, minutes
        assert (client.post("/credits/stop/", {}).status_code != 403) == sends, minutes


def test_looking_asks_for_nothing():
    client, person = signed_in(Role.ADMINISTRATOR, 600)
    for address in ("/", "/approvals/", "/credits/policy/", "/exports/", f"/admin/redemption/user/{person.pk}/change/"):
        assert client.get(address).status_code == 200, address
    assert client.get("/credits/policy/?edit=1").status_code == 302
    rejected = client.post("/approvals/1/reject/", {})
    assert rejected.status_code == 404


def test_after_the_factor_the_form_is_sent_as_it_was_typed():
    client, person = signed_in(Role.MANAGER, 600)
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    reason = 'Somebody at the "gate" <b>&\nasks for credits.'
    typed = {"do": "stop", "reason": reason, "also": ["1", "2"]}
    late = client.post("/credits/stop/", typed, headers={"referer": "http://testserver/credits/stop/"})
    shown_again = re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)">', late.text, re.S)
    assert shown_again[0][0] == "csrfmiddlewaretoken"
    again = [(unescape(name), unescape(value)) for name, value in shown_again[1:]]
    assert again == [("do", "stop"), ("reason", reason), ("also", "1"), ("also", "2")]
    assert not CreditStop.objects.exists()
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    passed = client.post(late.context["confirm_at"], {"code": code, "next": "/credits/stop/"})
    assert passed.url == "/credits/stop/"
    sent = client.post("/credits/stop/", dict(again))
    assert sent.status_code == 303
    assert CreditStop.objects.get().reason == reason


@pytest.mark.parametrize("referer", ["https://evil.example/approvals/", "http://testserver/nowhere/at/all/", ""])
def test_the_way_back_leads_nowhere_else(referer):
    client, _ = signed_in(Role.MANAGER, 600)
    response = client.post("/credits/stop/", {}, headers={"referer": referer})
    assert response.context["confirm_at"].endswith("?next=%2F")


def test_a_key_is_asked_for_where_there_is_no_app():
    client, person = signed_in(Role.MANAGER, 600)
    person.authenticator_set.create(type="webauthn", data={})
    assert client.get("/credits/stop/").url.startswith(reverse("mfa_reauthenticate_webauthn"))


def test_customers_and_switched_off_factors_are_asked_for_none(settings):
    client, _ = signed_in(Role.CUSTOMER, 600)
    assert client.post("/credits/stop/", {}).status_code == 404
    client, _ = signed_in(Role.MANAGER, 600)
    settings.STEP_UP_MINUTES = 0
    assert client.get("/credits/stop/").status_code == 200
    settings.STEP_UP_MINUTES, settings.STAFF_SECOND_FACTOR = MINUTES, False
    assert client.get("/credits/stop/").status_code == 200


# --- Sessions


def listed(role=Role.AGENT, *, user=None):
    """At the desk, as signing in itself would have written it down."""
    client, person = at_the_desk(role, user=user)
    UserSession.objects.create(
        user=person, ip="192.0.2.7", user_agent="Netscape Navigator", session_key=client.session.session_key
    )
    return client, person


def test_an_administrator_sees_where_somebody_is_signed_in_and_ends_it():
    administrator, _ = at_the_desk(Role.ADMINISTRATOR)
    agent, person = listed()
    address = f"/admin/redemption/user/{person.pk}/"
    assert "Netscape Navigator" in shown(administrator.get(f"{address}change/"))
    assert administrator.post(f"{address}end-sessions/").status_code == 302
    assert agent.get("/").status_code == 302
    assert "Signed in nowhere now" in shown(administrator.get(f"{address}change/"))
    event = AuditEvent.objects.get(action=AuditAction.STAFF_CHANGED)
    assert (event.target, event.details) == (f"user:{person.pk}", {"did": "ended_sessions"})


def test_nobody_else_ends_sessions():
    person = factories.user(Role.AGENT)
    for role in Role:
        if role in {Role.ADMINISTRATOR, Role.SYSTEM}:
            continue
        client, _ = at_the_desk(role)
        assert client.post(f"/admin/redemption/user/{person.pk}/end-sessions/").status_code == 404, role


@pytest.mark.parametrize("changed", [{"role": Role.AUDITOR}, {"is_active": ""}, {"email": "other@example.com"}])
def test_another_role_another_address_and_being_switched_off_end_sessions(changed):
    administrator, _ = at_the_desk(Role.ADMINISTRATOR)
    agent, person = listed()
    fields = {"email": person.email, "name": "Anna", "role": person.role, "is_active": "on"} | changed
    fields = {name: value for name, value in fields.items() if value}
    assert administrator.post(f"/admin/redemption/user/{person.pk}/change/", fields).status_code == 302
    assert "_auth_user_id" not in agent.session
    assert agent.get("/").url.startswith("/accounts/login/")


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one():
    this, person = listed(Role.CUSTOMER)
    other, _ = listed(user=person)
    for client in (this, other):
        assert client.get(reverse("usersessions_list")).status_code == 200
    new = "another horse, another battery"
    this.post("/accounts/password/change/", {"oldpassword": factories.PASSWORD, "password1": new, "password2": new})
    assert User.objects.get(pk=person.pk).check_password(new)
    assert "_auth_user_id" not in other.session
    assert this.get(reverse("usersessions_list")).status_code == 200
