"""Changing a ticket's fields, taking it, taking an answer back, and going on to the next."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.roles import Role
from support.actions import links
from support.actions.messages import unsend
from support.actions.tickets import TicketError, change
from support.models import Draft, Message, MessageKind, Priority, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.views.test_ticket_page import page_of, send

pytestmark = pytest.mark.django_db


def fields_of(client, ticket, **changed):
    """What the browser would post of the form as it stands on the page, with some of it changed."""
    form = client.get(page_of(ticket)).context["fields"]
    data = {name: value for name in form.fields if (value := form[name].value()) not in (None, "")}
    data["before"] = json.dumps(form.initial["before"])
    return data | changed


def save(client, ticket, data):
    return client.post(f"{page_of(ticket)}change/", data)


def test_everything_about_a_ticket_is_changed_by_one_form():
    card = factories.card()
    program = card.batch.product.program
    account, shop = factories.account(program), factories.retailer()
    ticket = factories.ticket()
    client, agent = at_the_desk()
    data = fields_of(
        client, ticket, subject="Card from Saturn", status="waiting_for_retailer", priority="4", assignee=agent.pk,
        tags="Outage, vip,  outage", program=program.pk, account=account.reference, code=str(card.serial),
        retailer=shop.pk, error_message="Not valid", surface="web", steps_tried=["vpn_off"],
    )  # fmt: skip
    assert save(client, ticket, data)["Location"] == page_of(ticket)
    ticket.refresh_from_db()
    assert (ticket.subject, ticket.status, ticket.priority, ticket.assignee) == (
        "Card from Saturn", TicketStatus.WAITING_FOR_RETAILER, Priority.URGENT, agent,
    )  # fmt: skip
    assert (ticket.tags, ticket.program, ticket.account, ticket.code_id, ticket.retailer) == (
        ["outage", "vip"], program, account, card.serial, shop,
    )  # fmt: skip
    assert (ticket.error_message, ticket.surface, ticket.steps_tried) == ("Not valid", "web", ["vpn_off"])
    words = shown(client.get(page_of(ticket)))
    assert f"{agent} changed status from New to Waiting for retailer, priority from Normal to Urgent" in words
    assert f"card to {card.serial}" in words


def test_an_untouched_form_changes_nothing():
    ticket = factories.ticket(steps_tried=["waited", "vpn_off"], error_message="Not valid")
    client, _ = at_the_desk()
    assert save(client, ticket, fields_of(client, ticket)).status_code == 303
    assert ticket.version == type(ticket).objects.get(pk=ticket.pk).version
    assert ticket.events.count() == 1


def test_what_somebody_else_changed_is_shown_and_asked_about():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    other = factories.user(Role.AGENT)
    data = fields_of(client, ticket, priority="4", tags="mine")
    change(ticket=ticket, by=other, priority=Priority.LOW, surface="web")
    response = save(client, ticket, data)
    assert response.status_code == 409
    assert "Somebody changed this meanwhile: it is now Low." in shown(response)
    ticket.refresh_from_db()
    assert (ticket.priority, ticket.tags) == (Priority.LOW, [])
    again = data | {"before": json.dumps(response.context["fields"].initial["before"])}
    assert response.context["fields"]["priority"].value() == "4"
    assert json.loads(response.context["fields"]["before"].value()) == json.loads(again["before"])
    assert save(client, ticket, again).status_code == 303
    ticket.refresh_from_db()
    # What the agent had not touched stays as the other made it... unless his form says otherwise.
    assert (ticket.priority, ticket.tags) == (Priority.URGENT, ["mine"])


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("code", "1234", "No card has this serial number"),
        ("code", "9999999999", "No card has this serial number"),
        ("account", "AC-0000-0000-0000", "No account has this reference"),
        ("account", "nobody@example.com", "choose the program too"),
        ("tags", "x" * 31, "of 30 characters"),
        ("status", "gone", "Select a valid choice"),
        ("priority", "9", "Select a valid choice"),
        ("subject", "", "This field is required"),
        ("before", "[1]", "Load the page again"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_changed(field, value, sentence):
    ticket = factories.ticket()
    client, _ = at_the_desk()
    response = save(client, ticket, fields_of(client, ticket, **{field: value}))
    assert response.status_code == 422
    assert sentence in str(response.context["fields"].errors[field])
    assert ticket.events.count() == 1


def test_an_agent_assigns_to_nobody_but_himself():
    ticket, other = factories.ticket(), factories.user(Role.AGENT)
    client, agent = at_the_desk()
    assert save(client, ticket, fields_of(client, ticket, assignee=other.pk)).status_code == 422
    assert client.post(f"{page_of(ticket)}take/").status_code == 303
    ticket.refresh_from_db()
    assert ticket.assignee == agent
    assert "Assign to me" not in shown(client.get(page_of(ticket)))
    manager, _ = at_the_desk(Role.MANAGER)
    assert save(manager, ticket, fields_of(manager, ticket, assignee=other.pk)).status_code == 303
    ticket.refresh_from_db()
    assert ticket.assignee == other


@pytest.mark.parametrize("path", ["change", "take", "write/reply", "write/note", "unsend/1"])
def test_who_may_only_read_changes_nothing(path):
    ticket = factories.ticket()
    client, _ = at_the_desk(Role.AUDITOR)
    assert client.post(f"{page_of(ticket)}{path}/", {"body": "x"}).status_code == 404


def test_an_answer_is_taken_back_and_its_text_is_in_the_box():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    page = client.get(send(client, ticket, body="Dear Ada")["Location"])
    answer = Message.objects.get(kind=MessageKind.REPLY)
    undo = f"{page_of(ticket)}unsend/{answer.pk}/"
    assert undo in page.content.decode()
    response = client.post(undo, follow=True)
    assert "The answer was not sent." in shown(response)
    assert response.context["boxes"][0]["body"].value() == "Dear Ada"
    assert not Message.objects.filter(kind=MessageKind.REPLY).exists()
    # Pressed twice.
    assert client.post(undo).status_code == 303


def test_it_is_too_late_after_ten_seconds():
    ticket = factories.ticket()
    client, agent = at_the_desk()
    client.get(send(client, ticket, body="Dear Ada")["Location"])
    answer = Message.objects.get(kind=MessageKind.REPLY)
    with pytest.raises(TicketError):
        unsend(message=answer, by=agent, now=answer.undo_until + timedelta(seconds=1))
    Message.objects.update(undo_until=answer.at)
    response = client.post(f"{page_of(ticket)}unsend/{answer.pk}/", follow=True)
    assert "It is out already" in shown(response)
    assert "Undo sending" not in shown(response)
    assert not Draft.objects.exists()


def test_send_and_solve_opens_the_next_ticket_of_the_same_view_with_a_way_to_undo():
    first, second, third = (factories.ticket(priority=priority) for priority in (4, 3, 2))
    client, _ = at_the_desk()
    view = "?view=unassigned"
    address = f"{page_of(first)}write/reply/{view}"
    boxes = client.get(page_of(first) + view).context["boxes"]
    data = {name: boxes[0][name].value() for name in ("send_key", "seen", "status")}
    response = client.post(address, data | {"body": "Done.", "then": "solve"})
    first.refresh_from_db()
    assert first.status == TicketStatus.SOLVED
    following = client.get(response["Location"])
    assert following.context["ticket"] in (second, third)
    assert response["Location"].endswith(view)
    assert f"The answer on {first.reference} is written." in shown(following)
    assert "Undo sending" in shown(following)


def test_after_the_last_ticket_comes_the_queue():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    assert send(client, ticket, body="Done.", then="solve")["Location"].startswith("/tickets/")
    client.get("/tickets/")


def test_the_page_costs_the_same_whatever_the_length():
    counts = set()
    for written in (1, 3):
        card = factories.card()
        ticket = factories.ticket(card.batch.product.program, code=card.row)
        client, _ = at_the_desk()
        other = factories.user(Role.AGENT)
        for number in range(written):
            send(client, ticket, "note", body=f"Note {number}")
            send(client, ticket, body=f"Answer {number}", status="open")
            change(ticket=ticket, by=other, priority=Priority.HIGH if number % 2 else Priority.LOW)
            links.merge(ticket=factories.ticket(), into=ticket, by=other)
            factories.ticket(card.batch.product.program, code=card.row)
        client.get(page_of(ticket))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page_of(ticket)).status_code == 200
        counts.add(len(queries))
    assert len(counts) == 1
    assert counts.pop() < 50


def test_two_thousand_messages_are_leafed_through():
    ticket = factories.ticket()
    agent = factories.user(Role.AGENT)
    Message.objects.bulk_create(
        Message(ticket=ticket, kind=MessageKind.NOTE, author=agent, body=f"Note {number:04}.") for number in range(2000)
    )
    client, _ = at_the_desk()
    words, address, pages = [], page_of(ticket), 0
    while address:
        response = client.get(address)
        story = response.context["thread"]
        words = [entry.message.body for entry in story.entries if entry.message] + words
        assert story.newest == Message.objects.latest("pk").pk
        address = f"{page_of(ticket)}?before={story.older}" if story.older else None
        pages += 1
    assert pages == 41
    assert words == [Message.objects.earliest("pk").body, *(f"Note {number:04}." for number in range(2000))]
