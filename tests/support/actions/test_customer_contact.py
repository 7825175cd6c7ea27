"""Whether a customer had written himself is part of a credit: an agent's word for it is not the customer's."""

import pytest

from redemption.roles import Role
from support.actions.messages import add_customer_message, write_staff_message
from support.models import MessageKind, TicketChannel
from tests import factories

pytestmark = pytest.mark.django_db


def test_what_the_customer_wrote_counts():
    assert factories.credit(ticket=factories.ticket()).customer_wrote


def test_what_an_agent_took_down_does_not_until_the_customer_writes_too():
    agent = factories.user(Role.AGENT)
    ticket = factories.ticket(channel=TicketChannel.PHONE, by=agent)
    write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="He rang twice.", by=agent)
    assert not factories.credit(ticket=ticket).customer_wrote
    add_customer_message(ticket=ticket, body="As I said on the telephone.")
    assert factories.credit(ticket=ticket).customer_wrote
