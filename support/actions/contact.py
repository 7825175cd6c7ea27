"""A customer who has signed in asks for help."""

from dataclasses import dataclass, field
from datetime import datetime
from zlib import crc32

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import locks
from redemption.models import Account, Code, User
from support.actions.tickets import open_ticket
from support.incidents import gather
from support.mail.outgoing import acknowledge
from support.models import KnownError, Message, Ticket, TicketChannel


@dataclass(frozen=True, slots=True)
class Question:
    """What he asks. `code` and `known_error` come from the answer that he writes about, and are for us."""

    subject: str = field(repr=False)
    body: str = field(repr=False)
    account: Account | None = None
    code: Code | None = None
    answer_reference: str = ""
    error_message: str = field(default="", repr=False)
    known_error: KnownError | None = None
    surface: str = ""
    steps_tried: list[str] = field(default_factory=list)


@sensitive_variables("question")
def ask(question: Question, *, by: User, mailed_to: str, send_key: str, now: datetime | None = None) -> Ticket:
    """A ticket with his words, without codes, which no mask calls real; sent twice, the first one. What tells of an
    outage is gathered with the others.

    `mailed_to`: an address that is proved to be his, where the answers go too, and where it is said that we have his
    message; empty: he reads the answers on his page alone.
    """
    now = now or timezone.now()
    with transaction.atomic():
        # As open_ticket() waits for it: whether this is the first is asked under the lock.
        locks.take(locks.SENDING, crc32(send_key.encode()) >> 1)
        if first := Message.objects.filter(send_key=send_key, author=by).select_related("ticket").first():
            return first.ticket
        ticket = open_ticket(
            channel=TicketChannel.WEB,
            subject=question.subject,
            body=question.body,
            author=by,
            requester_name=by.name,
            requester_email=mailed_to,
            account=question.account,
            code=question.code,
            answer_reference=question.answer_reference,
            error_message=question.error_message,
            known_error=question.known_error,
            surface=question.surface,
            steps_tried=question.steps_tried,
            send_key=send_key,
            now=now,
        )
        acknowledge(ticket=ticket)
        gather(ticket, now=now)
    return ticket
