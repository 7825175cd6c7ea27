"""Opening tickets and changing them."""

import pytest

from redemption.roles import Role
from support.actions.messages import StaleTicketError, add_customer_message, write_staff_message
from support.actions.tickets import TicketError, change
from support.models import MessageKind, Priority, TicketChannel, TicketStatus
from tests import factories

pytestmark = pytest.mark.django_db


def test_an_answer_waits_for_the_customer_whose_next_message_brings_the_ticket_back():
    agent = factories.user(Role.AGENT)
    ticket = factories.ticket()
    write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Which country?", by=agent)
    ticket.refresh_from_db()
    assert (ticket.status, ticket.assignee) == (TicketStatus.WAITING_FOR_CUSTOMER, agent)
    add_customer_message(ticket=ticket, body="GB")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN


def test_sending_twice_makes_one_message():
    agent = factories.user(Role.AGENT)
    ticket = factories.ticket()
    sent = [
        write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Hello", by=agent, send_key="k")
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    assert ticket.messages.count() == 2


def test_answering_what_somebody_has_written_meanwhile_is_refused_and_shows_it():
    agent = factories.user(Role.AGENT)
    ticket = factories.ticket()
    seen = ticket.messages.get().pk
    newer = add_customer_message(ticket=ticket, body="It works now")
    with pytest.raises(StaleTicketError) as refused:
        write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Sorry", by=agent, seen=seen)
    assert refused.value.newer == [newer]
    assert ticket.messages.count() == 2


def test_the_history_names_what_changed_and_holds_no_words_of_the_customer():
    agent = factories.user(Role.AGENT)
    ticket = factories.ticket()
    change(ticket=ticket, by=agent, priority=Priority.URGENT, subject="Stolen card")
    event = ticket.events.get(kind="changed")
    assert event.changes == {"priority": [Priority.NORMAL, Priority.URGENT], "subject": []}
    assert event.by == agent


def test_the_social_media_team_changes_what_was_asked_in_public_only():
    social = factories.user(Role.SOCIAL_MEDIA)
    private, public = factories.ticket(), factories.ticket(channel=TicketChannel.SOCIAL)
    change(ticket=public, by=social, priority=Priority.HIGH)
    with pytest.raises(TicketError, match="Your role"):
        change(ticket=private, by=social, priority=Priority.HIGH)


def test_an_agent_takes_tickets_and_a_senior_agent_gives_them():
    agent, other, senior = factories.user(Role.AGENT), factories.user(Role.AGENT), factories.user(Role.SENIOR_AGENT)
    ticket = factories.ticket()
    change(ticket=ticket, by=agent, assignee=agent)
    with pytest.raises(TicketError, match="nobody but yourself"):
        change(ticket=ticket, by=agent, assignee=other)
    assert change(ticket=ticket, by=senior, assignee=other).assignee == other
