"""Staff pages open to a session that passed a second factor, and to no other."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.conf import settings
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from redemption.models import User
from redemption.roles import STAFF_ROLES, Role
from support.models import AuditAction, AuditEvent
from tests.factories import PASSWORD, account, user
from tests.mails import delivered

pytestmark = pytest.mark.django_db
BATCHES = "/admin/redemption/batch/"


def code_of(secret: str, periods_ago: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 - periods_ago))


def sign_in(client: Client, person: User, next_address: str = "") -> str:
    """Where signing in with the password leads."""
    response = client.post(
        reverse("account_login"), {"login": person.email, "password": PASSWORD, "next": next_address}
    )
    assert response.status_code == 302
    return response.url


def with_app(person: User) -> str:
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    return secret


@pytest.fixture(autouse=True)
def _switched_on(settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_staff_without_a_factor_are_sent_to_set_one_up(client, role):
    sign_in(client, user(role))
    for address in ("/", BATCHES, "/admin/", "/codes/1000000000/", reverse("account_change_password")):
        assert client.get(address).url == reverse("mfa_index")
    assert client.get(reverse("mfa_index")).status_code == 200


def test_a_posted_form_does_nothing_before_a_factor_was_passed(client):
    sign_in(client, user(Role.ADMINISTRATOR))
    response = client.post("/admin/redemption/retailer/add/", {"name": "Saturn", "slug": "saturn", "kind": "shop"})
    assert response.url == reverse("mfa_index")


@pytest.mark.django_db(transaction=True)
def test_setting_an_app_up_opens_the_desk_in_the_same_session_without_the_password_again(client):
    sign_in(client, user(Role.AGENT))
    client.get(f"{BATCHES}?status__exact=active")
    page = client.get(reverse("mfa_activate_totp"))
    response = client.post(reverse("mfa_activate_totp"), {"code": code_of(page.context["form"].secret)})
    assert response.url == reverse("mfa_view_recovery_codes")
    codes = client.get(response.url)
    assert f'href="{BATCHES}"' in codes.content.decode()
    kept = RecoveryCodes(Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)).get_unused_codes()
    # Shown once, and never again.
    shown = [[code in page.content.decode() for code in kept] for page in (codes, client.get(response.url))]
    assert shown == [[True] * len(kept), [False] * len(kept)]
    assert "status__exact" not in str(dict(client.session))
    assert client.get(BATCHES).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_an_account_with_an_unconfirmed_address_can_still_set_a_factor_up(client):
    person = user(Role.AGENT)
    sign_in(client, person)
    person.emailaddress_set.create(email=person.email, verified=False, primary=True)
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_signing_in_with_a_factor_asks_for_it_and_leads_where_one_wanted_to_go(client):
    person = user(Role.AGENT)
    secret = with_app(person)
    assert sign_in(client, person, BATCHES) == reverse("mfa_authenticate")
    assert client.get(BATCHES).url == f"{reverse('account_login')}?next={BATCHES}"
    assert client.post(reverse("mfa_authenticate"), {"code": code_of(secret)}).url == BATCHES
    assert client.get(BATCHES).status_code == 200


def test_a_wrong_code_opens_nothing(client):
    person = user(Role.AGENT)
    with_app(person)
    sign_in(client, person)
    assert client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert client.get(BATCHES).status_code == 302


def test_a_session_older_than_the_factor_is_asked_for_it(client):
    person = user(Role.AGENT)
    sign_in(client, person)
    secret = with_app(person)
    response = client.get(f"{BATCHES}?status__exact=active")
    assert response.url == f"{reverse('mfa_reauthenticate')}?next=%2Fadmin%2Fredemption%2Fbatch%2F"
    passed = client.post(response.url, {"code": code_of(secret), "next": BATCHES})
    assert passed.url == BATCHES
    assert client.get(BATCHES).status_code == 200


def test_a_session_older_than_the_factor_cannot_remove_it_or_read_its_codes_with_the_password(client):
    person = user(Role.AGENT)
    sign_in(client, person)
    with_app(person)
    challenge = reverse("mfa_reauthenticate")
    pages = [
        "mfa_index",
        "mfa_deactivate_totp",
        "mfa_view_recovery_codes",
        "mfa_add_webauthn",
        "account_reauthenticate",
    ]
    for page in pages:
        assert client.get(reverse(page)).url.startswith(challenge), page
        assert client.post(reverse(page), {"password": PASSWORD}).url.startswith(challenge), page
    assert Authenticator.objects.filter(user=person).exists()


def test_removing_the_factor_later_takes_the_factor_and_not_the_password(client):
    person = user(Role.AGENT)
    secret = with_app(person)
    sign_in(client, person)
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    session = client.session
    for entry in session["account_authentication_methods"]:
        entry["at"] -= 3600
    session.save()
    for page in ("mfa_deactivate_totp", "account_reauthenticate"):
        response = client.post(reverse(page), {"password": PASSWORD})
        assert response.url.startswith(reverse("mfa_reauthenticate")), page
    assert Authenticator.objects.filter(user=person).exists()


def test_a_recovery_code_is_a_second_factor_once(client):
    person = user(Role.AGENT)
    with_app(person)
    codes = RecoveryCodes.activate(person).get_unused_codes()
    sign_in(client, person, BATCHES)
    assert client.post(reverse("mfa_authenticate"), {"code": codes[0]}).url == BATCHES
    other = Client()
    sign_in(other, person)
    assert other.post(reverse("mfa_authenticate"), {"code": codes[0]}).status_code == 200


def test_anothers_factor_in_the_session_does_not_count(client):
    first, second = user(Role.AGENT), user(Role.AGENT)
    secret = with_app(first)
    sign_in(client, first)
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    client.force_login(second)
    assert client.get(BATCHES).url == reverse("mfa_index")


@pytest.mark.parametrize("page", ["account_logout", "admin:logout"])
def test_signing_out_is_always_possible(client, page):
    sign_in(client, user(Role.AGENT))
    assert client.get(reverse("account_logout")).status_code == 200
    client.post(reverse(page))
    assert "_auth_user_id" not in client.session
    assert client.get(BATCHES).url == f"{reverse('account_login')}?next={BATCHES}"


def test_switched_off_the_password_is_enough(client, settings):
    settings.STAFF_SECOND_FACTOR = False
    sign_in(client, user(Role.AGENT))
    assert client.get(BATCHES).status_code == 200


def test_customers_need_no_factor_and_find_no_desk(client):
    for role, first_page in ((Role.CUSTOMER, "redeem"), (Role.RETAILER, "mfa_index")):
        client.logout()
        person = user(role)
        if role == Role.CUSTOMER:
            account(user=person)
        assert sign_in(client, person) == reverse(first_page)
        assert client.get(reverse(first_page)).status_code == 200
        assert client.get(reverse("usersessions_list")).status_code == 200
        # The bare address is no desk to them: it leads to their own page, where they have one.
        assert client.get("/").status_code == (302 if role == Role.CUSTOMER else 404)
        for address in ("/admin/", BATCHES, "/admin/logout/", "/admin/nowhere/"):
            assert client.get(address).status_code == 404, address


def test_asking_for_a_password_with_an_unknown_address_mails_nobody(client):
    person = user(Role.AGENT)
    for address in (person.email, "stranger@example.com"):
        response = client.post(reverse("account_reset_password"), {"email": address})
        assert response.url == reverse("account_reset_password_done")
    assert [mail.to for mail in delivered()] == [[person.email]]


def test_the_admins_own_sign_in_leads_to_ours(client):
    assert client.get("/admin/login/?next=/admin/").url == f"{reverse('account_login')}?next=%2Fadmin%2F"
    person = user(Role.AGENT)
    assert client.post("/admin/login/", {"username": person.email, "password": PASSWORD}).status_code == 302
    assert "_auth_user_id" not in client.session


def test_each_sign_in_leaves_one_audit_event_after_the_second_factor(client):
    person = user(Role.AGENT)
    secret = with_app(person)
    sign_in(client, person)
    assert not AuditEvent.objects.exists()
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    event = AuditEvent.objects.get()
    assert (event.action, event.actor_id, event.target, event.details) == (AuditAction.SIGNED_IN, person.pk, "", {})


def test_a_sign_in_that_cannot_be_recorded_signs_nobody_in(client, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no room")

    monkeypatch.setattr("support.sign_in.record", fail)
    client.raise_request_exception = False
    person = user(Role.CUSTOMER)
    response = client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    assert response.status_code == 500
    assert settings.SESSION_COOKIE_NAME not in response.cookies


@pytest.mark.parametrize(
    "page",
    ["account_login", "account_logout", "account_reset_password", "account_reset_password_done", "account_signup"],
)
def test_the_entrance_has_the_plain_look_and_asks_nothing_from_elsewhere(client, page):
    response = client.get(reverse(page))
    if response.status_code == 302:
        return
    text = response.content.decode()
    assert "support/entrance" in text
    assert "unfold/css" not in text
    assert "https://" not in text


def test_a_stolen_database_makes_no_codes():
    agent = user(Role.AGENT)
    secret = with_app(agent)
    factor = Authenticator.objects.get(user=agent, type=Authenticator.Type.TOTP)
    assert secret not in str(factor.data)
    assert factor.wrap().validate_code(code_of(secret))


# --- Every address there is


def every_address():
    """{path: (name, view)}: each address of the site once, with something in its places."""
    found = {}

    def fill(text):
        # Of packages that write regular expressions.
        text = re.sub(r"\(\?P<\w+>[^)]*\)", "x", text)
        text = re.sub(r"<(?:int|path):\w+>", "1", text)
        text = re.sub(r"<(?:\w+:)?\w+>", "x", text)
        return text.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\", "").replace("?", "")

    def walk(patterns, before, namespace):
        for pattern in patterns:
            here = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, here, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
            else:
                found[f"/{fill(here)}"] = f"{namespace}{pattern.name}"

    walk(get_resolver().url_patterns, "", "")
    return found


@pytest.mark.parametrize("has_factor", [False, True], ids=["without a factor", "with one that was not used"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_no_address_opens_to_staff_whose_session_has_passed_no_factor(method, has_factor):
    person = user(Role.ADMINISTRATOR)
    addresses = every_address()
    assert len(addresses) > 200
    client = Client(raise_request_exception=False)
    # By the password alone.
    sign_in(client, person)
    if has_factor:
        with_app(person)
    stops = {reverse("mfa_index"), reverse("mfa_reauthenticate")}
    opened = set()
    for address, name in addresses.items():
        # Machines have keys; and whoever signs out is not staff any more.
        if address.startswith("/api/") or name in {"account_logout", "admin:logout"}:
            continue
        response = getattr(client, method)(address)
        if not (response.status_code == 302 and response.url.split("?")[0] in stops):
            opened.add(name)
    setting_up = {"mfa_reauthenticate"} if has_factor else {"mfa_index", "mfa_activate_totp", "mfa_add_webauthn"}
    asking = set() if has_factor else {"account_reauthenticate"}
    # How redeeming stands is everybody's to see.
    assert opened - {"account_login"} == setting_up | asking | {"status"}
