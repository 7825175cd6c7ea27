"""Macros: what they would say and do is seen first, and no variable without a value is ever sent."""

import pytest

from redemption.roles import Role
from support.actions.messages import unsend, write_staff_message
from support.actions.tickets import TicketError
from support.macros import preview
from support.models import Macro, Message, MessageKind, Priority, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.views.test_ticket_page import page_of, send

pytestmark = pytest.mark.django_db

BODY = "Dear {requester},\n\nyour card {card} of {program} grants {benefit}. Quote {reference}.\n\n{agent}"


def macro(**fields):
    return Macro.objects.create(**{"name": "Works now", "body": BODY} | fields)


@pytest.fixture
def ticket():
    card = factories.card()
    return factories.ticket(card.batch.product.program, code=card.row)


def test_a_preview_shows_the_values_and_what_will_be_done(ticket):
    used = macro(status="solved", priority=4, add_tags=["vip"], assigns_to_me=True)
    client, _ = at_the_desk()
    words = shown(client.get(f"{page_of(ticket)}macros/{used.pk}/"))
    assert f"Dear Ada, your card {ticket.code_id} of {ticket.program} grants £30.00 credit." in words
    assert (
        "it also sets the status to Solved, sets the priority to Urgent, adds vip to the tags, "
        "assigns the ticket to you." in words
    )
    ticket.refresh_from_db()
    assert (ticket.status, ticket.tags) == (TicketStatus.NEW, [])


def test_what_it_does_is_done_when_it_is_sent_and_undone_when_taken_back(ticket):
    used = macro(status="solved", priority=4, add_tags=["vip"], assigns_to_me=True)
    client, agent = at_the_desk()
    send(client, ticket, body="It works now.", macro=str(used.pk), status="solved")
    ticket.refresh_from_db()
    assert (ticket.status, ticket.priority, ticket.tags, ticket.assignee) == (
        TicketStatus.SOLVED, Priority.URGENT, ["vip"], agent,
    )  # fmt: skip
    unsend(message=Message.objects.get(kind=MessageKind.REPLY), by=agent)
    ticket.refresh_from_db()
    assert (ticket.status, ticket.priority, ticket.tags, ticket.assignee) == (
        TicketStatus.NEW, Priority.NORMAL, [], None,
    )  # fmt: skip


def test_a_variable_without_a_value_is_refused_in_the_preview(ticket):
    used = macro(body="It ends on {expires_on}.")
    client, _ = at_the_desk()
    response = client.get(f"{page_of(ticket)}macros/{used.pk}/")
    assert "Nothing is known here to put in place of {expires_on}." in shown(response)
    assert "Put it into the box" not in shown(response)


@pytest.mark.parametrize("text", ["Quote {reference}.", "Dear { requester }", "{card}{card}"])
def test_a_variable_is_never_sent_even_when_typed_by_hand(ticket, text):
    client, _ = at_the_desk()
    response = send(client, ticket, body=text)
    assert response.status_code == 422
    assert "Nothing is known here to put in place of {" in shown(response)
    assert response.context["boxes"][0]["body"].value() == text
    assert not Message.objects.filter(kind=MessageKind.REPLY).exists()
    with pytest.raises(TicketError):
        write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body=text, by=factories.user(Role.AGENT))


@pytest.mark.parametrize("text", ["{}", "{something}", "{Reference}", "a {b c} d"])
def test_other_braces_are_just_text(ticket, text):
    client, _ = at_the_desk()
    assert send(client, ticket, body=text).status_code == 303


def test_without_scripts_text_and_macro_come_together_in_the_box(ticket):
    used = macro()
    client, agent = at_the_desk()
    context = client.get(page_of(ticket)).context
    box = {"keeper": context["keeper"], "body": "Hello.", "send_key": context["boxes"][0]["send_key"].value()}
    address = f"{page_of(ticket)}use/reply/"
    page = client.post(address, box | {"choice": str(used.pk)}, follow=True)
    assert "Put it into the box" in shown(page)
    assert page.context["boxes"][0]["body"].value() == "Hello."
    page = client.post(address, box | {"use": str(used.pk)}, follow=True)
    assert page.context["boxes"][0]["body"].value() == f"Hello.\n\n{preview(used, ticket=ticket, by=agent).text}"
    assert page.context["boxes"][0]["macro"].value() == used.pk
    assert "With the macro “Works now”." in shown(page)


def test_only_what_fits_the_ticket_is_offered(ticket):
    other, off = macro(name="B", program=factories.program()), macro(name="C", is_active=False)
    own = macro(name="D", program=ticket.program)
    client, _ = at_the_desk()
    assert client.get(page_of(ticket)).context["macros"] == [own]
    for hidden in (other, off):
        assert client.get(f"{page_of(ticket)}macros/{hidden.pk}/").status_code == 404
    auditor, _ = at_the_desk(Role.AUDITOR)
    assert auditor.get(f"{page_of(ticket)}macros/{own.pk}/").status_code == 404
