"""What customers write about an outage: one problem gathers it."""

from datetime import timedelta

import pytest
from django.db import transaction

from redemption import outages
from redemption.models import Outage, User
from redemption.references import Untried, sign
from redemption.roles import Role
from support.actions import links
from support.actions.outages import switch_off, switch_on
from support.incidents import gather, gather_late
from support.models import AuditAction, AuditEvent, MessageKind, Priority, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.factories import NOON
from tests.simulation.crowd import all_at_once, errors

HOUR = timedelta(hours=1)


@pytest.fixture
def program():
    return factories.program("Spotify")


@pytest.fixture
def manager():
    return factories.user(Role.MANAGER)


def asked(program, *, kind=None, at=NOON, reference="", **fields):
    """A customer's request, about an answer of this kind where one is given."""
    account = factories.account(program)
    reference = sign(kind, account.pk, at) if kind else reference
    told = {"channel": TicketChannel.WEB, "account": account, "answer_reference": reference, "now": at}
    return factories.ticket(program, **told | fields)


def problem_of(ticket):
    ticket.refresh_from_db()
    return ticket.problem


@pytest.mark.django_db
def test_switching_off_makes_the_problem_that_gathers(program, manager):
    outage = switch_off(program=program, message="Back at six.", by=manager, now=NOON)
    problem = Ticket.objects.get(outage=outage)
    assert (problem.is_problem, problem.program, problem.priority, problem.requester_email) == (
        True,
        program,
        Priority.HIGH,
        "",
    )
    note = problem.messages.get()
    assert (note.kind, note.author) == (MessageKind.NOTE, manager)
    assert "15 June 2026, 14:00 CEST" in note.body
    assert "“Back at six.”" in note.body
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
    assert actions == [AuditAction.OUTAGE_DECLARED, AuditAction.TICKET_CREATED]


@pytest.mark.django_db
def test_requests_about_an_outage_are_its_incidents_and_others_are_not(program, manager):
    outage = switch_off(program=program, message="", by=manager, now=NOON)
    problem = Ticket.objects.get(outage=outage)
    about = [asked(program), asked(program, kind=Untried.UNAVAILABLE, at=NOON + HOUR)]
    others = [
        asked(factories.program()),
        asked(program, kind=Untried.THROTTLED),
        asked(program, kind=Untried.UNAVAILABLE, at=NOON - HOUR),
        asked(program, reference="AT-0000-0000-0000"),
        asked(program, reference="NO-0000-0000"),
        factories.ticket(),
    ]
    assert [gather(ticket, now=NOON) for ticket in (*about, *others)] == [problem, problem, *[None] * len(others)]
    assert [problem_of(ticket) for ticket in about] == [problem, problem]
    # Whoever writes when it is over, and about something else; and about an answer from then.
    switch_on(program=program, by=manager, now=NOON + 2 * HOUR)
    late = asked(program, kind=Untried.UNAVAILABLE, at=NOON + HOUR)
    assert [gather(asked(program)), gather(late)] == [None, problem]


@pytest.mark.django_db
def test_the_breakers_outage_has_its_problem_from_the_first_contact_on(program):
    outages.note(program.pk, first=NOON, last=NOON, now=NOON)
    outage = Outage.objects.get()
    assert not Ticket.objects.filter(outage=outage).exists()
    first, second = (asked(program, kind=Untried.UNAVAILABLE) for _ in range(2))
    problem = gather(first, now=NOON)
    assert (problem.outage, gather(second, now=NOON)) == (outage, problem)
    assert problem.messages.get().author == User.objects.system()
    assert Ticket.objects.filter(is_problem=True).count() == 1


@pytest.mark.django_db
def test_what_came_before_its_outage_was_noted_is_gathered_later(program):
    early = [asked(program, kind=Untried.UNAVAILABLE) for _ in range(2)]
    solved = asked(program, kind=Untried.UNAVAILABLE)
    Ticket.objects.filter(pk=solved.pk).update(status=TicketStatus.SOLVED)
    other = asked(program, kind=Untried.THROTTLED)
    assert [gather(ticket) for ticket in early] == [None, None]
    outages.note(program.pk, first=NOON - HOUR, last=NOON + HOUR, now=NOON + 3 * HOUR)
    gather_late(now=NOON + 3 * HOUR)
    problem = Ticket.objects.get(is_problem=True)
    assert [problem_of(ticket) for ticket in (*early, solved, other)] == [problem, problem, None, None]
    versions = [ticket.version for ticket in Ticket.objects.order_by("pk")]
    gather_late(now=NOON + 3 * HOUR)
    assert [ticket.version for ticket in Ticket.objects.order_by("pk")] == versions


@pytest.mark.django_db
def test_what_people_have_linked_otherwise_stands(program, manager):
    switch_off(program=program, message="", by=manager, now=NOON)
    detached = asked(program, kind=Untried.UNAVAILABLE)
    problem = gather(detached, now=NOON)
    links.detach_incident(ticket=detached, by=manager, now=NOON)
    assert gather(detached, now=NOON) is None
    gather_late(now=NOON)
    assert problem_of(detached) is None
    other = factories.ticket(program)
    links.mark_problem(ticket=other, by=manager)
    theirs = asked(program)
    links.attach_incident(ticket=theirs, problem=other, by=manager)
    assert (gather(theirs, now=NOON), problem_of(theirs)) == (other, other)
    # One that is no problem any more gathers nothing.
    links.mark_problem(ticket=problem, by=manager, is_problem=False)
    assert gather(asked(program), now=NOON) is None


@pytest.mark.django_db
def test_one_answer_answers_them_all(program, manager):
    switch_off(program=program, message="", by=manager, now=NOON)
    tickets = [asked(program, kind=Untried.UNAVAILABLE) for _ in range(3)]
    (problem,) = {gather(ticket, now=NOON) for ticket in tickets}
    done = links.answer_incidents(problem=problem, body="It works again.", by=manager, key="k", now=NOON + HOUR).done
    assert [ticket.pk for ticket in done] == [ticket.pk for ticket in tickets]
    assert set(Ticket.objects.filter(problem=problem).values_list("status", flat=True)) == {TicketStatus.SOLVED}


@pytest.mark.django_db(transaction=True)
def test_customers_who_write_first_at_once_make_one_problem(program):
    outages.note(program.pk, first=NOON, last=NOON, now=NOON)
    tickets = [asked(program, kind=Untried.UNAVAILABLE) for _ in range(5)]

    def write(ticket):
        # As the page does: in the transaction that the ticket is opened in.
        with transaction.atomic():
            Ticket.objects.filter(pk=ticket.pk).update(subject="Redeeming")
            return gather(ticket, now=NOON)

    outcomes = all_at_once([lambda ticket=ticket: write(ticket) for ticket in tickets])
    assert errors(outcomes) == []
    assert len({problem.pk for problem in outcomes}) == 1
    assert Ticket.objects.filter(is_problem=True).count() == 1
