"""Tickets that belong together: duplicates, merged ones, and a problem with its incidents. All of it can be undone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support import audit
from support.actions.messages import write_staff_message
from support.actions.tickets import TicketError, require, write
from support.macros import refusal_of
from support.models import (
    DONE,
    AuditAction,
    CompromiseReport,
    MessageKind,
    Ticket,
    TicketEvent,
    TicketEventKind,
    TicketStatus,
)
from support.reply_variables import fill, values

# A page waits for them; the rest is answered by sending it again.
MOST_ANSWERED = 500


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a problem's incidents: those answered, and those that were not, each with why."""

    done: list[Ticket] = field(default_factory=list)
    skipped: list[tuple[Ticket, str]] = field(default_factory=list)
    has_more: bool = False


def mark_duplicate(*, ticket: Ticket, of: Ticket, by: User, now: datetime | None = None) -> None:
    """Says that it tells of the same thing as another. Both go on; merging is what closes one."""
    with transaction.atomic():
        ticket, of = _both(ticket, of, by)
        if of.duplicate_of_id:
            raise TicketError(f"{of.reference} is a duplicate itself: name the ticket that it is one of.")
        if Ticket.objects.filter(duplicate_of=ticket).exists():
            raise TicketError("Others are duplicates of this one: name it there.")
        _set(ticket, "duplicate_of", of, by=by, now=now)


def unmark_duplicate(*, ticket: Ticket, by: User, now: datetime | None = None) -> None:
    with transaction.atomic():
        (ticket,) = _locked([ticket], by)
        _set(ticket, "duplicate_of", None, by=by, now=now)


def merge(*, ticket: Ticket, into: Ticket, by: User, now: datetime | None = None) -> None:
    """Closes the ticket; the other's thread shows its messages from now on."""
    now = now or timezone.now()
    with transaction.atomic():
        ticket, into = _both(ticket, into, by)
        if refusal := merging_refused(ticket, into):
            raise TicketError(refusal)
        before = ticket.status
        ticket.status, ticket.merged_into = TicketStatus.CLOSED, into
        changes: dict[str, list[Any]] = {"merged_into": [None, into.pk], "status": [before, TicketStatus.CLOSED]}
        write(ticket, by=by, kind=TicketEventKind.MERGED, changes=changes, now=now)
        write(into, by=by, kind=TicketEventKind.MERGED, changes={"merged": [None, ticket.pk]}, now=now)
        audit.record(AuditAction.TICKET_MERGED, by=by, target=f"ticket:{ticket.pk}", into=into.pk)


def merging_refused(ticket: Ticket, into: Ticket) -> str:
    """Why these two are not merged; empty where they can be. So chains and circles never come about."""
    if ticket.pk == into.pk:
        return "A ticket is not merged into itself."
    if CompromiseReport.objects.filter(ticket__in=[ticket, into]).exists():
        # Its retailer reads the thread, and answers in it.
        return "A retailer’s report is in a ticket of its own: mark the other one as its duplicate instead."
    if ticket.merged_into_id:
        return f"{ticket.reference} was merged already."
    if into.merged_into_id:
        return f"{into.reference} was itself merged into another: merge into that one."
    if Ticket.objects.filter(merged_into=ticket).exists():
        return f"Others were merged into {ticket.reference}: merge {into.reference} into it instead."
    if ticket.is_problem:
        return f"{ticket.reference} is a problem: merge {into.reference} into it instead."
    return ""


def unmerge(*, ticket: Ticket, by: User, now: datetime | None = None) -> None:
    """The ticket is again what it was before, with all that was written on it since."""
    now = now or timezone.now()
    if not ticket.merged_into_id:
        raise TicketError("It is merged into no other ticket.")
    with transaction.atomic():
        ticket, into = _both(ticket, Ticket.objects.get(pk=ticket.merged_into_id), by)
        if ticket.merged_into_id != into.pk:
            raise TicketError("Somebody undid it meanwhile.")
        told = TicketEvent.objects.filter(ticket=ticket, kind=TicketEventKind.MERGED, changes__has_key="merged_into")
        merged = told.order_by("-pk").first()
        before = merged.changes["status"][0] if merged else TicketStatus.OPEN
        ticket.merged_into, ticket.status = None, before
        changes: dict[str, list[Any]] = {"merged_into": [into.pk, None], "status": [TicketStatus.CLOSED, before]}
        write(ticket, by=by, kind=TicketEventKind.UNMERGED, changes=changes, now=now)
        write(into, by=by, kind=TicketEventKind.UNMERGED, changes={"merged": [ticket.pk, None]}, now=now)
        audit.record(AuditAction.TICKET_UNMERGED, by=by, target=f"ticket:{ticket.pk}", into=into.pk)


