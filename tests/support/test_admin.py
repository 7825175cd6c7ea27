"""Accounts and people in the admin."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.test import Client

from redemption.models import Account, User, Wallet
from redemption.roles import Role
from support.models import AuditAction, AuditEvent, AuditPersonal
from tests import factories
from tests.factories import PASSWORD
from tests.mails import delivered
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db
ACCOUNTS = "/admin/redemption/account/"
PEOPLE = "/admin/redemption/user/"


def account_form(account, **fields):
    return {
        "email": account.email,
        "email_verified": "on",
        "country": account.country.code,
        "currency": account.currency,
        "billing_provider": account.billing_provider,
        "plan": account.plan,
        "restriction": account.restriction,
        "last_seen_country": "",
        **fields,
    }


# --- Accounts


def test_a_list_of_accounts_is_recorded_with_who_was_on_it_and_the_search_apart(client):
    account = factories.account(email="Jane.Doe@example.com")
    other = factories.account()
    client, agent = at_the_desk(Role.AGENT)
    text = client.get(ACCOUNTS, {"q": " jane.doe@EXAMPLE.com "}).content.decode()
    assert account.reference in text
    assert other.reference not in text
    event = AuditEvent.objects.get(action=AuditAction.ACCOUNTS_LISTED)
    assert (event.actor_id, event.details) == (agent.pk, {"also": [f"account:{account.pk}"]})
    assert "jane.doe" not in str(event.details).lower()
    assert AuditPersonal.objects.get(pk=event.pk).text == "jane.doe@EXAMPLE.com"


@pytest.mark.parametrize("text", ["QQQQ-ZZZZ-2222-WWWW", "QQ22ZZ@", "a@b", "what is 7K2M jane@example.com", "AC-1"])
def test_what_is_no_address_and_no_reference_is_not_kept(text):
    client, _ = at_the_desk(Role.AGENT)
    client.get(ACCOUNTS, {"q": text})
    event = AuditEvent.objects.get(action=AuditAction.ACCOUNTS_LISTED)
    assert event.personal_hash is None
    assert not AuditPersonal.objects.exists()


def test_a_reference_that_was_searched_for_is_kept():
    account = factories.account()
    client, _ = at_the_desk(Role.AGENT)
    client.get(ACCOUNTS, {"q": account.reference.lower()})
    assert AuditPersonal.objects.get().text == account.reference


def test_searching_accounts_takes_whole_addresses_and_references_only():
    account = factories.account(email="jane@example.com")
    client, _ = at_the_desk(Role.AGENT)
    for found in ("jane@example.com", account.reference, account.reference.lower()):
        assert account.reference in client.get(ACCOUNTS, {"q": found}).content.decode(), found
    for none in ("jane", "@example.com", "example", account.reference[:7]):
        assert not client.get(ACCOUNTS, {"q": none}).context["cl"].result_list, none


def test_opening_an_account_is_recorded_once_and_shows_what_it_holds():
    batch = factories.batch()
    account = factories.account(batch.product.program)
    Wallet.objects.create(account=account, currency="GBP", balance=4250)
    client, agent = at_the_desk(Role.AGENT)
    text = client.get(f"{ACCOUNTS}{account.pk}/change/").content.decode()
    assert "£42.50" in text
    event = AuditEvent.objects.get()
    assert (event.action, event.actor_id, event.target) == (
        AuditAction.ACCOUNT_OPENED,
        agent.pk,
        f"account:{account.pk}",
    )


def test_an_account_that_does_not_exist_leaves_nothing():
    client, _ = at_the_desk(Role.AGENT)
    assert client.get(f"{ACCOUNTS}999999/change/").status_code == 404
    assert not AuditEvent.objects.exists()


def test_a_change_is_recorded_without_what_it_changed_to_and_not_in_the_admins_own_log():
    account = factories.account()
    client, manager = at_the_desk(Role.MANAGER)
    form = account_form(account, email="new@example.com", plan="student")
    assert client.post(f"{ACCOUNTS}{account.pk}/change/", form).status_code == 302
    changed = Account.objects.get()
    assert (changed.email, changed.plan, changed.version) == ("new@example.com", "student", account.version + 1)
    event = AuditEvent.objects.get(action=AuditAction.ACCOUNT_CHANGED)
    assert (event.actor_id, event.target, event.details) == (
        manager.pk,
        f"account:{account.pk}",
        {"fields": "email plan"},
    )
    assert not LogEntry.objects.exists()


def test_a_change_does_not_turn_back_what_a_redemption_wrote_meanwhile(monkeypatch):
    from support.admin.accounts import AccountForm

    account = factories.account()
    client, _ = at_the_desk(Role.MANAGER)
    clean = AccountForm.clean

    def redeemed_meanwhile(form):
        Account.objects.update(premium_until="2030-01-01", version=40)
        return clean(form)

    monkeypatch.setattr(AccountForm, "clean", redeemed_meanwhile)
    client.post(f"{ACCOUNTS}{account.pk}/change/", account_form(account, plan="duo"))
    changed = Account.objects.get()
    assert (changed.plan, str(changed.premium_until), changed.version) == ("duo", "2030-01-01", 41)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"email": "{taken}"}, "__all__"),
        ({"email": "not an address"}, "email"),
        ({"email": "nul\0@example.com"}, "email"),
        ({"country": "XX"}, "country"),
        ({"currency": "XXX"}, "currency"),
        ({"last_seen_country": "XX"}, "last_seen_country"),
        ({"plan": "platinum"}, "plan"),
    ],
)
def test_what_is_wrong_with_an_account_is_said_in_its_form(fields, where):
    account = factories.account()
    taken = factories.account(account.program).email.upper()
    client, _ = at_the_desk(Role.MANAGER)
    form = account_form(account, **{name: value.format(taken=taken) for name, value in fields.items()})
    response = client.post(f"{ACCOUNTS}{account.pk}/change/", form)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == [where]


def test_an_auditor_changes_no_account():
    account = factories.account()
    client, _ = at_the_desk(Role.AUDITOR)
    assert client.post(f"{ACCOUNTS}{account.pk}/change/", account_form(account, plan="duo")).status_code == 404
    assert Account.objects.get().plan == account.plan


# --- People


def person_form(**fields):
    return {"email": "new@example.com", "name": "New", "role": Role.AGENT, "is_active": "on", **fields}


@pytest.mark.django_db(transaction=True)
def test_a_new_person_gets_a_link_to_set_a_password_and_can_sign_in_with_it():
    client, administrator = at_the_desk(Role.ADMINISTRATOR)
    assert client.post(f"{PEOPLE}add/", person_form()).status_code == 302
    person = User.objects.get(email="new@example.com")
    assert not person.has_usable_password()
    event = AuditEvent.objects.get(action=AuditAction.STAFF_CHANGED)
    assert (event.actor_id, event.target) == (administrator.pk, f"user:{person.pk}")
    assert "new@example.com" not in str(event.details)
    (message,) = delivered()
    link = re.search(r"http://testserver(\S+)", message.body)[1]
    visitor = Client()
    page = visitor.get(link, follow=True)
    visitor.post(page.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SYSTEM, "root", ""])
def test_nobody_is_made_a_customer_the_system_or_anything_unknown(role):
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    assert client.post(f"{PEOPLE}add/", person_form(role=role)).status_code == 200
    assert not User.objects.filter(email="new@example.com").exists()


def test_an_address_in_other_capitals_is_the_same_person():
    factories.user(Role.AGENT, email="Anna@example.com")
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    assert client.post(f"{PEOPLE}add/", person_form(email="anna@EXAMPLE.com")).status_code == 200


def test_a_role_changes_at_once_and_under_record():
    person = factories.user(Role.MANAGER)
    session = Client()
    session.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    assert session.get("/accounts/2fa/").status_code == 200
    client, administrator = at_the_desk(Role.ADMINISTRATOR)
    assert at_the_desk(user=person)[0].get("/audit/").status_code == 200
    form = person_form(email=person.email, role=Role.SOCIAL_MEDIA)
    client.post(f"{PEOPLE}{person.pk}/change/", form)
    assert session.get("/accounts/2fa/").status_code == 302
    assert at_the_desk(user=person)[0].get("/audit/").status_code == 404
    event = AuditEvent.objects.get(action=AuditAction.STAFF_CHANGED)
    assert event.details == {"fields": "name role", "role": "social_media", "is_active": 1}
    assert event.actor_id == administrator.pk
    role_changed = AuditEvent.objects.get(action=AuditAction.ROLE_CHANGED)
    assert (role_changed.actor_id, role_changed.target) == (administrator.pk, f"user:{person.pk}")
    assert role_changed.details == {"old": "manager", "new": "social_media"}
    assert not LogEntry.objects.exists()


def test_a_change_of_the_name_alone_ends_no_session_and_is_no_change_of_role():
    person = factories.user(Role.MANAGER)
    session = Client()
    session.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    client.post(f"{PEOPLE}{person.pk}/change/", person_form(email=person.email, role=Role.MANAGER, name="Anew"))
    assert User.objects.get(pk=person.pk).name == "Anew"
    assert session.get("/accounts/2fa/").status_code == 200
    assert not AuditEvent.objects.filter(action=AuditAction.ROLE_CHANGED).exists()


def test_a_person_who_left_is_signed_out_everywhere():
    person = factories.user(Role.AGENT)
    session, _ = at_the_desk(user=person)
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    form = person_form(email=person.email)
    del form["is_active"]
    client.post(f"{PEOPLE}{person.pk}/change/", form)
    assert session.get("/admin/").status_code == 302
    client.post(f"{PEOPLE}{person.pk}/send-password-link/")
    assert not delivered()


def test_nobody_changes_his_own_role_or_locks_himself_out():
    client, administrator = at_the_desk(Role.ADMINISTRATOR)
    client.post(f"{PEOPLE}{administrator.pk}/change/", {"email": administrator.email, "name": "Me", "role": "agent"})
    administrator.refresh_from_db()
    assert (administrator.name, administrator.role, administrator.is_active) == ("Me", Role.ADMINISTRATOR, True)


def test_an_old_address_signs_in_no_more_once_it_is_changed():
    person = factories.user(Role.AGENT, email="old@example.com")
    EmailAddress.objects.create(user=person, email="old@example.com", verified=True, primary=True)
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    client.post(f"{PEOPLE}{person.pk}/change/", person_form(email="young@example.com"))
    visitor = Client()
    visitor.post("/accounts/login/", {"login": "old@example.com", "password": PASSWORD})
    assert "_auth_user_id" not in visitor.session
    visitor.post("/accounts/login/", {"login": "young@example.com", "password": PASSWORD})
    assert "_auth_user_id" in visitor.session


def test_a_lost_telephone_is_answered_by_removing_the_factor_and_ending_the_sessions():
    person = factories.user(Role.AGENT)
    thief = Client()
    thief.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": "x"})
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    assert client.get(f"{PEOPLE}{person.pk}/remove-second-factor/").status_code == 404
    assert "remove the second factor" in client.get(f"{PEOPLE}{person.pk}/change/").content.decode()
    client.post(f"{PEOPLE}{person.pk}/remove-second-factor/")
    assert not Authenticator.objects.filter(user=person).exists()
    assert thief.get("/accounts/2fa/").status_code == 302
    assert AuditEvent.objects.get(action=AuditAction.STAFF_CHANGED).details == {"did": "removed_second_factor"}
