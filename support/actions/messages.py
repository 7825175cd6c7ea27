"""Writing on a ticket: the customer, an answer, a note."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import Code, Retailer, User
from support import audit
from support.actions.tickets import TicketError, locked, plain, require, write
from support.macros import effects, refusal_of, unfilled
from support.mail.identity import new_mail_id
from support.mail.outgoing import queue
from support.models import (
    AuditAction,
    CompromiseReport,
    Draft,
    Macro,
    MailState,
    Message,
    MessageKind,
    Ticket,
    TicketChannel,
    TicketEvent,
    TicketEventKind,
    TicketStatus,
)
from support.redaction import redact
from support.told_back import GuessError, told_back

UNDO = timedelta(seconds=10)
_TOO_MANY_NUMBERS = "[This mail was not kept: it has too many numbers that could be codes. Please write without them.]"


class StaleTicketError(Exception):
    """Somebody wrote on the ticket since `by` read it: `newer` are the messages that he has not seen."""

    def __init__(self, newer: list[Message]) -> None:
        super().__init__()
        self.newer = newer


@sensitive_variables("body", "text")
def write_staff_message(
    *,
    ticket: Ticket,
    kind: MessageKind,
    body: str,
    by: User,
    send_key: str | None = None,
    seen: int | None = None,
    status: TicketStatus | None = None,
    macro: Macro | None = None,
    now: datetime | None = None,
) -> Message:
    """An answer or a note. What a macro does to the ticket, it does now; its text stands in the body already.

    With `seen`, the last message that `by` has read: raises StaleTicketError where a newer one is there that is not
    his own. The same `send_key` again gives the first message and writes nothing.
    """
    now = now or timezone.now()
    require(by, ticket)
    if not body.strip():
        raise TicketError("There is nothing in it yet.")
    if kind == MessageKind.REPLY and (missing := unfilled(body)):
        raise TicketError(refusal_of(missing))
    text = redact(body)
    with transaction.atomic():
        ticket = locked(ticket)
        if send_key and (sent := Message.objects.filter(send_key=send_key).first()):
            return sent
        if ticket.merged_into_id:
            raise TicketError("It was merged into another ticket: write there, or undo the merge.")
        if seen is not None:
            parts = Ticket.objects.visible_to(by).filter(Q(pk=ticket.pk) | Q(merged_into=ticket))
            written = Message.objects.filter(ticket__in=parts, pk__gt=seen).exclude(author=by)
            newer = list(written.select_related("author").order_by("pk"))
            if newer:
                raise StaleTicketError(newer)
        by_mail = kind == MessageKind.REPLY and goes_by_mail(ticket)
        message = Message.objects.create(
            ticket=ticket,
            kind=kind,
            author=by,
            body=text.text,
            send_key=send_key,
            at=now,
            mail_state=MailState.QUEUED if by_mail else MailState.NONE,
            # Before the mail leaves: whoever sends it after a crash sends it under the same Message-ID.
            mail_id=new_mail_id() if by_mail else None,
            undo_until=now + UNDO if kind == MessageKind.REPLY else None,
        )
        if by_mail:
            queue(message=message)
        changes: dict[str, list[Any]] = {}
        for name, value in (effects(macro, ticket=ticket, by=by) if macro else {}).items():
            changes[name] = [plain(getattr(ticket, name)), plain(value)]
            setattr(ticket, name, value)
        if kind == MessageKind.REPLY:
            ticket.first_responded_at = ticket.first_responded_at or now
            if ticket.assignee is None:
                changes["assignee"] = [None, by.pk]
                ticket.assignee = by
            target = status or TicketStatus.WAITING_FOR_CUSTOMER
            if target != ticket.status:
                changes["status"] = [ticket.status, target]
                ticket.status = target
        elif status and status != ticket.status:
            changes["status"] = [ticket.status, status]
            ticket.status = status
        kind_of_event = TicketEventKind.REPLIED if kind == MessageKind.REPLY else TicketEventKind.CHANGED
        write(ticket, by=by, kind=kind_of_event, changes=changes, now=now)
        Draft.objects.filter(ticket=ticket, person=by, kind=kind).delete()
        action = AuditAction.TICKET_ANSWERED if kind == MessageKind.REPLY else AuditAction.TICKET_NOTED
        audit.record(action, by=by, target=f"ticket:{ticket.pk}", message=message.pk)
    return message


@sensitive_variables("body", "quoted", "text")
def add_customer_message(
    *,
    ticket: Ticket,
    body: str,
    author_name: str = "",
    author: User | None = None,
    quoted: str = "",
    mail_id: str | None = None,
    send_key: str | None = None,
    now: datetime | None = None,
) -> Message:
    """What the customer writes next: a ticket that was waiting or solved needs us again.

    The same `send_key` of the same author again gives the first message and writes nothing.
    """
    now = now or timezone.now()
    # A retailer's people read on their report's page what was kept.
    report = CompromiseReport.objects.select_related("retailer").filter(ticket=ticket).first()
    # So does a customer who has signed in, on his request's page.
    is_told_back = report is not None or author is not None
    if report and mail_id:
        # What comes by the portal was counted there.
        body = _counted(body, report.retailer, now)
    text = redact(body, is_told_back=is_told_back)
    with transaction.atomic():
        ticket, into = _locked_with_target(ticket)
        sent = Message.objects.filter(send_key=send_key, ticket=ticket, author=author) if send_key else None
        if sent and (first := sent.first()):
            return first
        message = Message.objects.create(
            ticket=ticket,
            kind=MessageKind.CUSTOMER,
            author=author,
            author_name=redact(author_name, is_told_back=is_told_back).text[:150] or ticket.requester_name,
            body=text.text,
            quoted=redact(quoted).text,
            mail_id=mail_id,
            send_key=send_key,
            at=now,
        )
        serials = text.serials if report or not author else redact(body).serials
        if ticket.code is None and serials:
            ticket.code = Code.objects.filter(pk__in=serials).first()
        changes = {}
        if ticket.status not in (TicketStatus.NEW, TicketStatus.OPEN) and not ticket.merged_into_id:
            changes["status"] = [ticket.status, TicketStatus.OPEN]
            ticket.status = TicketStatus.OPEN
        write(ticket, by=User.objects.system(), kind=TicketEventKind.CHANGED, changes=changes, now=now)
        if into and into.status not in (TicketStatus.NEW, TicketStatus.OPEN):
            # Its thread shows the message, so it is there that somebody answers.
            changes = {"status": [into.status, TicketStatus.OPEN]}
            into.status = TicketStatus.OPEN
            write(into, by=User.objects.system(), kind=TicketEventKind.CHANGED, changes=changes, now=now)
    return message


@sensitive_variables("body")
def _counted(body: str, retailer: Retailer, now: datetime) -> str:
    """A retailer's mail with what may be guesses at codes counted; above the limit nothing of it is kept."""
    try:
        return told_back({"body": body}, retailer=retailer, now=now).texts["body"]
    except GuessError:
        return _TOO_MANY_NUMBERS


