"""A customer's mail becomes a ticket, or goes on with one."""

import logging
from datetime import datetime, timedelta
from enum import Enum

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from support.actions.messages import add_customer_message
from support.actions.tickets import locked, open_ticket
from support.attachments import attach
from support.mail.identity import REFERENCE, acknowledged, our_address
from support.mail.incoming import Automatic, ParsedMail, parse
from support.mail.outgoing import acknowledge, give_up
from support.mail.threads import account_of, is_from, ticket_of
from support.models import MailState, Message, MessageKind, Ticket, TicketChannel
from support.redaction import redact

logger = logging.getLogger(__name__)

# Two machines that answer each other write more than any person: then one ticket holds it all.
MAILS_AN_HOUR = 20
# And what we say by ourselves ends sooner.
_ACKNOWLEDGED_AN_HOUR = 3


class Outcome(Enum):
    OPENED = "opened a ticket"
    ADDED = "was added to a ticket"
    KNOWN = "came before"
    BOUNCED = "said that an answer did not arrive"
    AUTOMATIC = "was sent by a machine and is not kept"
    OURS = "was sent by ourselves and is not kept"


@sensitive_variables("raw", "mail")
def receive(raw: bytes, *, now: datetime | None = None) -> Outcome:
    """Takes one mail. When this raises, it is to come again: what was stored of it by then is found, not doubled, and
    its files, which take seconds and follow after the message's commit, are made up for.
    """
    now = now or timezone.now()
    mail = parse(raw)
    if outcome := _without_ticket(mail, now):
        message = None
    else:
        try:
            outcome, message = _store(mail, now)
        except IntegrityError:
            # Two deliveries of one mail at the same moment: the other one has it. Anything else raises again.
            outcome, message = _store(mail, now)
    if message and mail.files:
        _attach(message, mail, now)
    logger.info("A mail of %d bytes %s.", len(raw), outcome.value)
    return outcome


def _without_ticket(mail: ParsedMail, now: datetime) -> Outcome | None:
    if mail.sender == our_address() or _is_ours(mail.message_id):
        return Outcome.OURS
    if mail.automatic is Automatic.BOUNCE:
        return _bounce(mail, now)
    if mail.automatic is Automatic.LIST and mail.list_id == our_address().replace("@", "."):
        # Our address is a group that passes customers' mails on.
        return None
    return Outcome.AUTOMATIC if mail.automatic else None


@sensitive_variables("mail", "ticket")
def _store(mail: ParsedMail, now: datetime) -> tuple[Outcome, Message]:
    """The mail's message, on a new ticket or an old one, in one transaction."""
    if known := _known(mail):
        return Outcome.KNOWN, known
    mail_id = _id_of(mail)
    with transaction.atomic():
        ticket = ticket_of(mail)
        if ticket and locked(ticket).merged_into_id:
            # Merged at this moment: the lock waited for it, and the mail goes where the thread goes on.
            ticket = ticket_of(mail)
        if ticket := ticket or _flooded(mail, now):
            return Outcome.ADDED, add_customer_message(
                ticket=ticket,
                body=_body(mail),
                author_name=_author(mail, ticket),
                quoted=mail.quoted,
                mail_id=mail_id,
                now=now,
            )
        answers = not mail.no_answer and _tickets_lately(mail, now) < _ACKNOWLEDGED_AN_HOUR
        ticket = open_ticket(
            channel=TicketChannel.EMAIL,
            # References of other tickets are neither repeated nor looked up for whoever names them.
            subject=" ".join(REFERENCE.sub("", mail.subject).split()),
            body=_body(mail),
            requester_name=mail.sender_name,
            requester_email=mail.sender,
            account=account_of(mail.sender),
            mail_id=mail_id,
            quoted=mail.quoted,
            now=now,
        )
        if answers:
            acknowledge(ticket=ticket)
    return Outcome.OPENED, ticket.messages.get()


def _is_ours(mail_id: str) -> bool:
    return acknowledged(mail_id) is not None or Message.objects.filter(mail_id=mail_id, kind=MessageKind.REPLY).exists()


def _bounce(mail: ParsedMail, now: datetime) -> Outcome:
    undelivered = list(
        Message.objects.filter(mail_id__in=mail.undelivered, kind=MessageKind.REPLY)
        .exclude(mail_state=MailState.FAILED)
        .order_by("pk")
    )
    for message in undelivered:
        give_up(message_id=message.pk, now=now)
    return Outcome.BOUNCED if undelivered else Outcome.AUTOMATIC


@sensitive_variables("mail")
def _known(mail: ParsedMail) -> Message | None:
    """The message that this mail made when it came before.

    Some machines give all their mails one Message-ID: what says something else is another mail.
    """
    known = Message.objects.filter(mail_id=mail.message_id).select_related("ticket").first()
    if known and known.body == redact(_body(mail)).text:
        return known
    return Message.objects.filter(mail_id=mail.digest_id).select_related("ticket").first()


def _id_of(mail: ParsedMail) -> str:
    return mail.digest_id if Message.objects.filter(mail_id=mail.message_id).exists() else mail.message_id


def _flooded(mail: ParsedMail, now: datetime) -> Ticket | None:
    """Of who writes without end: his newest ticket, which takes the rest."""
    tickets = Ticket.objects.asked_by(mail.sender)
    lately = Message.objects.filter(
        ticket__in=tickets, kind=MessageKind.CUSTOMER, mail_id__isnull=False, at__gt=now - timedelta(hours=1)
    )
    return tickets.unmerged().order_by("-pk").first() if lately.count() >= MAILS_AN_HOUR else None


def _tickets_lately(mail: ParsedMail, now: datetime) -> int:
    tickets = Ticket.objects.asked_by(mail.sender).filter(channel=TicketChannel.EMAIL)
    return tickets.filter(created_at__gt=now - timedelta(hours=1)).count()


@sensitive_variables("mail", "notes")
def _body(mail: ParsedMail) -> str:
    notes = []
    if not mail.text and not mail.files:
        notes.append("(The mail is empty.)")
    if mail.files_left_out:
        notes.append(f"({mail.files_left_out} more files came with the mail and were not kept.)")
    return "\n\n".join([mail.text, *notes] if mail.text else notes)


def _author(mail: ParsedMail, ticket: Ticket) -> str:
    """Who writes on somebody else's ticket is shown with his address."""
    if is_from(mail.sender, ticket):
        return mail.sender_name
    return f"{mail.sender_name} <{mail.sender}>".strip() if mail.sender else mail.sender_name or "Somebody"


@sensitive_variables("mail", "files")
def _attach(message: Message, mail: ParsedMail, now: datetime) -> None:
    files: list[UploadedFile[bytes]] = [
        SimpleUploadedFile(file.name, file.data, content_type=file.content_type) for file in mail.files
    ]
    try:
        attach(ticket=message.ticket, message=message, files=files, by=None, now=now)
    except DatabaseError:
        # The mail comes again, finds its message, and brings the files once more.
        raise
    # attach() says in a row what is wrong with a file. If it fails itself, the agent is to know that there were files.
    except Exception as error:
        logger.error("%d files of %s were not kept (%s).", len(files), message.ticket, type(error).__name__)
        note = f"({len(files)} files came with this mail and could not be kept.)"
        with transaction.atomic():
            kept = Message.objects.select_for_update(no_key=True).get(pk=message.pk)
            if note not in kept.body:
                kept.body = f"{kept.body}\n\n{note}".strip()
                kept.save(update_fields=["body"])
