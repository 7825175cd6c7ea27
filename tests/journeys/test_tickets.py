"""Answering in a browser: the boxes, drafts, who else is there. `PICTURES=folder` keeps pictures."""

import os
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session

from support.actions.links import merge
from support.actions.messages import add_customer_message, write_staff_message
from support.models import Draft, Macro, Message, MessageKind
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


def busy_ticket(world):
    """Long words and names, every kind of message."""
    ticket = factories.ticket(
        world.program,
        account=world.account,
        code=world.cards["works"].row,
        subject="I scratched the card that I was given and it says “This code is not valid”, on every device I own",
        error_message="This code is not valid",
        surface="mobile",
        steps_tried=["vpn_off", "retyped"],
        requester_name="Wilhelmina Featherstonehaugh-Cholmondeley",
        requester_email=world.account.email,
    )
    factories.ticket(world.program, account=world.account, subject="An earlier one")
    write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Called the shop: they sold it.", by=world.agent)
    write_staff_message(
        ticket=ticket, kind=MessageKind.REPLY, body="Dear Wilhelmina,\n\nplease try again.", by=world.agent
    )
    add_customer_message(
        ticket=ticket, body="It still does not work.", quoted="On Monday you wrote:\n> please try again"
    )
    ticket.refresh_from_db()
    return ticket


@pytest.mark.heavy
def test_a_ticket_can_be_read(open_page):
    world = World()
    ticket = busy_ticket(world)
    Macro.objects.create(name="Works now", body="Dear {requester},\n\nit works now.", status="solved", add_tags=["vip"])
    merged, other = factories.ticket(), factories.ticket()
    merge(ticket=merged, into=ticket, by=world.agent)
    visit = open_page(world.agent)
    visit.page.goto(f"/tickets/{ticket.reference}/")
    visit.sees("It still does not work.")
    visit.page.evaluate("document.fonts.ready")
    found = problems(visit, "ticket", pictures())
    visit.page.locator("#fields summary").click()
    visit.page.get_by_text("Link it").click()
    visit.page.get_by_label("Macro").first.select_option(label="Works now")
    visit.sees("Put it into the box")
    found += problems(visit, "ticket, all open", pictures())
    for address, name in [
        (f"/tickets/{merged.reference}/", "ticket, merged"),
        ("/tickets/new/", "new ticket"),
    ]:
        visit.page.goto(address)
        visit.page.evaluate("document.fonts.ready")
        found += problems(visit, name, pictures())
    visit.page.goto(f"/tickets/{other.reference}/")
    visit.page.get_by_text("Link it").click()
    visit.page.get_by_label("Reference of the other ticket").fill(ticket.reference)
    visit.page.get_by_role("button", name="Merge it into that one").click()
    visit.sees("becomes part of")
    found += problems(visit, "merge", pictures())
    assert found == []


def test_two_agents_see_each_other_and_their_texts_stay_apart(open_page):
    world = World()
    ticket = busy_ticket(world)
    first, second = open_page(world.agent), open_page(world.manager)
    page = first.page
    page.goto(f"/tickets/{ticket.reference}/")
    page.get_by_label("The customer reads this").fill("Dear Wilhelmina")
    first.sees("Saved ")
    page.get_by_role("tab", name="Internal note").click()
    note = page.get_by_label("Only we read this")
    assert note.input_value() == ""
    note.fill("She sounds cross.")
    page.get_by_role("tab", name="Internal note").press("ArrowLeft")
    assert page.get_by_label("The customer reads this").input_value() == "Dear Wilhelmina"
    assert not note.is_visible()

    second.page.goto(f"/tickets/{ticket.reference}/")
    second.sees(f"{world.agent} is writing on this ticket.")
    first.sees(f"{world.manager} is looking at this ticket.")
    second.page.get_by_role("tab", name="Internal note").click()
    second.page.get_by_label("Only we read this").fill("I called her.")
    second.page.get_by_role("button", name="Keep the note").click()
    second.sees("The note is written.")
    first.sees("Something new was written.")

    page.get_by_role("button", name="Send to the customer").click()
    first.sees("Somebody wrote meanwhile")
    assert page.get_by_label("The customer reads this").input_value() == "Dear Wilhelmina"
    if folder := pictures():
        page.screenshot(path=folder / "stale.png", full_page=True)
    page.get_by_role("button", name="Send to the customer").click()
    first.sees("Undo sending")
    page.get_by_role("tab", name="Internal note").click()
    assert page.get_by_label("Only we read this").input_value() == "She sounds cross."


