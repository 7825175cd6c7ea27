"""Who opens which page of the portal: every cell. An address without a row fails the last test.

200 shown, 201 made, 302 and 303 done or sent on, 404 does not exist for him, 409 and 422 a form that says why.
"""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.test import Client
from django.urls import reverse

from redemption.models import ApiScope, MemberRole, RetailerMember
from redemption.roles import Role
from support.actions import keys, members
from support.mail.invitations import link
from support.portal import urls
from tests import factories
from tests.mails import delivered
from tests.support.desk import at_the_desk, shown
from tests.support.portal.people import signed_in
from tests.support.test_attachments import attached, bought
from tests.support.test_second_factor import code_of, sign_in, with_app

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Of Saturn: its clerk and its manager; of Karstadt: its manager. A former member belongs to none.
PAGES = """
                                     nobody  customer  agent  former  clerk  manager  stranger
GET portal_home                         302       404    404     404    200      200       200
GET portal_batches                      302       404    404     404    200      200       200
GET portal_batch                        302       404    404     404    200      200       404
GET portal_people                       302       404    404     404    404      200       200
POST portal_invite                      302       404    404     404    404      303       404
POST portal_change_invitation           302       404    404     404    404      303       404
GET portal_member                       302       404    404     404    404      200       404
POST portal_member                      302       404    404     404    404      303       404
GET portal_invitation                   200       409    409     409    409      409       409
POST portal_invitation                  422       409    409     409    409      409       409
GET portal_keys                         302       404    404     404    404      200       200
POST portal_new_key                     302       404    404     404    404      201       404
GET portal_key                          302       404    404     404    404      200       404
POST portal_key                         302       404    404     404    404      201       404
GET portal_reports                      302       404    404     404    200      200       200
POST portal_reports                     302       404    404     404    303      303       303
GET portal_new_report                   302       404    404     404    200      200       200
POST portal_new_report                  302       404    404     404    422      422       422
GET portal_report                       302       404    404     404    200      200       404
GET portal_report_cards                 302       404    404     404    200      200       404
GET portal_statement                    302       404    404     404    200      200       404
GET portal_write                        302       404    404     404    303      303       404
POST portal_write                       302       404    404     404    303      303       404
GET portal_picture                      302       404    404     404    200      200       404
GET portal_small_picture                302       404    404     404    200      200       404
"""


def rows():
    head, *lines = [line.split() for line in PAGES.strip().splitlines()]
    return {(method, name): dict(zip(head, map(int, cells), strict=True)) for method, name, *cells in lines}


