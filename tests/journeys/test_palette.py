"""Ctrl+K over any page: looks up what the desk's box looks up, and keeps nothing."""

import os
from pathlib import Path

import pytest

from redemption.roles import Role
from tests import factories
from tests.journeys.looks import problems

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_palette_opens_pages_cards_and_tickets_from_anywhere(open_page):
    agent = factories.user(Role.AGENT)
    card = factories.card()
    ticket = factories.ticket(subject="Gift card from Grandma", code=card.row)
    visit = open_page(agent)
    page = visit.page

    page.goto("/admin/redemption/retailer/")
    palette = page.get_by_role("dialog", name="Look up, or go to a page")
    visit.sees(page.get_by_role("heading").first)
    page.keyboard.press("Control+k")
    palette.wait_for()
    folder = os.environ.get("PICTURES")
    found = problems(visit, "palette", Path(folder) if folder else None)
    assert found == []

    # Pages by name, by the arrows.
    page.keyboard.type("acc")
    assert palette.get_by_role("link").all_inner_texts()[0].endswith("Accounts")
    assert palette.get_by_role("link").count() == 1
    page.keyboard.press("ArrowDown")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/admin/redemption/account/")

    # Nothing leaves the browser while a code is typed; Enter posts it.
    visit.sees(page.get_by_role("heading").first)
    page.keyboard.press("Control+k")
    palette.wait_for()
    asked = len(visit.addresses)
    page.keyboard.type(card.text)
    assert len(visit.addresses) == asked
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith(f"/codes/{card.serial}/")

    # From within a field, and closing it forgets what was typed.
    page.locator("#typed").click()
    page.keyboard.press("Control+k")
    palette.wait_for()
    page.keyboard.type("secret")
    page.keyboard.press("Escape")
    palette.wait_for(state="hidden")
    page.keyboard.press("Control+k")
    palette.wait_for()
    assert page.locator("#palette-typed").input_value() == ""
    page.keyboard.type("grandma")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    visit.sees(page.get_by_role("link", name=ticket.reference))
    visit.assert_keeps_none_of(card.text)


def test_who_looks_nothing_up_has_no_palette(open_page):
    visit = open_page()
    visit.page.goto("/accounts/login/")
    assert visit.page.locator("#palette").count() == 0
