"""Answers on their way to customers, each as one mail of its thread. No mail holds a code, or a file of ours."""

import logging
from datetime import datetime, timedelta
from email.utils import formataddr

from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support.actions.tickets import locked, write
from support.mail.identity import REFERENCE, acknowledgement_id, new_mail_id, our_address, our_name
from support.mail.servers import may_pass
from support.mail.threads import main_of
from support.models import MailState, Message, MessageKind, Ticket, TicketEventKind, TicketStatus
from support.redaction import redact

logger = logging.getLogger(__name__)

# A minute after the first refusal, then twice as long each time: ten tries are seventeen hours.
_TRIES = 10
_LONGEST_PAUSE = timedelta(hours=6)
# Of a long thread the newest are enough for mail programs to find it, and headers stay short.
_REFERENCES = 20


def send(*, message_id: int, tries: int, now: datetime | None = None) -> timedelta | None:
    """Mails an answer that is queued; None when nothing more is to be done, else how long to wait before trying again.

    At least once: its Message-ID was stored when it was written, so a crash between the mail server's yes and the
    commit sends the same mail again, under the same Message-ID, which mail programs show once. Never after it was taken
    back: both hold the row.
    """
    now = now or timezone.now()
    with transaction.atomic():
        message = (
            Message.objects.select_for_update(of=("self",), no_key=True)
            .select_related("ticket")
            .filter(pk=message_id, kind=MessageKind.REPLY, mail_state=MailState.QUEUED)
            .first()
        )
        if message is None:
            return None
        if message.undo_until and now < message.undo_until:
            # A worker whose clock is ahead of the web server's.
            return message.undo_until - now
        try:
            answer(message).send()
        # Whatever a mail server, or a broken address, comes up with: it is tried again or shown, never swallowed.
        except Exception as error:
            # Only the error's kind: its text may quote what was sent.
            logger.warning("The mail of message %s failed (try %d, %s).", message_id, tries + 1, type(error).__name__)
            if tries + 1 < _TRIES and may_pass(error):
                return min(timedelta(minutes=2**tries), _LONGEST_PAUSE)
        else:
            message.mail_state = MailState.SENT
            message.save(update_fields=["mail_state"])
            return None
    give_up(message_id=message_id, now=now)
    return None


def give_up(*, message_id: int, now: datetime) -> bool:
    """Says on the ticket that an answer did not arrive, and brings the ticket back to us. Once."""
    with transaction.atomic():
        message = Message.objects.filter(pk=message_id).select_related("ticket").first()
        if message is None:
            return False
        # The ticket first, as everybody locks them: the one on which people see it.
        ticket = locked(main_of(message.ticket))
        undelivered = Message.objects.filter(
            pk=message_id, kind=MessageKind.REPLY, mail_state__in=[MailState.QUEUED, MailState.SENT]
        ).update(mail_state=MailState.FAILED)
        if not undelivered:
            return False
        changes = {}
        if ticket.status != TicketStatus.OPEN and not ticket.merged_into_id:
            changes["status"] = [ticket.status, TicketStatus.OPEN]
            ticket.status = TicketStatus.OPEN
        write(ticket, by=User.objects.system(), kind=TicketEventKind.MAIL_FAILED, changes=changes, now=now)
    return True


@sensitive_variables()
def answer(message: Message) -> EmailMessage:
    """The mail of one answer, in the thread of what the customer wrote."""
    ticket = message.ticket
    earlier = [
        mail_id
        for mail_id in ticket.messages.filter(pk__lt=message.pk, mail_id__isnull=False)
        .order_by("-pk")
        .values_list("mail_id", flat=True)[:_REFERENCES]
        if mail_id
    ]
    customers = (
        ticket.messages.filter(pk__lt=message.pk, kind=MessageKind.CUSTOMER, mail_id__isnull=False)
        .order_by("-pk")
        .values_list("mail_id", flat=True)
        .first()
    )
    subject = " ".join(REFERENCE.sub("", ticket.subject).split())
    return _mail(
        ticket,
        subject=f"Re: {subject} [{ticket.reference}]",
        body=message.body,
        headers={
            "Message-ID": message.mail_id or new_mail_id(),
            "In-Reply-To": customers or acknowledgement_id(ticket),
            "References": " ".join([acknowledgement_id(ticket), *reversed(earlier)]),
            "X-Auto-Response-Suppress": "OOF, AutoReply",
        },
    )


@sensitive_variables()
def acknowledgement(ticket: Ticket) -> EmailMessage:
    """Says that we have it, and its reference. Nothing of what was written: the address may be a stranger's."""
    first = ticket.messages.filter(kind=MessageKind.CUSTOMER).order_by("pk").first()
    threading = {"In-Reply-To": first.mail_id, "References": first.mail_id} if first and first.mail_id else {}
    return _mail(
        ticket,
        subject=f"We have your message [{ticket.reference}]",
        body=(
            "Thank you for writing to us. A person will read your message and answer it.\n\n"
            f"Its reference is {ticket.reference}. To add something, answer this mail. Please never send us the "
            "code on your card: the serial number is enough."
        ),
        headers={
            "Message-ID": acknowledgement_id(ticket),
            "Auto-Submitted": "auto-replied",
            "X-Auto-Response-Suppress": "All",
            **threading,
        },
    )


def acknowledge(*, ticket: Ticket) -> None:
    """Queues the acknowledgement, in the transaction that opens the ticket, so once a ticket. Not for mails that a
    machine sent."""
    from support.jobs import send_acknowledgement_job

    if ticket.requester_email:
        send_acknowledgement_job.defer(ticket_id=ticket.pk)


def queue(*, message: Message) -> None:
    """Queues an answer's mail, in the transaction that writes it; it leaves when it cannot be taken back any more."""
    from support.jobs import send_message_job

    send_message_job.configure(schedule_at=message.undo_until).defer(message_id=message.pk)


@sensitive_variables()
def _mail(ticket: Ticket, *, subject: str, body: str, headers: dict[str, str]) -> EmailMessage:
    # Texts are stored without codes. Again, because a card that was unknown then may be known now.
    subject, body = redact(" ".join(subject.split())).text, redact(body).text
    return EmailMessage(
        subject=subject,
        body=f"{body.rstrip()}\n\n-- \n{our_name()}\n{ticket.reference}\n",
        from_email=formataddr((our_name(), our_address())),
        to=[ticket.requester_email],
        reply_to=[formataddr((our_name(), our_address()))],
        headers=headers,
    )