def test_everything_is_done_by_keys(open_page):
    world = World()
    ticket = busy_ticket(world)
    Macro.objects.create(name="Works now", body="Dear {requester}, it works now.", status="solved")
    visit = open_page(world.manager)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    visit.sees("It still does not work.")
    focused = "document.activeElement"
    page.keyboard.press("j")
    assert page.evaluate(f"{focused}.innerText").startswith("person")
    page.keyboard.press("j")
    assert "Internal note" in page.evaluate(f"{focused}.innerText")
    page.keyboard.press("k")
    assert "I scratched it" in page.evaluate(f"{focused}.innerText")
    page.keyboard.press("n")
    assert page.evaluate(f"{focused}.id") == "note-body"
    page.keyboard.type("rename")
    assert page.evaluate(f"{focused}.value") == "rename"
    page.evaluate(f"{focused}.blur()")
    page.keyboard.press("r")
    assert page.evaluate(f"{focused}.id") == "reply-body"
    page.evaluate(f"{focused}.blur()")
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    visit.sees("Put it into the box")
    page.get_by_role("button", name="Put it into the box").press("Enter")
    assert page.locator("#reply-body").input_value() == "Dear Wilhelmina Featherstonehaugh-Cholmondeley, it works now."
    assert page.locator("#reply-status").input_value() == "solved"
    page.evaluate(f"{focused}.blur()")
    page.keyboard.press("s")
    assert page.evaluate(f"{focused}.name") == "status"
    page.evaluate(f"{focused}.blur()")
    page.keyboard.press("e")
    assert page.evaluate(f"{focused}.name") == "subject"
    page.evaluate(f"{focused}.blur()")
    page.keyboard.press("a")
    visit.sees("It is yours.")
    # What was written before is there again.
    assert page.locator("#reply-body").input_value().startswith("Dear Wilhelmina")
    page.get_by_role("button", name="Send and solve").click()
    visit.sees("Undo sending")
    page.get_by_role("button", name="Undo sending").click()
    visit.sees("The answer was not sent.")
    assert page.locator("#reply-body").input_value().startswith("Dear Wilhelmina")


def test_nothing_written_is_lost_when_the_session_ends(open_page):
    world = World()
    ticket = busy_ticket(world)
    visit = open_page(world.agent)
    page = visit.page
    page.goto("/tickets/new/")
    page.get_by_label("Subject").fill("No credit")
    page.get_by_label("What they say").fill("It says not valid.")
    other = visit.context.new_page()
    other.goto(f"/tickets/{ticket.reference}/")
    other.get_by_label("The customer reads this").wait_for()
    aside(lambda: Session.objects.all().delete())

    page.get_by_role("button", name="Open the ticket").click()
    visit.sees("Not sent: you are signed out")
    assert page.get_by_label("What they say").input_value() == "It says not valid."

    other.get_by_label("The customer reads this").fill("An hour’s work")
    other.get_by_text("Saved. You are signed out").wait_for()
    other.get_by_label("The customer reads this").fill("An hour’s work, and more")
    other.get_by_role("button", name="Send to the customer").click()
    other.get_by_label("Email").wait_for()
    assert not aside(lambda: Message.objects.filter(body__contains="hour").exists())
    assert "hour" not in visit.keeps()
    (draft,) = aside(lambda: list(Draft.objects.filter(person=world.agent, kind="reply")))
    assert draft.body == "An hour’s work, and more"
    visit.troubles = [trouble for trouble in visit.troubles if not trouble.startswith("401")]
