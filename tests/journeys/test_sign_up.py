"""A new customer's way in, in a browser: mail, code, account, passkey. `PICTURES=folder` keeps pictures."""

import re

import pytest

from redemption.models import User
from tests import factories
from tests.factories import PASSWORD
from tests.journeys.test_looks import look  # noqa: F401
from tests.journeys.visit import aside
from tests.mails import delivered

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NEW = "wilhelmina.featherstonehaugh-cholmondeley@example.com"


def mailed() -> str:
    (code,) = re.findall(r"^[A-Z]{4}-[A-Z]{4}$", aside(delivered)[-1].body, re.M)
    return str(code)


def with_passkeys(visit):
    """A machine that has a place for passkeys, and unlocks it."""
    session = visit.context.new_cdp_session(visit.page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_somebody_new_signs_up_starts_an_account_and_comes_back_by_passkey(open_page, look):  # noqa: F811
    music = factories.product(factories.program("Spotify Premium United Kingdom"), countries=["GB", "IE"])
    factories.product(factories.pin_program(), countries=["US"])
    visit = open_page()
    page = visit.page
    page.goto("/accounts/login/")
    look(visit, "sign in")
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill(NEW)
    page.get_by_label("Password (optional)").fill("short")
    page.get_by_label("The password again").fill("short")
    page.get_by_role("button", name="Sign up").click()
    visit.sees("too short")
    look(visit, "sign up, refused")
    page.get_by_label("Password (optional)").fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    visit.sees("Verify your address")
    look(visit, "verify")
    page.get_by_label("Code").fill("BCDF-BCDF")
    page.get_by_role("button", name="Go on").click()
    visit.sees("This code is not right")
    page.get_by_label("Code").fill(mailed().lower().replace("-", " "))
    page.get_by_role("button", name="Go on").click()
    visit.sees("Start an account")
    look(visit, "start an account")
    page.get_by_label(str(music.program)).check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Country").select_option("IE")
    look(visit, "start, where")
    page.get_by_role("button", name="Start").click()
    visit.sees("account is started")

    with_passkeys(visit)
    page.goto("/accounts/2fa/")
    look(visit, "second factor")
    page.get_by_role("link", name="Add").click()
    page.get_by_label("Passwordless").check()
    look(visit, "add a passkey")
    page.get_by_role("button", name="Add").click()
    visit.sees("Each of these signs you in once")
    look(visit, "recovery codes")
    page.reload()
    visit.sees("were shown once")
    look(visit, "recovery codes, shown")
    page.goto("/accounts/sessions/")
    look(visit, "sessions")
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/redeem/")
    assert aside(lambda: User.objects.get(email=NEW).accounts.get().country) == "IE"


def test_without_scripts_one_signs_up_and_in_by_a_code(open_page):
    factories.account(user=factories.user(email="anna@example.com"))
    visit = open_page(java_script_enabled=False)
    page = visit.page
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Mail me a code").click()
    page.get_by_label("Email").fill("anna@example.com")
    page.get_by_role("button", name="Mail me a code").click()
    page.get_by_label("Code").fill(mailed())
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/redeem/")
