"""An outage's tickets: one problem that gathers what customers write about it, so that one answer answers them all."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from redemption import outages
from redemption.models import Outage, OutageCause, User
from redemption.references import Untried, read_signed
from support import audit
from support.actions.tickets import write
from support.models import (
    AuditAction,
    Message,
    MessageKind,
    Priority,
    Ticket,
    TicketChannel,
    TicketEvent,
    TicketEventKind,
)
from support.targets import reckon

# An outage that a process notes late finds the tickets that came before its note.
_LATE = timedelta(days=1)


def gather(ticket: Ticket, *, now: datetime | None = None) -> Ticket | None:
    """Makes a customer's ticket an incident of the outage that it is about, and returns the outage's problem; None
    where it is about none: where it tells of another answer, or redeeming works. Done twice it is the same as once."""
    now = now or timezone.now()
    outage = _outage_of(ticket)
    if not outage:
        return None
    with transaction.atomic():
        problem = problem_of(outage, now=now)
        # The outage first, then tickets by key, as whoever links two of them locks them.
        pks = [ticket.pk, problem.pk]
        rows = {row.pk: row for row in Ticket.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk")}
        ticket, problem = rows[ticket.pk], rows[problem.pk]
        # Somebody may have linked either otherwise, by hand, or detached it: then that stands.
        if ticket.problem_id or ticket.is_problem or ticket.merged_into_id or not problem.is_problem:
            return ticket.problem
        if ticket.events.filter(kind=TicketEventKind.UNLINKED, changes__has_key="problem").exists():
            return None
        ticket.problem = problem
        changes = {"problem": [None, problem.pk]}
        write(ticket, by=User.objects.system(), kind=TicketEventKind.LINKED, changes=changes, now=now)
    return problem


def gather_late(*, now: datetime | None = None) -> None:
    """What was written before its outage was noted: a process that the database failed tells when it is back."""
    now = now or timezone.now()
    for outage in Outage.objects.filter(last_seen_at__gt=now - _LATE).order_by("pk"):
        about = Ticket.objects.unfinished().unmerged().filter(program=outage.program_id, problem=None, is_problem=False)
        early = about.filter(answer_reference__startswith="NO-", created_at__gte=outage.started_at - outages.QUIET)
        for ticket in early.order_by("pk"):
            gather(ticket, now=now)


def problem_of(outage: Outage, *, by: User | None = None, now: datetime | None = None) -> Ticket:
    """The outage's problem, made at the first contact, or by whoever switches redeeming off."""
    now = now or timezone.now()
    with transaction.atomic():
        # Two customers who write first at once: the second waits here, and finds the first's.
        outage = Outage.objects.select_for_update(no_key=True, of=["self"]).select_related("program").get(pk=outage.pk)
        made = Ticket.objects.filter(outage=outage).select_related("merged_into").first()
        if made:
            return made.merged_into or made
        problem = Ticket(
            channel=TicketChannel.WEB,
            subject=f"Redeeming does not work: {outage.program}"[:200],
            program=outage.program,
            priority=Priority.HIGH,
            is_problem=True,
            outage=outage,
            created_at=now,
            updated_at=now,
        )
        reckon(problem, now=now)
        problem.save()
        actor = by or User.objects.system()
        Message.objects.create(ticket=problem, kind=MessageKind.NOTE, author=actor, body=_note(outage), at=now)
        TicketEvent.objects.create(ticket=problem, at=now, by=actor, kind=TicketEventKind.OPENED)
        if by:
            audit.record(AuditAction.TICKET_CREATED, by=by, target=f"ticket:{problem.pk}")
    return problem


def _note(outage: Outage) -> str:
    since = f"{outage.started_at.astimezone(outage.program.zone):%-d %B %Y, %H:%M %Z}"
    if outage.cause == OutageCause.BREAKER:
        told = f"Since {since} the database has failed customers who tried to redeem."
    else:
        told = f"Redeeming is switched off since {since}."
    said = f" Customers read: “{outage.message}”" if outage.message else ""
    return f"{told}{said}\n\nWhat they write about it is gathered here: one answer answers them all."


def _outage_of(ticket: Ticket) -> Outage | None:
    """The one that the ticket is about: which its answer fell into, or without an answer, the one that goes on."""
    if not ticket.program_id:
        return None
    if not ticket.answer_reference:
        return next(iter(outages.current([ticket.program_id])), None)
    signed = read_signed(ticket.answer_reference)
    if not signed or signed.kind != Untried.UNAVAILABLE:
        return None
    return outages.covering(ticket.program_id, signed.at)
