"""An agent's way from signing in to the answer, as a person goes it: by keyboard, in a browser."""

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from redemption.cards import freeze_cards
from redemption.eligibility import CHECKS
from redemption.models import BillingProvider, Channel
from redemption.redeem import redeem
from redemption.roles import Role
from tests import factories
from tests.factories import PASSWORD
from tests.journeys.visit import aside
from tests.support.desk import wrong

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def odd(card):
    """The same code in small letters, with look-alikes, an en dash, a no-break space and full-width symbols."""
    groups = card.text.lower().replace("0", "o").replace("1", "l").split("-")
    wide = "".join(chr(ord(symbol) + 0xFEE0) for symbol in groups[1])
    return f" {groups[0]} – {wide}\u00a0{groups[2]}—\u200b{groups[3]} "


def wait_for_focus_in_the_box(page):
    page.locator("#typed:focus").wait_for()


def test_an_agent_sets_a_second_factor_up_signs_in_and_sees_who_redeemed_a_code(open_page):
    agent = factories.user(Role.AGENT)
    card = factories.card()
    account = factories.account(card.batch.product.program, email="ines@example.com")
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed

    visit = open_page()
    page = visit.page
    page.goto("/")
    page.get_by_label("Email").fill(agent.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")

    # The password alone opens nothing: the session is sent to set a factor up.
    page.get_by_text("these pages open with a second factor").wait_for()
    page.goto(f"/codes/{card.serial}/")
    assert page.url.endswith("/accounts/2fa/")
    page.get_by_role("link", name="Set up").first.click()
    assert page.locator(".drawn svg").bounding_box()["width"] > 100
    secret = page.locator("strong.code").inner_text()
    page.get_by_label("Authenticator code").fill(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Recovery codes").wait_for()
    recovery_codes = page.get_by_label("Codes", exact=True).input_value().split()
    # What one had wanted to open is a link away.
    page.get_by_role("link", name="Go on to the desk").click()
    page.wait_for_url(f"**/codes/{card.serial}/")
    page.goto("/")

    wait_for_focus_in_the_box(page)
    page.keyboard.insert_text(odd(card))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/codes/{card.serial}/")
    assert "Redeemed" in visit.verdict()
    assert "by ines@example.com" in visit.verdict()
    visit.sees(page.get_by_role("link", name=account.reference))
    visit.assert_keeps_none_of(card.text)

    # The next time the factor is asked for, or one of the codes for a lost telephone, and leads where one wanted to go.
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"/codes/{card.serial}/")
    page.get_by_label("Email").fill(agent.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Code").fill(recovery_codes[0])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/codes/{card.serial}/")


def test_the_box_answers_whatever_is_typed_and_keeps_it_nowhere(open_page):
    agent = factories.user(Role.AGENT)
    card, other = factories.cards(2)
    mistyped = wrong(card)
    visit = open_page(agent)
    page = visit.page

    page.goto("/")
    wait_for_focus_in_the_box(page)
    page.keyboard.insert_text(odd(card))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/codes/{card.serial}/")
    assert "Works" in visit.verdict()
    visit.assert_keeps_none_of(card.text)

    # “/” comes back to the box, also for those who are there; further on it is a sign like any other.
    assert page.locator("#typed:focus").count() == 0
    page.keyboard.press("/")
    wait_for_focus_in_the_box(page)
    page.keyboard.press("/")
    assert page.locator("#typed").input_value() == ""
    page.keyboard.type("a/")
    assert page.locator("#typed").input_value() == "a/"
    page.locator("#typed").fill("")

    # One wrong symbol: what it must have been is the next thing that Tab reaches, and Enter opens it.
    page.keyboard.insert_text(mistyped)
    page.keyboard.press("Enter")
    suggestion = page.get_by_role("link", name=f"Card {card.serial}")
    suggestion.wait_for()
    assert "One is a single slip away" in page.get_by_role("status").inner_text()
    assert card.text not in page.content()
    visit.assert_keeps_none_of(card.text, mistyped)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert suggestion.evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/codes/{card.serial}/")
    visit.assert_keeps_none_of(card.text, mistyped)
    visit.look_up(mistyped)
    suggestion.click()
    page.wait_for_url(f"**/codes/{card.serial}/")

    visit.look_up("https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC")
    assert "This is a link for sharing, not a code." in page.get_by_role("status").inner_text()
    visit.look_up("SPOTIFY-2222-2222-2222")
    said = page.get_by_role("status").inner_text()
    assert "Nothing found." in said
    assert "What was tried" in said
    assert f"As a code of {card.batch.product.program} (SPOTIFY-XXXX-XXXX-XXXX)" in said
    # What was typed is there to be compared with the card, selected, so that the next look-up replaces it.
    assert page.locator("#typed").input_value() == "SPOTIFY-2222-2222-2222"
    assert page.evaluate("getSelection().toString()") == "SPOTIFY-2222-2222-2222"
    visit.look_up(str(other.serial))
    page.wait_for_url(f"**/codes/{other.serial}/")
    visit.assert_keeps_none_of(card.text, other.text, mistyped, "222222222222")

    # Going back through all of it brings no code back either, and no question about sending a form again.
    addresses = []
    for _ in range(3):
        page.go_back()
        addresses.append(page.url.removeprefix(visit.origin))
        assert page.locator("#typed").input_value() == ""
        visit.assert_keeps_none_of(card.text, other.text, mistyped, "222222222222")
    assert addresses == ["/", "/", f"/codes/{card.serial}/"]


def test_diagnosing_for_an_account_shows_every_check_and_marks_where_it_stops(open_page):
    agent = factories.user(Role.AGENT)
    card = factories.card()
    program = card.batch.product.program
    account = factories.account(program, billing_provider=BillingProvider.APPLE, country="SE", currency="SEK")
    visit = open_page(agent)
    page = visit.page
    page.goto(f"/codes/{card.serial}/")
    page.locator("#id_account").fill("nobody@example.com")
    page.keyboard.press("Enter")
    page.get_by_text(f"{program} has no such account").wait_for()
    assert page.locator("#id_account").input_value() == "nobody@example.com"

    page.locator("#id_account").fill(account.email.upper())
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(f"/codes/{card.serial}/?account={account.reference}#diagnosis") + "$"))
    visit.sees("Another company bills this subscription.")
    checks = page.locator(".check")
    assert checks.count() == len(CHECKS)
    first = page.locator(".check[aria-current]")
    assert first.count() == 1
    assert "redeeming stops here" in first.inner_text()
    words = [text.split() for text in checks.all_inner_texts()]
    assert all({"passed", "failed", "not"} & {word.strip(":") for word in text} for text in words)
    # Nothing failed above the one that is marked, and the country fails below it.
    failed = page.locator(".check-failed")
    assert first.evaluate("check => check === document.querySelector('.check-failed')")
    assert "country" in failed.nth(1).inner_text().lower()
    # The diagnosis stands in sight, not somewhere below.
    assert page.locator("#diagnosis").evaluate("mark => mark.getBoundingClientRect().top") < 300
    visit.assert_keeps_none_of(card.text)
    assert account.email not in visit.keeps()

    aside(lambda: freeze_cards(first=card.serial, by=agent, reason="reported by the shop"))
    page.reload()
    assert "Frozen" in visit.verdict()
    assert "reported by the shop" in visit.verdict()
