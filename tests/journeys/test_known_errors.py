"""A ticket's known error in a browser: looking at it, taking a reply from it, adding to the catalogue."""

import os
from pathlib import Path

import pytest

from support import catalogue
from support.models import KnownError
from tests import factories
from tests.journeys.looks import problems
from tests.journeys.states import World
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pictures():
    folder = Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def ticket(world, message, **fields):
    return factories.ticket(world.program, error_message=message, requester_name="Wilhelmina", **fields)


@pytest.fixture
def world():
    catalogue.load()
    return World()


@pytest.mark.heavy
def test_every_state_of_a_known_error_can_be_read(open_page, world):
    card, swede = world.cards["works"].row, factories.account(world.program, country="SE")
    tickets = {
        "proved": ticket(world, "it says This code is not vaild", code=card, account=swede),
        "several": ticket(world, "this code is not valid", code=card, account=world.other),
        "unknown account": ticket(world, "code alredy redeemed", code=world.cards["redeemed"].row),
        "something else": ticket(world, "Too many attempts", code=world.cards["frozen"].row, account=world.account),
        "passes": ticket(world, "Something went wrong", code=card, account=world.account),
        "not recognised": ticket(world, "Well, it just does not do anything"),
    }
    visit = open_page(world.manager)
    found = []
    for name, one in tickets.items():
        visit.page.goto(f"/tickets/{one.reference}/")
        visit.page.get_by_role("heading", name="Known error").wait_for()
        visit.page.evaluate("document.fonts.ready")
        found += problems(visit, f"known error {name}", pictures())
    assert found == []


def test_a_reply_is_put_below_what_is_written_and_kept_as_a_draft(open_page, world):
    one = ticket(
        world,
        "This code is not valid",
        code=world.cards["works"].row,
        account=factories.account(world.program, country="SE"),
    )
    visit = open_page(world.agent)
    page = visit.page
    page.goto(f"/tickets/{one.reference}/")
    box = page.get_by_label("The customer reads this")
    box.fill("Dear Wilhelmina")
    page.get_by_role("tab", name="Internal note").click()
    page.get_by_role("button", name="Use this reply").first.click()
    assert box.is_visible()
    assert box.input_value().startswith("Dear Wilhelmina\n\nHello Wilhelmina,\n\nYour card works in the United Kingdom")
    visit.sees("Saved ")
    page.reload()
    assert "your account is in Sweden" in box.input_value()


def test_choosing_by_hand(open_page, world):
    one = ticket(world, "nothing that anybody knows")
    visit = open_page(world.agent)
    page = visit.page
    page.goto(f"/tickets/{one.reference}/")
    page.get_by_label("The customer saw", exact=True).select_option(label="This code has expired")
    page.get_by_role("button", name="Keep it on the ticket").click()
    visit.sees("The code’s last day is over")
    assert aside(lambda: KnownError.objects.get(tickets=one).wording) == "This code has expired"


def test_a_manager_adds_a_wording_from_the_ticket(open_page, world):
    one = ticket(world, "The flux capacitor is empty")
    visit = open_page(world.manager)
    page = visit.page
    page.goto(f"/tickets/{one.reference}/")
    page.get_by_role("link", name="Add this wording to the catalogue").click()
    page.locator("#id_wording").wait_for()
    assert page.locator("#id_wording").input_value() == "The flux capacitor is empty"
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"/tickets/{one.reference}/")
    visit.sees("The flux capacitor is empty")
    assert page.locator(".known-wording").inner_text() == f"The flux capacitor is empty ({world.program})"
    page.get_by_role("link", name="Edit this known error").click()
    page.locator("#id_other_wordings").wait_for()
    assert problems(visit, "admin known error", pictures()) == []
    page.goto("/admin/support/knownerror/")
    page.get_by_role("link", name="This code is not valid").wait_for()
    assert problems(visit, "admin known errors", pictures()) == []
    page.get_by_role("link", name="This code is not valid").click()
    page.locator("#id_other_wordings").wait_for()
    assert problems(visit, "admin known error with causes", pictures()) == []
