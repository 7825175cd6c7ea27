"""Two at once: what is sent twice is written once, and who merges crosswise waits instead of deadlocking."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption.roles import Role
from support.actions import links
from support.actions.contact import Question, ask
from support.actions.drafts import keep_draft
from support.actions.messages import add_customer_message, write_staff_message
from support.actions.tickets import TicketError, open_ticket
from support.models import Draft, Message, MessageKind, Ticket, TicketChannel, TicketStatus
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works):
    """Runs them in threads that start together; gives what each returned, or the TicketError that it raised."""
    start = Barrier(len(works))

    def run(work):
        start.wait()
        try:
            return work()
        except TicketError as refused:
            return refused
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_a_form_sent_twice_at_once_opens_one_ticket():
    agent = factories.user(Role.AGENT)

    def opens():
        return open_ticket(channel=TicketChannel.PHONE, subject="x", body="y", by=agent, send_key="once")

    assert len({ticket.pk for ticket in at_once(opens, opens, opens)}) == 1
    assert Ticket.objects.count() == Message.objects.count() == 1


def test_a_customers_question_sent_twice_at_once_is_one_ticket_and_one_mail():
    person = factories.user()

    def asks():
        question = Question("It fails", "I typed it.")
        return ask(question, by=person, mailed_to=person.email, send_key="once")

    assert len({ticket.pk for ticket in at_once(asks, asks, asks)}) == 1
    assert Ticket.objects.count() == Message.objects.count() == 1
    mails = ProcrastinateJob.objects.filter(task_name="support.send_acknowledgement")
    assert mails.filter(args={"ticket_id": Ticket.objects.get().pk}).count() == 1


def test_an_answer_sent_twice_at_once_is_one_and_leaves_no_draft():
    ticket, agent = factories.ticket(), factories.user(Role.AGENT)

    def writes():
        return write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Dear Ada", by=agent, send_key="once")

    def keeps():
        return keep_draft(ticket=ticket, kind=MessageKind.REPLY, body="Dear Ada", by=agent, send_key="once")

    at_once(writes, keeps, writes, keeps)
    assert Message.objects.filter(kind=MessageKind.REPLY).count() == 1
    assert not Draft.objects.exists()


@pytest.mark.parametrize("turn", range(3))
def test_merging_crosswise_while_the_customer_writes_ends(turn):
    one, two, agent = factories.ticket(), factories.ticket(), factories.user(Role.AGENT)
    at_once(
        lambda: links.merge(ticket=one, into=two, by=agent),
        lambda: links.merge(ticket=two, into=one, by=agent),
        lambda: add_customer_message(ticket=one, body="And?"),
        lambda: add_customer_message(ticket=two, body="Well?"),
    )
    merged = Ticket.objects.exclude(merged_into=None).get()
    assert merged.status == TicketStatus.CLOSED
    assert merged.merged_into.merged_into is None
    assert merged.merged_into.status in (TicketStatus.NEW, TicketStatus.OPEN)
