"""Keeping what somebody is writing, from keystroke to keystroke and beyond the session's end."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support.actions.tickets import locked, require
from support.models import Draft, Message, MessageKind, Ticket
from support.redaction import redact


@sensitive_variables("body")
def keep_draft(
    *, ticket: Ticket, kind: MessageKind, body: str, by: User, send_key: str = "", now: datetime | None = None
) -> Draft | None:
    """Keeps it without codes, in place of the one before; blank text keeps none.

    `send_key` is the box's: what was sent with it is no draft any more, and None is returned.
    """
    now = now or timezone.now()
    require(by, ticket)
    with transaction.atomic():
        # The browser saves once more while the page goes, and that may arrive after the message: under the ticket's
        # lock either the message is there to be seen, or writing it takes this draft away.
        locked(ticket)
        if send_key and Message.objects.filter(send_key=send_key).exists():
            return None
        if not body.strip():
            Draft.objects.filter(ticket=ticket, person=by, kind=kind).delete()
            return None
        return Draft.objects.update_or_create(
            ticket=ticket, person=by, kind=kind, defaults={"body": redact(body).text, "updated_at": now}
        )[0]


@sensitive_variables("text", "draft")
def add_to_draft(*, ticket: Ticket, kind: MessageKind, text: str, by: User, now: datetime | None = None) -> None:
    """Writes a ready text below what the draft holds."""
    draft = Draft.objects.filter(ticket=ticket, person=by, kind=kind).first()
    body = f"{draft.body.rstrip()}\n\n{text}" if draft and draft.body.strip() else text
    keep_draft(ticket=ticket, kind=kind, body=body, by=by, now=now)
