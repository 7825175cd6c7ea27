"""Duplicates, merging with its undoing, and problems with their incidents."""

import pytest

from redemption.roles import Role
from support.actions import links
from support.actions.messages import add_customer_message, write_staff_message
from support.actions.tickets import TicketError, change
from support.models import AuditAction, AuditEvent, Message, MessageKind, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.views.test_ticket_page import page_of, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT, name="Ines")


def do(client, ticket, verb, other=None):
    return client.post(f"{page_of(ticket)}links/{verb}/", {"other": other.reference if other else ""}, follow=True)


def fresh(ticket):
    return Ticket.objects.get(pk=ticket.pk)


# --- Merging


def test_merging_asks_first_and_says_what_will_happen():
    ticket, into = factories.ticket(requester_name="Ada"), factories.ticket(requester_name="Bob")
    client, _ = at_the_desk()
    page = client.post(f"{page_of(ticket)}merge/", {"other": into.reference})
    words = shown(page)
    assert f"{ticket.reference} becomes part of {into.reference}" in words
    assert "These are two requesters." in words
    assert fresh(ticket).merged_into is None
    page = client.post(f"{page_of(ticket)}merge/", {"other": into.reference, "confirmed": "1"}, follow=True)
    assert page.context["ticket"] == into
    words = shown(page)
    assert f"from {ticket.reference}" in words
    assert f"merged {ticket.reference} into it" in words
    assert fresh(ticket).status == TicketStatus.CLOSED
    page = client.get(page_of(ticket))
    assert "This ticket was merged into another one." in shown(page)
    assert (page.context["boxes"], page.context["fields"]) == ([], None)
    assert client.get(f"{page_of(ticket)}merge/")["Location"].startswith(page_of(ticket))


@pytest.mark.parametrize("status", [TicketStatus.OPEN, TicketStatus.WAITING_FOR_RETAILER, TicketStatus.SOLVED])
def test_undoing_a_merge_gives_back_what_was(agent, status):
    ticket, into = factories.ticket(), factories.ticket()
    change(ticket=ticket, by=agent, status=status)
    links.merge(ticket=ticket, into=into, by=agent)
    client, _ = at_the_desk()
    assert f"{into.reference} " in shown(do(client, ticket, "unmerge"))
    assert (fresh(ticket).status, fresh(ticket).merged_into) == (status, None)
    actions = AuditEvent.objects.filter(target=f"ticket:{ticket.pk}").values_list("action", flat=True)
    assert {AuditAction.TICKET_MERGED, AuditAction.TICKET_UNMERGED} <= set(actions)
    assert [event.kind for event in into.events.all()] == ["opened", "merged", "unmerged"]
    assert len(client.get(page_of(into)).context["thread"].entries) == 3
    with pytest.raises(TicketError):
        links.unmerge(ticket=fresh(ticket), by=agent)


def test_there_are_no_chains_and_no_circles(agent):
    one, two, three = (factories.ticket() for _ in range(3))
    links.merge(ticket=one, into=two, by=agent)
    for ticket, into in [(one, one), (one, three), (two, one), (three, one), (two, three)]:
        with pytest.raises(TicketError):
            links.merge(ticket=fresh(ticket), into=fresh(into), by=agent)
    links.merge(ticket=three, into=two, by=agent)


def test_a_retailers_report_is_merged_with_nothing(agent):
    report, other = factories.report(factories.card()).ticket, factories.ticket()
    for ticket, into in [(report, other), (other, report)]:
        with pytest.raises(TicketError, match="in a ticket of its own"):
            links.merge(ticket=ticket, into=into, by=agent)
    assert (fresh(report).merged_into, fresh(other).merged_into) == (None, None)


def test_nothing_is_written_on_a_merged_ticket(agent):
    ticket, into = factories.ticket(), factories.ticket()
    links.merge(ticket=ticket, into=into, by=agent)
    with pytest.raises(TicketError):
        write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Dear Ada", by=agent)
    with pytest.raises(TicketError):
        change(ticket=ticket, by=agent, status=TicketStatus.OPEN)


def test_what_the_customer_writes_on_a_merged_ticket_wakes_the_other_and_is_noticed(agent):
    ticket, into = factories.ticket(), factories.ticket()
    links.merge(ticket=ticket, into=into, by=agent)
    change(ticket=into, by=agent, status=TicketStatus.SOLVED)
    client, _ = at_the_desk()
    seen = client.get(page_of(into)).context["thread"].newest
    add_customer_message(ticket=ticket, body="And now?")
    assert (fresh(ticket).status, fresh(into).status) == (TicketStatus.CLOSED, TicketStatus.OPEN)
    assert send(client, into, body="Dear Ada", seen=str(seen)).status_code == 409
    assert "And now?" in shown(client.get(page_of(into)))


def test_one_s_own_tickets_only(agent):
    private, public = factories.ticket(), factories.ticket(channel=TicketChannel.SOCIAL)
    client, person = at_the_desk(Role.SOCIAL_MEDIA)
    page = client.post(f"{page_of(public)}merge/", {"other": private.reference}, follow=True)
    assert "There is no ticket of this reference" in shown(page)
    links.merge(ticket=private, into=public, by=agent)
    page = client.get(page_of(public))
    assert private.reference not in page.content.decode()
    assert len([entry for entry in page.context["thread"].entries if entry.message]) == 1
    with pytest.raises(TicketError):
        links.unmerge(ticket=fresh(private), by=person)


