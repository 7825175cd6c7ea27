"""Opening tickets and changing them. Every change is written down with who made it."""

from datetime import datetime
from typing import Any
from zlib import crc32

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import locks
from redemption.models import Account, Code, Program, Retailer, User
from redemption.roles import Permission
from support import audit
from support.models import (
    AuditAction,
    KnownError,
    Message,
    MessageKind,
    Priority,
    Ticket,
    TicketChannel,
    TicketEvent,
    TicketEventKind,
    TicketStatus,
)
from support.recognising import surely
from support.redaction import redact
from support.targets import reckon

# What change() changes; everything else has a verb of its own.
CHANGEABLE = frozenset(
    {
        "subject", "status", "priority", "assignee", "tags", "account", "code", "program", "retailer",
        "error_message", "known_error", "surface", "steps_tried", "requester_name", "requester_email",
    }
)  # fmt: skip
# The history says that these changed, not how: they hold a customer's words or person. And how long they may be.
_UNTOLD = {"subject": 200, "error_message": 500, "requester_name": 150, "requester_email": 254}


class TicketError(Exception):
    """Why a ticket cannot be changed so, in a sentence for the person who tried."""


@sensitive_variables("subject", "body", "quoted", "requester_name", "error_message", "told", "seen", "text", "said")
def open_ticket(
    *,
    channel: TicketChannel,
    subject: str,
    body: str,
    by: User | None = None,
    author: User | None = None,
    requester_name: str = "",
    requester_email: str = "",
    account: Account | None = None,
    code: Code | None = None,
    program: Program | None = None,
    retailer: Retailer | None = None,
    answer_reference: str = "",
    error_message: str = "",
    known_error: KnownError | None = None,
    surface: str = "",
    steps_tried: list[str] | None = None,
    priority: Priority = Priority.NORMAL,
    mail_id: str | None = None,
    quoted: str = "",
    send_key: str | None = None,
    now: datetime | None = None,
) -> Ticket:
    """A new ticket with the customer's first message, both without codes: a code in them becomes a link to its card.

    `by`: the agent who writes a call or a chat down; None where the customer wrote it. `author`: the customer, where he
    has signed in; he reads again what is kept, so no mask tells him whether a code is real. The same `send_key` again
    gives the ticket that was opened first.
    """
    now = now or timezone.now()
    if by and not by.may(Permission.ANSWER_TICKETS):
        raise TicketError("Your role does not open tickets.")
    told, seen, text, said = redact(subject), redact(error_message), redact(body), redact(quoted)
    name = redact(requester_name).text[:150]
    serials = [*text.serials, *seen.serials, *told.serials, *said.serials]
    if author:
        told, seen, text = (redact(one, is_told_back=True) for one in (subject, error_message, body))
        name = redact(requester_name, is_told_back=True).text[:150]
    if code is None and serials:
        code = Code.objects.filter(pk__in=serials).select_related("batch__product").first()
    if code and program is None:
        program = code.batch.product.program
    if account and program is None:
        program = account.program
    with transaction.atomic():
        if send_key:
            # There is no row yet to wait for: of two at once, the second waits here and then finds the first's.
            locks.take(locks.SENDING, crc32(send_key.encode()) >> 1)
            if first := Message.objects.filter(send_key=send_key).select_related("ticket").first():
                return first.ticket
        ticket = Ticket(
            channel=channel,
            subject=told.text[:200] or "(no subject)",
            requester_name=name,
            requester_email=requester_email,
            account=account,
            code=code,
            program=program,
            retailer=retailer,
            answer_reference=answer_reference,
            error_message=seen.text[:500],
            known_error=known_error or surely(seen.text, f"{told.text}\n{text.text}", program=program),
            surface=surface,
            steps_tried=steps_tried or [],
            priority=priority,
            created_at=now,
            updated_at=now,
        )
        reckon(ticket, now=now)
        ticket.save()
        Message.objects.create(
            ticket=ticket,
            kind=MessageKind.CUSTOMER,
            author=author,
            author_name=name,
            body=text.text,
            quoted=said.text,
            mail_id=mail_id,
            send_key=send_key,
            at=now,
        )
        actor = by or author
        TicketEvent.objects.create(
            ticket=ticket, at=now, by=actor or User.objects.system(), kind=TicketEventKind.OPENED
        )
        if actor:
            audit.record(AuditAction.TICKET_CREATED, by=actor, target=f"ticket:{ticket.pk}")
    return ticket


