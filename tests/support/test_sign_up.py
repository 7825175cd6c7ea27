"""Customers sign up and in, verify their address, and start accounts; nobody learns who signs in here."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.urls import reverse

from redemption.models import Account, User
from redemption.roles import STAFF_ROLES, Role
from support.customers.views.start import AccountExistsError, start
from support.linking import link_accounts
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.factories import PASSWORD
from tests.mails import delivered
from tests.support.desk import shown

pytestmark = pytest.mark.django_db
SIGN_UP, VERIFY = "/accounts/signup/", "/accounts/confirm-email/"
ASK, ENTER = "/accounts/login/code/", "/accounts/login/code/confirm/"
NEW = "new@example.com"


def code_in(message) -> str:
    (code,) = re.findall(r"^[A-Z]{4}-[A-Z]{4}$", message.body, re.M)
    return str(code)


def sign_up(client, email=NEW, password=PASSWORD):
    return client.post(SIGN_UP, {"email": email, "password1": password, "password2": password})


def signed_up(email=NEW, password=PASSWORD):
    client = Client()
    sign_up(client, email, password)
    client.post(VERIFY, {"code": code_in(delivered()[-1])})
    return client, User.objects.get(email=email)


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def without_tokens(response) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", response.content.decode())


def test_a_new_customer_verifies_his_address_and_is_led_to_start_an_account(client):
    assert sign_up(client).url == VERIFY
    assert not is_signed_in(client)
    response = client.post(VERIFY, {"code": code_in(delivered()[0])})
    assert response.url == reverse("start_account")
    person = User.objects.get(email=NEW)
    assert (person.role, person.check_password(PASSWORD)) == (Role.CUSTOMER, True)
    assert list(EmailAddress.objects.values_list("user", "email", "verified")) == [(person.pk, NEW, True)]
    told = AuditEvent.objects.order_by("pk").values_list("action", "actor_id", "details")
    assert list(told) == [
        (AuditAction.SIGN_IN_CHANGED, person.pk, {"did": "signed_up"}),
        (AuditAction.SIGN_IN_CHANGED, person.pk, {"did": "verified"}),
        (AuditAction.SIGN_IN_CHANGED, person.pk, {"did": "password"}),
        (AuditAction.SIGNED_IN, person.pk, {}),
    ]


def test_without_a_password_one_signs_in_by_a_code_each_time(client):
    _, person = signed_up(password="")
    assert not person.has_usable_password()
    client.post(ASK, {"email": NEW})
    client.post(ENTER, {"code": code_in(delivered()[-1])})
    assert is_signed_in(client)


def test_no_form_makes_staff(client):
    client.post(SIGN_UP, {"email": NEW, "password1": "", "password2": "", "role": "administrator", "is_staff": "1"})
    assert User.objects.get(email=NEW).role == Role.CUSTOMER


def test_a_password_chosen_for_anothers_address_never_opens_it():
    thief = Client()
    sign_up(thief, password="the thief knows this one")
    owner = Client()
    owner.post(ASK, {"email": NEW})
    owner.post(ENTER, {"code": code_in(delivered()[-1])})
    assert is_signed_in(owner)
    other = Client()
    other.post("/accounts/login/", {"login": NEW, "password": "the thief knows this one"})
    assert not is_signed_in(other)
    assert not is_signed_in(thief)


def test_signing_up_answers_alike_for_an_address_that_is_known_and_one_that_is_not():
    known = factories.user(Role.CUSTOMER, email="known@example.com")
    pages = []
    for email in ("other@example.com", known.email):
        client = Client()
        first = sign_up(client, email)
        page = client.get(VERIFY)
        wrong = client.post(VERIFY, {"code": "BCDF-BCDF"})
        # He tries whether the password that he has just chosen works.
        signing_in = Client().post("/accounts/login/", {"login": email, "password": PASSWORD + "!"})
        pages.append(
            [
                first.url,
                *(without_tokens(response).replace(email, "-") for response in (page, wrong, signing_in)),
            ]
        )
    assert pages[0] == pages[1]
    assert [message.to for message in delivered()] == [["other@example.com"], ["known@example.com"]]
    known.refresh_from_db()
    assert known.check_password(PASSWORD)


def test_a_password_just_chosen_tells_nothing_before_the_address_is_verified():
    sign_up(Client())
    answer = Client().post("/accounts/login/", {"login": NEW, "password": PASSWORD})
    other = Client().post("/accounts/login/", {"login": "nobody@example.com", "password": PASSWORD})
    assert without_tokens(answer).replace(NEW, "-") == without_tokens(other).replace("nobody@example.com", "-")


def test_asking_for_a_code_answers_alike_and_mails_only_who_may_sign_in_by_it():
    customer = factories.user(Role.CUSTOMER)
    without = [factories.user(role) for role in sorted(STAFF_ROLES)] + [factories.member()]
    pages = []
    for email in (customer.email, "nobody@example.com", *(person.email for person in without)):
        client = Client()
        assert client.post(ASK, {"email": email}).url == ENTER
        pages.append(without_tokens(client.get(ENTER)).replace(email, "-"))
    assert set(pages) == {pages[0]}
    assert [message.to for message in delivered()] == [[customer.email]]


@pytest.mark.parametrize("role", [Role.AGENT, Role.RETAILER])
def test_a_mailed_code_asks_staff_and_members_for_their_factor(client, role):
    person = factories.member() if role == Role.RETAILER else factories.user(role)
    TOTP.activate(person, generate_totp_secret())
    client.post(ASK, {"email": person.email})
    response = client.post(ENTER, {"code": code_in(delivered()[-1])})
    assert response.url == reverse("mfa_authenticate")
    assert not is_signed_in(client)


def test_a_factor_removed_meanwhile_does_not_make_the_code_enough(client):
    person = factories.user(Role.AGENT)
    TOTP.activate(person, generate_totp_secret())
    client.post(ASK, {"email": person.email})
    person.authenticator_set.all().delete()
    response = client.post(ENTER, {"code": code_in(delivered()[-1])})
    assert response.url == reverse("account_login")
    assert not is_signed_in(client)


def test_who_signed_in_before_looks_around_with_an_unverified_address(client):
    person = factories.account(user=factories.user(), email_verified=False).user
    client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert is_signed_in(client)
    assert delivered() == []


def test_a_password_is_hashed_as_often_whether_the_address_is_known_or_not(monkeypatch):
    """Hashing takes most of the time of the answer."""
    factories.user(email="known@example.com")
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *given: hashed.append(1) or encode(*given))
    counts = []
    for email in (NEW, "known@example.com"):
        hashed.clear()
        sign_up(Client(), email)
        counts.append(len(hashed))
    assert counts == [1, 1]


def without_scripts_within(response):
    """Every script of the page is a file; nothing carries styles or handlers."""
    text = response.content.decode()
    found = re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:|\ssrc=\"(?!/static/)", text)
    return response.status_code == 200 and not found


def test_the_pages_of_signing_in_bring_nothing_that_the_policy_refuses(client):
    for address in ("login/", "signup/", "login/code/", "password/reset/", "password/reset/done/", "inactive/"):
        assert without_scripts_within(client.get(f"/accounts/{address}")), address
    client.post(ASK, {"email": NEW})
    assert without_scripts_within(client.get(ENTER))
    client, person = signed_up()
    factories.product()
    signed_in = (
        "logout/",
        "password/change/",
        "email/",
        "sessions/",
        "2fa/",
        "2fa/totp/activate/",
        "2fa/webauthn/add/",
    )
    for address in signed_in:
        assert without_scripts_within(client.get(f"/accounts/{address}")), address
    assert without_scripts_within(client.get("/account/start/"))
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    for address in (
        "2fa/",
        "2fa/totp/deactivate/",
        "2fa/recovery-codes/generate/",
        "2fa/reauthenticate/",
        "reauthenticate/",
    ):
        assert without_scripts_within(client.get(f"/accounts/{address}")), address
    other = Client()
    other.post("/accounts/login/", {"login": NEW, "password": PASSWORD})
    assert without_scripts_within(other.get("/accounts/2fa/authenticate/"))


# --- Accounts


def test_verifying_links_what_is_nobodys_and_has_the_address_and_nothing_else():
    other = factories.user()
    his = factories.account(email="New@Example.com", email_verified=False)
    anothers = factories.account(factories.program("Other", prefix="OTHER"), email=NEW, user=other)
    else_ = factories.account(factories.program("Third", prefix="THIRD"), email="newer@example.com")
    _, person = signed_up()
    for account in (his, anothers, else_):
        account.refresh_from_db()
    assert (his.user, his.email_verified) == (person, True)
    assert (anothers.user, else_.user) == (other, None)
    linked = AuditEvent.objects.get(action=AuditAction.ACCOUNT_CHANGED)
    assert (linked.actor_id, linked.target, linked.details) == (person.pk, f"account:{his.pk}", {"did": "linked"})
    assert link_accounts(person) == 0


def test_an_account_that_a_platform_tells_of_later_is_linked_at_the_next_sign_in(client):
    _, person = signed_up()
    later = factories.account(email=NEW)
    client.post("/accounts/login/", {"login": NEW, "password": PASSWORD})
    later.refresh_from_db()
    assert later.user == person


def test_staff_get_no_accounts_by_their_address():
    agent = factories.user(Role.AGENT)
    EmailAddress.objects.create(user=agent, email=agent.email, verified=True, primary=True)
    factories.account(email=agent.email)
    assert link_accounts(agent) == 0


def test_an_unverified_address_links_nothing():
    person = factories.user()
    account = factories.account(email=person.email)
    EmailAddress.objects.create(user=person, email=person.email, verified=False, primary=True)
    assert link_accounts(person) == 0
    account.refresh_from_db()
    assert account.user is None


def test_an_account_is_started_by_choosing_program_country_and_currency():
    product = factories.product(countries=["GB", "IE"])
    client, person = signed_up()
    page = client.get("/account/start/")
    assert str(product.program) in shown(page)
    chosen = {"program": product.program.slug}
    assert "Ireland" in shown(client.get("/account/start/", chosen))
    response = client.post("/account/start/", chosen | {"country": "IE", "currency": product.currency})
    assert response.url == reverse("redeem")
    account = Account.objects.get()
    assert (account.user, account.email, account.email_verified, account.country, account.plan) == (
        person, NEW, True, "IE", "free",
    )  # fmt: skip
    event = AuditEvent.objects.get(action=AuditAction.ACCOUNT_STARTED)
    assert (event.actor_id, event.target) == (person.pk, f"account:{account.pk}")
    # Sent twice, it is the same account.
    again = client.post("/account/start/", chosen | {"country": "GB", "currency": product.currency})
    assert again.url == reverse("customer_account")
    assert Account.objects.get().country == "IE"


@pytest.mark.parametrize("changed", [{"country": "US"}, {"currency": "XXX"}, {"country": ""}])
def test_what_is_not_offered_is_not_started(changed):
    product = factories.product(countries=["GB"])
    client, _ = signed_up()
    asked = {"program": product.program.slug, "country": "GB", "currency": product.currency}
    assert client.post("/account/start/", asked | changed).status_code == 422
    assert client.post("/account/start/", asked | {"program": "nowhere"}).status_code == 404
    assert not Account.objects.exists()


def test_only_customers_start_accounts(settings):
    settings.STAFF_SECOND_FACTOR = False
    for role in (*STAFF_ROLES, Role.RETAILER):
        client = Client()
        client.force_login(factories.user(role), backend="django.contrib.auth.backends.ModelBackend")
        assert client.get("/account/start/").status_code == 404, role
    assert Client().get("/account/start/").url == "/accounts/login/?next=/account/start/"


def test_anothers_account_with_the_address_is_not_taken_over_by_starting_one():
    person = factories.user()
    product = factories.product(countries=["GB"])
    theirs = factories.account(product.program, email=person.email)
    with pytest.raises(AccountExistsError):
        start(product.program, country="GB", currency="GBP", by=person)
    theirs.refresh_from_db()
    assert theirs.user is None


@pytest.mark.django_db(transaction=True)
def test_of_many_clicks_at_once_one_starts_the_account():
    person, product = factories.user(), factories.product(countries=["GB"])

    def click(_):
        try:
            return start(product.program, country="GB", currency="GBP", by=person).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(click, range(16)))
    assert found == {Account.objects.get().pk}
    assert AuditEvent.objects.filter(action=AuditAction.ACCOUNT_STARTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_address_that_signs_up_twice_at_once_has_one_sign_in():
    def once(_):
        try:
            return sign_up(Client()).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(once, range(4))) == {302}
    assert User.objects.filter(email=NEW).count() == 1
