"""The queue by keyboard, and how it looks."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from redemption.roles import Role
from support.models import Holiday, OpeningHours, Priority, SavedView, Target, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.journeys.looks import problems
from tests.journeys.visit import aside

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "I scratched it, and typed it three times, and it always says the same thing whatever I do with the dashes"


def world(rows=12):
    """A manager and tickets of every kind, with long names."""
    manager = factories.user(Role.MANAGER, name="Maximiliane von Hohenlohe-Waldenburg")
    program = factories.program("Spotify Premium United Kingdom")
    shop = factories.retailer(name="Kaufhaus am Hauptbahnhof Mönchengladbach GmbH & Co. KG")
    now = timezone.now()
    deadlines = [None, now + timedelta(minutes=50), now - timedelta(hours=3), now + timedelta(days=3)]
    for number in range(rows):
        made = factories.ticket(program, subject=f"{number}. {LONG}", retailer=shop, error_message=f"{LONG}: not valid")
        Ticket.objects.filter(pk=made.pk).update(
            status=list(TicketStatus)[number % 4],
            priority=list(Priority)[number % 4],
            channel=list(TicketChannel)[number % 6],
            assignee=manager if number % 3 else None,
            tags=["outage", "big spender"] if number % 2 else [],
            next_deadline=deadlines[number % 4],
            requester_name="Wilhelmina Featherstonehaugh-Cholmondeley",
        )
    SavedView.objects.create(owner=manager, name="Urgent calls of the morning", query="view=all&priority=4")
    return manager


def test_rows_are_moved_through_chosen_and_opened_by_keyboard_and_found_again(open_page):
    manager = world(45)
    visit = open_page(manager)
    page = visit.page
    page.goto("/tickets/?view=all")
    visit.sees("45 tickets")
    page.keyboard.press("Escape")
    page.locator("h2#found").click()
    for _ in range(30):
        page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    visit.sees(": 2 chosen")
    current = page.locator("tr.is-current").get_attribute("data-row")
    top = page.locator("tr.is-current").bounding_box()["y"]
    page.keyboard.press("o")
    page.wait_for_url(f"**/tickets/{current}/?view=all")
    page.go_back()
    visit.sees(": 2 chosen")
    assert page.locator("tr.is-current").get_attribute("data-row") == current
    assert abs(page.locator("tr.is-current").bounding_box()["y"] - top) < 60
    assert page.locator("input[name=chosen]:checked").count() == 2
    # Nothing happens where something is typed.
    page.locator("#filter-tag").evaluate("box => { box.closest('details').open = true; box.focus() }")
    page.keyboard.type("jxo")
    assert page.locator("#filter-tag").input_value() == "jxo"
    assert page.locator("tr.is-current").get_attribute("data-row") == current
    # Off is off, and stays off.
    page.locator("h2#found").click()
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_label("Single keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    visit.sees("45 tickets")
    page.locator("h2#found").click()
    page.keyboard.press("j")
    page.keyboard.press("?")
    assert page.locator("tr.is-current").count() == 0
    assert not page.get_by_role("dialog").is_visible()


def test_many_are_changed_after_a_page_that_says_what_will_happen(open_page):
    manager = world(6)
    visit = open_page(manager)
    page = visit.page
    page.goto("/tickets/?view=all")
    page.get_by_text("Change several at once").click()
    page.get_by_label("What to do").select_option("priority:4")
    page.get_by_role("button", name="With all 6 that match").click()
    visit.sees("Set the priority to Urgent: 5 of 6 tickets")
    visit.sees("It is so already.")
    page.get_by_role("button", name="Change 5 tickets").click()
    visit.sees("5 tickets changed.")
    visit.sees("1 was left as it is")
    assert aside(lambda: Ticket.objects.filter(priority=Priority.URGENT).count()) == 6
    page.get_by_role("link", name="Back to the queue").click()
    visit.sees("6 tickets")


@pytest.mark.heavy
def test_the_queue_can_be_read(open_page):
    manager = world()
    OpeningHours.objects.get_or_create(weekday=0, opens="08:00", closes="20:00")
    Holiday.objects.create(day="2026-12-25", name="Christmas Day")
    Target.objects.get_or_create(priority=Priority.URGENT, defaults={"first_response": 60, "resolution": 480})
    visit = open_page(manager)
    page, found = visit.page, []
    folder = Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)

    def look(name):
        page.locator("h1:visible, h2:visible").first.wait_for()
        found.extend(problems(visit, name, folder))

    page.goto("/tickets/?view=all")
    look("queue")
    page.keyboard.press("Escape")
    page.locator("h2#found").click()
    for key in "jjx":
        page.keyboard.press(key)
    page.locator("summary", has_text="By retailer").click()
    look("queue, chosen")
    page.goto("/tickets/?view=all&priority=4")
    page.locator("summary", has_text="Rename").click()
    look("queue, own view with filters")
    page.goto("/tickets/?view=solved")
    look("queue, empty")
    page.goto("/tickets/?view=all")
    page.get_by_text("Change several at once").click()
    page.get_by_label("What to do").select_option("priority:4")
    page.get_by_role("button", name="With all 12 that match").click()
    visit.sees("Set the priority")
    look("bulk, plan")
    page.get_by_role("button", name="Change 9 tickets").click()
    visit.sees("tickets changed")
    look("bulk, result")
    page.keyboard.press("?")
    visit.sees(page.get_by_role("dialog"))
    look("keys")
    for noun in ("openinghours", "holiday", "target"):
        page.goto(f"/admin/support/{noun}/")
        look(f"list, {noun}")
        page.goto(f"/admin/support/{noun}/add/" if noun != "target" else "/admin/support/target/")
        look(f"new, {noun}")
    assert not found, "\n".join(found)