@pytest.fixture
def world(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    saturn = factories.retailer(name="Saturn", slug="saturn")
    boss = factories.member(saturn, MemberRole.MANAGER)
    carl = factories.member(saturn)
    invitation = members.invite(retailer=saturn, email="new@shop.example", role=MemberRole.CLERK, by=boss)
    batch = factories.batch(retailer_id=saturn.pk)
    member = RetailerMember.objects.get(user=factories.member(saturn)).pk
    key = keys.make_key(retailer=saturn, name="Tills", scopes=[ApiScope.STATUS], by=boss).key
    report = factories.report(factories.card(batch), by=carl)
    picture = [report.reference, attached(bought(), ticket=report.ticket).pk, 1]
    arguments = {
        "portal_key": [key.pk],
        "portal_report": [report.reference],
        "portal_report_cards": [report.reference],
        "portal_statement": [report.reference],
        "portal_write": [report.reference],
        "portal_picture": picture,
        "portal_small_picture": picture,
        "portal_batch": [batch.reference],
        "portal_change_invitation": [invitation.pk, "withdraw"],
        "portal_member": [member],
        "portal_invitation": [link(invitation).split("/")[-2]],
    }
    posted = {
        "portal_invite": {"retailer": "saturn", "email": "other@shop.example", "role": "clerk"},
        "portal_member": {"role": "manager"},
        "portal_new_key": {"retailer": "saturn", "name": "Other tills", "scopes": "status"},
        "portal_key": {"keep_days": "1"},
        "portal_write": {"body": "The box was open."},
    }
    browsers = {
        "nobody": Client(),
        "customer": signed_in(factories.user(Role.CUSTOMER)),
        "agent": at_the_desk(Role.AGENT)[0],
        "former": signed_in(factories.user(Role.RETAILER)),
        "clerk": signed_in(carl),
        "manager": signed_in(boss),
        "stranger": signed_in(factories.member(factories.retailer(name="Karstadt"), MemberRole.MANAGER)),
    }
    return browsers, arguments, posted


def sign_in_by_form(user, password, asked_for=""):
    # An address of its own: so many sign-ins a minute from one are turned away, and other tests need theirs.
    form = {"login": user.email, "password": password, "next": asked_for}
    return Client().post("/accounts/login/", form, REMOTE_ADDR="192.0.2.50")


@pytest.mark.parametrize(("method", "name"), rows())
def test_every_cell(world, method, name):
    browsers, arguments, posted = world
    address = reverse(name, args=arguments.get(name, []))
    answered = {}
    for who in rows()[method, name]:
        data = posted.get(name, {}) if method == "POST" else {}
        answered[who] = getattr(browsers[who], method.lower())(address, data).status_code
    assert answered == rows()[method, name]


# --- A second factor, where a program of the retailer's cards asks for it


@pytest.fixture
def strict():
    """A member of a retailer with cards of a program that asks for a second factor."""
    saturn = factories.retailer(name="Saturn")
    product = factories.product(factories.program(retailer_second_factor=True))
    factories.batch(product, retailer_id=saturn.pk)
    return factories.member(saturn, MemberRole.MANAGER)


@pytest.mark.parametrize("path", ["/retailer/", "/retailer/batches/", "/retailer/people/"])
def test_a_member_sets_a_second_factor_up_first(strict, path):
    client = signed_in(strict)
    sent_on = client.get(path)
    assert (sent_on.status_code, sent_on["Location"]) == (302, "/accounts/2fa/")
    setting_up = client.get("/accounts/2fa/")
    assert setting_up.status_code == 200
    assert "Set up an authenticator app or a passkey" in shown(setting_up)
    assert f'href="{path}"' in setting_up.content.decode()


def test_a_member_without_his_second_factor_posts_nothing(strict):
    answer = signed_in(strict).post("/retailer/people/invite/", {"email": "x@shop.example", "role": "clerk"})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/")
    assert not strict.memberships.get().retailer.invitations.exists()


def test_a_session_with_a_second_factor_goes_on(strict):
    client, _ = at_the_desk(user=strict)
    assert client.get("/retailer/").status_code == 200


def test_other_retailers_members_need_none(strict):
    assert signed_in(factories.member()).get("/retailer/").status_code == 200


def test_the_demos_setting_lifts_it_from_staff_and_from_no_member(strict, settings):
    settings.STAFF_SECOND_FACTOR = False
    assert signed_in(factories.user(Role.AGENT)).get("/").status_code == 200
    assert signed_in(strict).get("/retailer/").status_code == 302


def test_a_members_password_alone_removes_no_second_factor(strict, client):
    secret = with_app(strict)
    sign_in(client, strict)
    assert client.get("/retailer/").status_code == 302
    client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert client.get("/retailer/").status_code == 200
    session = client.session
    for entry in session["account_authentication_methods"]:
        entry["at"] -= 3600
    session.save()
    for page in ("mfa_deactivate_totp", "account_reauthenticate"):
        answer = client.post(reverse(page), {"password": factories.PASSWORD})
        assert answer.url.startswith(reverse("mfa_reauthenticate")), page
    assert Authenticator.objects.filter(user=strict).exists()


def test_who_forgot_his_password_sets_a_new_one_by_a_link_and_comes_back():
    member, visitor = factories.member(), Client()
    visitor.post("/accounts/password/reset/", {"email": member.email})
    (sent,) = delivered()
    assert sent.to == [member.email]
    (link,) = re.findall(r"http://[^/]+(/accounts/password/reset/key/\S+)", sent.body)
    form = visitor.get(visitor.get(link).url)
    assert "Set a new password" in shown(form)
    visitor.post(form.wsgi_request.path, {"password1": "another horse battery", "password2": "another horse battery"})
    signed = sign_in_by_form(member, "another horse battery")
    assert signed["Location"] == "/retailer/"
    assert "This link does not work any more" in shown(visitor.get(link))


# --- Where people start


@pytest.mark.parametrize(("role", "address"), [(Role.CUSTOMER, "/redeem/"), (Role.RETAILER, None)])
def test_the_bare_address_sends_each_to_his_own_page(role, address):
    opened = signed_in(factories.user(role)).get("/")
    assert (opened.status_code, opened.get("Location")) == ((302, address) if address else (404, None))


def test_members_start_in_the_portal():
    opened = signed_in(factories.member()).get("/")
    assert (opened.status_code, opened["Location"]) == (302, "/retailer/")


@pytest.mark.parametrize("asked_for", ["", "/", "/retailer/batches/"])
def test_signing_in_leads_there_too(asked_for):
    user = factories.member()
    user.set_password("correct horse battery")
    user.save()
    signed = sign_in_by_form(user, "correct horse battery", asked_for)
    assert signed["Location"] == (asked_for if len(asked_for) > 1 else "/retailer/")


# --- Nothing is left out


def test_every_address_has_a_row_for_each_way_it_answers(world):
    browsers, arguments, _ = world
    addresses = {
        pattern.name: reverse(pattern.name, args=arguments.get(pattern.name, [])) for pattern in urls.urlpatterns
    }
    answered = set()
    for name, address in addresses.items():
        # By the invitation's page, only somebody signed out can do something.
        browser = browsers["nobody" if name == "portal_invitation" else "manager"]
        for method in METHODS:
            with transaction.atomic():
                if getattr(browser, method.lower())(address).status_code != 405:
                    answered.add((method, name))
                transaction.set_rollback(True)
    assert answered == set(rows())