def _locked_with_target(ticket: Ticket) -> tuple[Ticket, Ticket | None]:
    """The ticket, and the one that it was merged into. By key, as whoever merges them locks them."""
    into = Ticket.objects.filter(pk=ticket.pk).values_list("merged_into", flat=True).first()
    keys = [key for key in (ticket.pk, into) if key]
    rows = {row.pk: row for row in Ticket.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")}
    found = rows[ticket.pk]
    return found, rows.get(found.merged_into_id) if found.merged_into_id else None


@sensitive_variables("text")
def unsend(*, message: Message, by: User, now: datetime | None = None) -> Draft:
    """Takes an answer back, within seconds and by who wrote it: its text is his draft again, and the ticket is as it
    was where nobody has changed it since. Raises TicketError once it is out."""
    now = now or timezone.now()
    require(by, message.ticket)
    with transaction.atomic():
        ticket = locked(message.ticket)
        # Whoever mails it holds this row until the mail is out; then it is too late, and said so.
        held = Message.objects.select_for_update(no_key=True).filter(pk=message.pk, kind=MessageKind.REPLY).first()
        if held is None:
            raise TicketError("It was taken back already.")
        if held.author_id != by.pk:
            raise TicketError("Only who wrote an answer takes it back.")
        if held.undo_until is None or now >= held.undo_until or held.mail_state in (MailState.SENT, MailState.FAILED):
            raise TicketError("It is out already: write another answer.")
        changes = _as_before(ticket, held)
        text = held.body
        # Files that came with it wait with the draft.
        held.attachments.update(message=None)
        held.delete()
        write(ticket, by=by, kind=TicketEventKind.UNSENT, changes=changes, now=now)
        draft, _ = Draft.objects.get_or_create(ticket=ticket, person=by, kind=MessageKind.REPLY)
        draft.body = f"{text}\n\n{draft.body}".strip() if draft.body else text
        draft.updated_at = now
        draft.save()
        audit.record(AuditAction.ANSWER_UNSENT, by=by, target=f"ticket:{ticket.pk}", message=message.pk)
    return draft


def _as_before(ticket: Ticket, message: Message) -> dict[str, list[Any]]:
    """Undoes on the ticket what the answer did to it, where it still stands so."""
    told = TicketEvent.objects.filter(
        ticket=ticket, kind=TicketEventKind.REPLIED, by=message.author_id, at=message.at
    ).last()
    did = told.changes if told else {}
    changes: dict[str, list[Any]] = {}
    if "status" in did and ticket.status == did["status"][1] and not ticket.merged_into_id:
        ticket.status = did["status"][0]
        changes["status"] = did["status"][::-1]
    if "assignee" in did and ticket.assignee_id == did["assignee"][1]:
        ticket.assignee_id = did["assignee"][0]
        changes["assignee"] = did["assignee"][::-1]
    # What its macro set besides.
    for name in ("priority", "tags"):
        if name in did and getattr(ticket, name) == did[name][1]:
            setattr(ticket, name, did[name][0])
            changes[name] = did[name][::-1]
    if ticket.first_responded_at == message.at:
        ticket.first_responded_at = None
    return changes


def goes_by_mail(ticket: Ticket) -> bool:
    """Answers to what came by telephone, chat or in public are given there."""
    return bool(ticket.requester_email) and ticket.channel in (
        TicketChannel.EMAIL,
        TicketChannel.WEB,
        TicketChannel.RETAILER,
    )
