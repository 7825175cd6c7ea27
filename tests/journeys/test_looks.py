"""Every page in every state, at 1300 and 400 pixels, light and dark. `PICTURES=folder` keeps a picture of each."""

import os
import time
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings as django_settings

from redemption.roles import Role
from support.diagnosis import State as CardState
from tests import factories
from tests.factories import PASSWORD
from tests.journeys.credit_states import Credits
from tests.journeys.judging_states import Judging
from tests.journeys.looks import problems
from tests.journeys.sign_states import Signs
from tests.journeys.states import World

# Every page in every look, by one browser: once in .ci/run is enough.
pytestmark = [pytest.mark.heavy, pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def look():
    """Looks at the page that is in front, and finds what is wrong with it in the end."""
    folder = Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    found = []

    def look(visit, name):
        visit.page.locator("h1:visible, h2:visible, main:visible, #content:visible").first.wait_for()
        visit.page.evaluate("document.fonts.ready")
        found.extend(problems(visit, name, folder))

    yield look
    assert not found, "\n".join(found)


def test_the_desk_can_be_read_and_every_card_told_apart_without_colour(open_page, look):
    world = World()
    visit = open_page(world.agent)
    told = {}
    for state in world.desk():
        state.reach(visit)
        look(visit, state.name)
        if state.name.startswith("card "):
            verdict = visit.page.get_by_role("region", name="Verdict")
            icon, word = verdict.locator(".material-symbols-outlined"), verdict.get_by_role("heading")
            told[state.name] = (icon.inner_text(), word.inner_text())
    assert set(told.values()) == {(state.icon, state.word) for state in CardState}
    icons, words = zip(*set(told.values()), strict=True)
    assert len(set(icons)) == len(set(words)) == len(CardState)
    # Alike but for the sentence beneath: whoever holds one cannot use it, and it may come back.
    assert told["card frozen"] == told["card batch frozen"]


def test_the_admin_can_be_read(open_page, look):
    world = World()
    visit = open_page(world.manager)
    for state in world.admin():
        state.reach(visit)
        look(visit, state.name)


@pytest.mark.parametrize("who", ["agent", "manager"])
def test_the_credits_can_be_read(who, open_page, look):
    made = Credits(World())
    person, states = {
        "agent": (made.world.agent, made.of_the_agent()),
        "manager": (made.decider, made.of_the_manager()),
    }[who]
    visit = open_page(person)
    for state in states:
        state.reach(visit)
        look(visit, state.name)


def test_reported_cards_can_be_read(open_page, look):
    made = Judging(World())
    for person, states in ((made.world.agent, made.of_the_agent()), (made.decider, made.of_the_manager())):
        visit = open_page(person)
        for state in states:
            state.reach(visit)
            look(visit, state.name)


def test_signs_can_be_read(open_page, look):
    made = Signs(World())
    visit = open_page(made.world.agent)
    for state in made.states():
        state.reach(visit)
        look(visit, state.name)


def test_the_way_in_and_what_goes_wrong_can_be_read(open_page, look):
    person = factories.user(Role.AGENT)
    visit = open_page()
    page = visit.page

    page.goto("/accounts/password/reset/")
    look(visit, "password forgotten")
    page.goto("/")
    look(visit, "sign-in")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("do not belong together").wait_for()
    look(visit, "sign-in, refused")

    # A form without its cookie, as after a long night.
    visit.context.clear_cookies(name=django_settings.CSRF_COOKIE_NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The form has grown old").wait_for()
    look(visit, "error 403")
    page.get_by_role("link", name="To the first page").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_text("these pages open with a second factor").wait_for()
    look(visit, "second factor")
    page.goto("/accounts/2fa/webauthn/add/")
    look(visit, "passkey")
    page.goto("/accounts/2fa/totp/activate/")
    look(visit, "authenticator app")
    secret = page.locator("main strong.code").inner_text()
    page.get_by_label("Authenticator code").fill(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Recovery codes").wait_for()
    look(visit, "recovery codes")
    for address, name in [("password/change", "password"), ("sessions", "sessions"), ("2fa", "second factor, set up")]:
        page.goto(f"/accounts/{address}/")
        look(visit, name)

    page.goto("/")
    page.locator("#typed:focus").wait_for()
    page.locator("#typed").evaluate("box => { box.removeAttribute('maxlength'); box.value = '7'.repeat(5_000_000) }")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="That is too much").wait_for()
    look(visit, "error 413")

    page.goto("/accounts/logout/")
    look(visit, "signing out")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Second factor").wait_for()
    look(visit, "second factor, asked for")
