"""An agent's day at the desk, in a browser: from a mail with a photo to the next ticket. `PICTURES=folder` keeps
pictures."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail as mailbox
from django.utils import timezone
from playwright.sync_api import expect

from redemption.roles import Role
from support import catalogue
from support.actions.messages import UNDO
from support.demo.receipts import receipt
from support.mail.outgoing import send
from support.mail.receiving import Outcome, receive
from support.models import Macro, Message, MessageKind, Priority, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.journeys.looks import problems
from tests.journeys.states import World
from tests.journeys.visit import aside
from tests.support.mail.mails import mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# “Within five seconds”, and a moment for the browser to show it.
SOON = 5_500


def photo(number="1"):
    lines = [("Gift card 30 GBP", "30.00")]
    return receipt("MAPLE & MAIN", lines, total="30.00", at="03.11.2026", number=number, seed=int(number))


def written(ticket):
    """What was written on it, as it is now."""
    return aside(lambda: list(Message.objects.filter(ticket=ticket).order_by("pk").values_list("kind", "body")))


@pytest.fixture
def look():
    """Looks at the page that is in front, and finds what is wrong with it in the end."""
    folder = Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    found = []

    def look(visit, name):
        visit.page.locator("h1:visible, h2:visible, main:visible").first.wait_for()
        visit.page.evaluate("document.fonts.ready")
        found.extend(problems(visit, name, folder))

    yield look
    assert not found, "\n".join(found)


class Desk:
    """A British account with a card for the United States, whose owner writes a mail with a photo; and a macro."""

    def __init__(self):
        # Seeded, until the first test emptied the database.
        catalogue.load()
        self.agent = factories.user(Role.AGENT, name="Asha Agent")
        self.senior = factories.user(Role.SENIOR_AGENT, name="Sven Senior")
        self.program = factories.program("Spotify Premium")
        self.card = factories.card(factories.batch(factories.product(self.program, countries=["US"])))
        self.account = factories.account(self.program, email="ada@example.com")
        self.macro = Macro.objects.create(
            name="Wrong country",
            body="Hello {requester},\n\nyour card works in {card_country}.\n\nKind regards\n{agent}",
            status=TicketStatus.WAITING_FOR_CUSTOMER,
            add_tags=["country"],
        )

    def mail_with_a_photo(self):
        raw = mail(
            f"I scratched it, it says “This code is not valid”. My code is {self.card.text}!",
            subject="My gift card",
            message_id="<first@example.com>",
            files=[("receipt.jpg", photo(), "image/jpeg"), ("back.jpg", photo("2"), "image/jpeg")],
        )
        assert receive(raw) is Outcome.OPENED
        return Ticket.objects.get(requester_email="ada@example.com")

    def ticket(self, subject, **fields):
        return factories.ticket(self.program, subject=subject, **{"now": timezone.now(), **fields})


def test_a_mail_with_a_photo_is_answered_and_the_next_ticket_opens(open_page):
    desk = Desk()
    ticket = desk.mail_with_a_photo()
    following = desk.ticket("Where is my credit?", priority=Priority.LOW)
    visit = open_page(desk.agent)
    page = visit.page

    page.goto("/tickets/?view=unassigned")
    visit.sees("My gift card")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/tickets/{ticket.reference}/?view=unassigned")

    # What happened, and what to do, on one page; and no code.
    assert desk.card.text not in page.content()
    visit.sees("SPOTIFY-••••-••••-")
    visit.sees(page.get_by_role("link", name=f"Card {desk.card.serial}"))
    known = page.get_by_role("region", name="Known error")
    assert "This code is not valid" in known.inner_text()
    assert "this one:" in known.inner_text()
    first = known.locator(".cause").first.inner_text()
    assert "The card is for another country than the account" in first
    assert "This is it" in first
    picture = page.get_by_role("img", name="Open receipt.jpg")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100

    page.get_by_label("Macro").first.select_option("Wrong country")
    visit.sees("adds country to the tags")
    page.get_by_role("button", name="Put it into the box").click()
    box = page.get_by_label("The customer reads this")
    assert "your card works in the United States of America" in box.input_value()
    assert "{" not in box.input_value()
    page.get_by_role("button", name="Send and solve").click()
    page.wait_for_url(f"**/tickets/{following.reference}/?view=unassigned")

    # Within seconds it can be taken back, and nothing is lost.
    page.get_by_role("button", name="Undo sending").click()
    page.wait_for_url(re.compile(ticket.reference))
    visit.sees("Its text is back in the box")
    assert "your card works in" in box.input_value()
    assert [kind for kind, _ in written(ticket)] == [MessageKind.CUSTOMER]
    page.get_by_role("button", name="Send and solve").click()
    page.wait_for_url(f"**/tickets/{following.reference}/?view=unassigned")
    visit.sees("Where is my credit?")

    ticket = aside(lambda: Ticket.objects.get(pk=ticket.pk))
    assert ticket.status == TicketStatus.SOLVED
    assert ticket.assignee_id == desk.agent.pk
    answer = aside(lambda: ticket.messages.get(kind=MessageKind.REPLY))
    aside(lambda: send(message_id=answer.pk, tries=0, now=timezone.now() + UNDO))
    [sent] = [one for one in mailbox.outbox if one.subject == f"Re: My gift card [{ticket.reference}]"]
    assert sent.to == ["ada@example.com"]
    assert sent.extra_headers["In-Reply-To"] == "<first@example.com>"
    visit.assert_keeps_none_of(desk.card.text)


def test_who_else_looks_or_types_is_seen_within_five_seconds(open_page):
    desk = Desk()
    ticket = desk.ticket("My card")
    first, second = open_page(desk.agent), open_page(desk.senior)
    first.page.goto(f"/tickets/{ticket.reference}/")
    first.sees("My card")

    second.page.goto(f"/tickets/{ticket.reference}/")
    second.sees("My card")
    first.page.get_by_text("Sven Senior is looking at this ticket.").wait_for(timeout=SOON)
    second.page.get_by_label("The customer reads this").press_sequentially("Dear")
    # Twice: what the second one says, and what the first one asks, each within its four seconds.
    first.page.get_by_text("Sven Senior is writing on this ticket.").wait_for(timeout=2 * SOON)
    second.page.goto("/tickets/")
    first.page.locator("#here").wait_for(state="hidden", timeout=2 * SOON)


def test_who_answers_after_somebody_wrote_reads_it_first_and_keeps_his_text(open_page):
    desk = Desk()
    ticket = desk.mail_with_a_photo()
    visit = open_page(desk.agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    box = page.get_by_label("The customer reads this")
    box.fill("Please send the receipt.")
    reply = mail("Forget it, it works now.", in_reply_to="<first@example.com>", message_id="<second@example.com>",
                 subject=f"Re: My gift card [{ticket.reference}]")  # fmt: skip
    assert aside(lambda: receive(reply)) is Outcome.ADDED
    page.get_by_role("button", name="Send to the customer").click()

    visit.sees("Somebody wrote meanwhile")
    visit.sees("Forget it, it works now.")
    assert box.input_value() == "Please send the receipt."
    assert [kind for kind, _ in written(ticket)] == [MessageKind.CUSTOMER] * 2
    box.fill("I am glad to hear it.")
    page.get_by_role("button", name="Send to the customer").click()
    visit.sees(page.get_by_role("button", name="Undo sending"))
    assert written(ticket)[2:] == [(MessageKind.REPLY, "I am glad to hear it.")]


def test_a_draft_survives_signing_out(open_page):
    desk = Desk()
    ticket = desk.ticket("My card")
    visit = open_page(desk.agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    page.get_by_label("The customer reads this").fill("Half a sentence, and")
    visit.sees("Saved ")
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"/tickets/{ticket.reference}/")
    visit.sees(page.get_by_label("Password"))

    later = open_page(desk.agent)
    later.page.goto(f"/tickets/{ticket.reference}/")
    later.sees("My card")
    assert later.page.get_by_label("The customer reads this").input_value() == "Half a sentence, and"
    later.page.get_by_role("tab", name="Internal note").click()
    assert later.page.get_by_label("Only we read this").input_value() == ""


@pytest.mark.parametrize("width", [1300, 400])
def test_pictures_are_viewed_by_keyboard(open_page, width):
    desk = Desk()
    ticket = desk.mail_with_a_photo()
    visit = open_page(desk.agent, viewport={"width": width, "height": 900})
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    links = page.locator("[data-picture]")
    links.first.focus()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    told = viewer.get_by_role("status")
    shown = viewer.get_by_role("img")
    visit.sees(told.get_by_text("receipt.jpg: 100 %"))
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    upright = shown.bounding_box()

    page.keyboard.press("+")
    visit.sees(told.get_by_text("125 %"))
    page.keyboard.press("t")
    visit.sees(told.get_by_text("turned by 90°"))
    page.keyboard.press("0")
    lying = shown.bounding_box()
    assert (upright["width"] < upright["height"]) == (lying["width"] > lying["height"])
    page.keyboard.press("ArrowRight")
    visit.sees(told.get_by_text("back.jpg: 100 %"))
    page.keyboard.press("ArrowLeft")
    visit.sees(told.get_by_text("receipt.jpg: 100 %"))
    page.keyboard.press("Escape")
    viewer.wait_for(state="hidden")
    expect(links.first).to_be_focused()
    assert page.url.endswith(f"/tickets/{ticket.reference}/")


def test_the_queue_is_gone_through_by_keyboard(open_page):
    desk = Desk()
    now = timezone.now()
    subjects = ["The first", "The second", "The third"]
    tickets = [desk.ticket(subject, now=now + timedelta(minutes=30 * n)) for n, subject in enumerate(subjects)]
    visit = open_page(desk.agent)
    page = visit.page
    page.goto("/tickets/")
    visit.sees("The third")

    def focused():
        return page.evaluate("document.activeElement.closest('[data-row]')?.dataset.row")

    for key, place in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        assert focused() == tickets[place].reference, key
    page.keyboard.press("x")
    assert page.get_by_label(f"Choose {tickets[1].reference}").is_checked()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    keys.wait_for()
    assert "Next ticket" in keys.inner_text()
    page.keyboard.press("Escape")
    keys.wait_for(state="hidden")

    # Where something is typed, they are letters.
    page.get_by_text("Filter and sort").click()
    tag = page.get_by_label("Tag", exact=True)
    tag.press_sequentially("jxk?")
    assert tag.input_value() == "jxk?"
    assert not keys.is_visible()
    assert not page.get_by_label(f"Choose {tickets[2].reference}").is_checked()
    tag.fill("")

    page.get_by_role("link", name="The second").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(tickets[1].reference))
    visit.sees("Write")
    # Back: the same row, and what was chosen.
    page.go_back()
    visit.sees("The third")
    page.wait_for_function(
        "reference => document.activeElement.closest('[data-row]')?.dataset.row === reference", arg=tickets[1].reference
    )
    assert page.get_by_label(f"Choose {tickets[1].reference}").is_checked()


def test_a_bulk_action_says_what_it_will_leave_out(open_page):
    desk = Desk()
    low, normal = desk.ticket("A low one", priority=Priority.LOW), desk.ticket("A normal one")
    visit = open_page(desk.agent)
    page = visit.page
    page.goto("/tickets/")
    page.get_by_label("Choose all on this page").check()
    visit.sees(": 2 chosen")
    page.get_by_label("What to do").select_option("Low")
    page.get_by_role("button", name="With the chosen ones").click()

    visit.sees("1 of 2 tickets")
    visit.sees(page.get_by_text(low.reference))
    assert aside(lambda: Ticket.objects.get(pk=normal.pk).priority) == Priority.NORMAL
    page.get_by_role("button", name="Change 1 ticket").click()
    visit.sees("What came of it")
    assert aside(lambda: Ticket.objects.get(pk=normal.pk).priority) == Priority.LOW
    page.get_by_role("link", name="Back to the queue").click()
    visit.sees("A normal one")


def test_two_tickets_are_merged_after_a_question_and_parted_again(open_page):
    desk = Desk()
    into = desk.mail_with_a_photo()
    ticket = desk.ticket("Me again", body="Any news?", requester_email="ada@example.com")
    visit = open_page(desk.agent)
    page = visit.page
    page.goto(f"/tickets/{ticket.reference}/")
    page.get_by_text("Link it").click()
    page.get_by_label("Reference of the other ticket").fill(into.reference.lower())
    page.get_by_role("button", name="Merge it into that one").click()
    visit.sees(f"{ticket.reference} becomes part of {into.reference}")
    assert aside(lambda: Ticket.objects.get(pk=ticket.pk).merged_into_id) is None
    page.get_by_role("button", name="Merge", exact=True).click()

    page.wait_for_url(f"**/tickets/{into.reference}/")
    visit.sees("Any news?")
    page.goto(f"/tickets/{ticket.reference}/")
    visit.sees("Answer there.")
    assert page.get_by_label("The customer reads this").count() == 0
    page.get_by_role("button", name=re.compile("Undo")).click()
    visit.sees(page.get_by_label("The customer reads this"))
    assert aside(lambda: Ticket.objects.get(pk=ticket.pk).status) == TicketStatus.NEW


@pytest.mark.heavy
def test_every_page_of_the_desk_can_be_read(open_page, look):
    desk = Desk()
    ticket = desk.mail_with_a_photo()
    world = World()
    long = factories.ticket(
        world.program,
        account=world.account,
        code=world.cards["frozen"].row,
        subject="I scratched the card that I was given and it says “This code is not valid”, on every device I own",
        error_message="This code is not valid",
        requester_name="Wilhelmina Featherstonehaugh-Cholmondeley",
        requester_email=world.account.email,
        priority=Priority.URGENT,
        retailer=world.retailer,
        channel=TicketChannel.RETAILER,
    )
    factories.ticket(world.program, account=world.account, subject="An earlier one", now=timezone.now())
    visit = open_page(world.manager)
    page = visit.page
    page.goto("/tickets/?view=all")
    visit.sees("An earlier one")
    look(visit, "desk queue")
    page.get_by_label("Choose all on this page").check()
    page.get_by_text("Filter and sort").click()
    look(visit, "desk queue, opened")
    page.get_by_label("What to do").select_option("Urgent")
    page.get_by_role("button", name="With the chosen ones").click()
    visit.sees(page.get_by_text(re.compile(r"of \d+ tickets")))
    look(visit, "desk bulk")
    page.get_by_role("button", name=re.compile("^Change ")).click()
    visit.sees("Back to the queue")
    look(visit, "desk bulk, done")
    for name, one in (("with files", ticket), ("with a card", long)):
        page.goto(f"/tickets/{one.reference}/")
        visit.sees("What was written")
        look(visit, f"desk ticket, {name}")
    page.goto(f"/tickets/{ticket.reference}/")
    page.locator("[data-picture]").first.click()
    visit.sees("receipt.jpg: 100 %")
    look(visit, "desk viewer")
    page.goto(f"/tickets/{ticket.reference}/")
    page.get_by_text("Link it").click()
    page.get_by_label("Reference of the other ticket").fill(long.reference)
    page.get_by_role("button", name="Merge it into that one").click()
    visit.sees(page.get_by_role("button", name="Merge", exact=True))
    look(visit, "desk merge")
    page.goto("/tickets/new/")
    visit.sees(page.get_by_label("Subject"))
    look(visit, "desk new ticket")
    page.goto(f"/customers/{world.account.reference}/")
    visit.sees("An earlier one")
    look(visit, "desk account")
    page.goto("/tickets/")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    look(visit, "desk keys")