@pytest.mark.parametrize("other", ["", "TK-0000-0000-0000", "nonsense", "1000000000"])
def test_an_unknown_reference_is_said(other):
    ticket = factories.ticket()
    client, _ = at_the_desk()
    for path in ("merge", "links/duplicate", "links/incident"):
        page = client.post(f"{page_of(ticket)}{path}/", {"other": other}, follow=True)
        assert "There is no ticket of this reference" in shown(page)
    assert client.post(f"{page_of(ticket)}links/eat/").status_code == 404


# --- Duplicates


def test_a_duplicate_is_shown_on_both_and_can_be_taken_away():
    ticket, of, third = (factories.ticket() for _ in range(3))
    client, _ = at_the_desk()
    do(client, ticket, "duplicate", of)
    assert "Duplicate of: " in shown(client.get(page_of(ticket)))
    assert "Duplicate of this one: " in shown(client.get(page_of(of)))
    assert "name the ticket that it is one of" in shown(do(client, third, "duplicate", ticket))
    assert "Others are duplicates of this one" in shown(do(client, of, "duplicate", third))
    assert "not linked to itself" in shown(do(client, third, "duplicate", third))
    assert f"marked it as a duplicate of {of.reference}" in shown(client.get(page_of(ticket)))
    do(client, ticket, "no-duplicate")
    assert fresh(ticket).duplicate_of is None


# --- Problems


@pytest.fixture
def outage(agent):
    """A problem with three incidents: two to answer, one that is solved."""
    problem = factories.ticket(subject="All codes fail")
    links.mark_problem(ticket=problem, by=agent)
    incidents = [factories.ticket(requester_name=name) for name in ("Ada", "Bob", "Cyd")]
    for incident in incidents:
        links.attach_incident(ticket=incident, problem=fresh(problem), by=agent)
    change(ticket=incidents[2], by=agent, status=TicketStatus.SOLVED)
    return fresh(problem), incidents


def test_solving_a_problem_offers_to_answer_its_incidents(outage):
    problem, _ = outage
    client, _ = at_the_desk()
    assert "Answer its open incidents: 2" in shown(client.get(page_of(problem)))
    response = send(client, problem, body="It is repaired.", then="solve")
    assert response["Location"].startswith(page_of(problem))
    assert '<details id="incidents" open>' in client.get(page_of(problem)).content.decode()


def test_one_text_answers_them_all_with_each_one_s_own_words(outage):
    problem, (ada, bob, cyd) = outage
    client, _ = at_the_desk()
    address = f"{page_of(problem)}incidents/"
    for _ in range(2):
        page = client.post(address, {"body": "Dear {requester}, it is repaired.", "key": "once"})
    assert [message.body for message in Message.objects.filter(kind=MessageKind.REPLY).order_by("pk")] == [
        "Dear Ada, it is repaired.",
        "Dear Bob, it is repaired.",
    ]
    assert {fresh(incident).status for incident in (ada, bob, cyd)} == {TicketStatus.SOLVED}
    assert "None was answered." in shown(page)


def test_what_cannot_be_answered_is_skipped_and_named(outage):
    problem, (ada, bob, _) = outage
    Ticket.objects.filter(pk=bob.pk).update(program=factories.program("Netflix"))
    client, _ = at_the_desk()
    page = client.post(f"{page_of(problem)}incidents/", {"body": "{program} works again.", "key": "once"})
    words = shown(page)
    assert f"Skipped: 1 {ada.reference} Nothing is known here to put in place of {{program}}." in words
    assert f"Answered and solved: {bob.reference}" in words
    assert page.context["body"] == "{program} works again."
    assert client.post(f"{page_of(problem)}incidents/", {"body": " ", "key": "x"}).status_code == 422


def test_a_problem_is_no_incident(outage, agent):
    problem, (ada, *_) = outage
    other = factories.ticket()
    client, _ = at_the_desk()
    assert "is not marked as a problem" in shown(do(client, ada, "incident", other))
    assert "It has incidents: detach them first." in shown(do(client, problem, "no-problem"))
    assert "It is an incident of a problem" in shown(do(client, ada, "problem"))
    do(client, other, "problem")
    assert "It is a problem itself." in shown(do(client, other, "incident", problem))
    with pytest.raises(TicketError):
        links.merge(ticket=problem, into=other, by=agent)
    do(client, ada, "no-incident")
    assert fresh(ada).problem is None
    do(client, problem, "add-incident", ada)
    assert fresh(ada).problem == problem


@pytest.mark.parametrize("path", ["links/problem", "merge", "incidents"])
def test_who_may_only_read_links_nothing(outage, path):
    problem, _ = outage
    client, _ = at_the_desk(Role.AUDITOR)
    assert client.post(f"{page_of(problem)}{path}/", {"body": "x"}).status_code == 404
    assert "Link it" not in shown(client.get(page_of(problem)))