class ChangedMeanwhileError(Exception):
    """Somebody else changed these `fields` since `by` read them."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__()
        self.fields = fields


@sensitive_variables("fields", "value", "before", "read")
def change(
    *, ticket: Ticket, by: User, read: dict[str, Any] | None = None, now: datetime | None = None, **fields: Any
) -> Ticket:
    """Changes some of the CHANGEABLE fields and writes the history; what is the same already changes nothing.

    With `read`, how these fields stood when `by` read them (as `plain` gives them): raises ChangedMeanwhileError where
    one has become something else that is not what `by` wants either.
    """
    now = now or timezone.now()
    assert fields.keys() <= CHANGEABLE, fields.keys() - CHANGEABLE
    require(by, ticket)
    if "assignee" in fields and fields["assignee"] not in (None, by) and not by.may(Permission.ASSIGN_OTHERS):
        raise TicketError("Your role assigns tickets to nobody but yourself.")
    with transaction.atomic():
        ticket = locked(ticket)
        if ticket.merged_into_id:
            raise TicketError("It was merged into another ticket: change that one, or undo the merge.")
        if meanwhile := _meanwhile(ticket, read or {}, fields):
            raise ChangedMeanwhileError(meanwhile)
        if fields.get("error_message", ticket.error_message) != ticket.error_message and "known_error" not in fields:
            fields["known_error"] = surely(fields["error_message"], program=ticket.program) or ticket.known_error
        changes: dict[str, list[Any]] = {}
        for name, value in fields.items():
            if name in _UNTOLD:
                # A mask may be longer than what it masks.
                value = redact(value).text[: _UNTOLD[name]]
            elif name == "tags":
                value = [redact(tag).text[:30] for tag in value]
            before = getattr(ticket, name)
            if before == value:
                continue
            setattr(ticket, name, value)
            changes[name] = [] if name in _UNTOLD else [plain(before), plain(value)]
        if changes:
            write(ticket, by=by, kind=TicketEventKind.CHANGED, changes=changes, now=now)
            audit.record(
                AuditAction.TICKET_CHANGED, by=by, target=f"ticket:{ticket.pk}", fields=" ".join(sorted(changes))
            )
    return ticket


def require(by: User, ticket: Ticket) -> None:
    """Whether `by` may change this ticket at all."""
    if not by.may(Permission.ANSWER_TICKETS) or not Ticket.objects.visible_to(by).filter(pk=ticket.pk).exists():
        raise TicketError("Your role does not change this ticket.")


def locked(ticket: Ticket) -> Ticket:
    """The ticket as it is now, and nobody else's to change until the transaction ends."""
    return Ticket.objects.select_for_update(no_key=True).get(pk=ticket.pk)


def write(ticket: Ticket, *, by: User, kind: TicketEventKind, now: datetime, changes: dict[str, list[Any]]) -> None:
    """Saves a locked ticket with its deadlines, its next version and a line of history."""
    if ticket.status in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        ticket.solved_at = ticket.solved_at or now
    else:
        ticket.solved_at = None
    reckon(ticket, now=now)
    ticket.updated_at = now
    ticket.version += 1
    ticket.save()
    TicketEvent.objects.create(ticket=ticket, at=now, by=by, kind=kind, changes=changes)


@sensitive_variables()
def _meanwhile(ticket: Ticket, read: dict[str, Any], fields: dict[str, Any]) -> list[str]:
    return [
        name
        for name, value in fields.items()
        if name in read and plain(getattr(ticket, name)) not in (read[name], plain(value))
    ]


def plain(value: Any) -> Any:
    """What JSON holds of a field: the row's id where it is one."""
    return getattr(value, "pk", value)