def mark_problem(*, ticket: Ticket, by: User, is_problem: bool = True, now: datetime | None = None) -> None:
    """An outage that gathers its tickets, or not any more."""
    with transaction.atomic():
        (ticket,) = _locked([ticket], by)
        if ticket.merged_into_id:
            raise TicketError("It was merged into another ticket.")
        if is_problem and ticket.problem_id:
            raise TicketError("It is an incident of a problem: detach it first.")
        if not is_problem and Ticket.objects.filter(problem=ticket).exists():
            raise TicketError("It has incidents: detach them first.")
        _set(ticket, "is_problem", is_problem, by=by, now=now)


def attach_incident(*, ticket: Ticket, problem: Ticket, by: User, now: datetime | None = None) -> None:
    with transaction.atomic():
        ticket, problem = _both(ticket, problem, by)
        if not problem.is_problem:
            raise TicketError(f"{problem.reference} is not marked as a problem.")
        if ticket.is_problem:
            raise TicketError("It is a problem itself.")
        if ticket.merged_into_id:
            raise TicketError("It was merged into another ticket: attach that one.")
        _set(ticket, "problem", problem, by=by, now=now)


def detach_incident(*, ticket: Ticket, by: User, now: datetime | None = None) -> None:
    with transaction.atomic():
        (ticket,) = _locked([ticket], by)
        _set(ticket, "problem", None, by=by, now=now)


@sensitive_variables("body", "filled")
def answer_incidents(*, problem: Ticket, body: str, by: User, key: str, now: datetime | None = None) -> Answered:
    """One answer to all its incidents, with each one's own variables, and solves them. Each is a transaction of its
    own: what cannot be answered is skipped and named. The same `key` again answers none twice."""
    require(by, problem)
    if not problem.is_problem:
        raise TicketError("It is not marked as a problem.")
    if not body.strip():
        raise TicketError("There is nothing in it yet.")
    found = Answered()
    visible = Ticket.objects.visible_to(by).filter(problem=problem).exclude(status__in=DONE)
    incidents = list(visible.select_related("program", "account").order_by("pk")[: MOST_ANSWERED + 1])
    for incident in incidents[:MOST_ANSWERED]:
        filled = fill(body, values(incident, by))
        if filled.missing:
            found.skipped.append((incident, refusal_of(filled.missing)))
            continue
        try:
            write_staff_message(
                ticket=incident,
                kind=MessageKind.REPLY,
                body=filled.text,
                by=by,
                send_key=f"{key[:20]}:{incident.pk}",
                status=TicketStatus.SOLVED,
                now=now,
            )
        except TicketError as refused:
            found.skipped.append((incident, str(refused)))
        else:
            found.done.append(incident)
    return Answered(found.done, found.skipped, has_more=len(incidents) > MOST_ANSWERED)


def _set(ticket: Ticket, name: str, value: Any, *, by: User, now: datetime | None) -> None:
    """Changes one link and writes it down; what is so already is not written again."""
    before = getattr(ticket, name)
    if before == value:
        return
    setattr(ticket, name, value)
    changes = {name: [getattr(before, "pk", before), getattr(value, "pk", value)]}
    kind = TicketEventKind.LINKED if value else TicketEventKind.UNLINKED
    write(ticket, by=by, kind=kind, changes=changes, now=now or timezone.now())
    audit.record(AuditAction.TICKET_CHANGED, by=by, target=f"ticket:{ticket.pk}", fields=name)


def _both(ticket: Ticket, other: Ticket, by: User) -> tuple[Ticket, Ticket]:
    if ticket.pk == other.pk:
        raise TicketError("A ticket is not linked to itself.")
    one, two = _locked([ticket, other], by)
    return one, two


def _locked(tickets: Iterable[Ticket], by: User) -> list[Ticket]:
    """In the order asked for, but locked by key: two people who merge two tickets crosswise would deadlock."""
    tickets = list(tickets)
    for ticket in tickets:
        require(by, ticket)
    keys = [ticket.pk for ticket in tickets]
    rows = {row.pk: row for row in Ticket.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")}
    return [rows[key] for key in keys]
