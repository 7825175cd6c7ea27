"""What a customer and we wrote to each other about a request, as he reads it.

Of what came by mail, by telephone or in a chat his own words are not repeated: they were kept with masks that say
whether a code is real, for us. Nor is who of us answered, a note, or an answer that can still be taken back.
"""

from django.db.models import Q
from django.utils import timezone

from redemption.models import User
from support.letters import File, Letter, files_of
from support.models import AttachmentKind, Message, MessageKind, Ticket

PER_PAGE = 50
_OURS = "Support"
_ELSEWHERE = "(You wrote this by e-mail, or told us on the phone.)"


def letters_of(
    ticket: Ticket, parts: list[Ticket], *, reader: User, before: int | None = None
) -> tuple[list[Letter], int | None]:
    """The newest, or those before one, oldest first; and the one before which there are more. `parts`: his requests
    that were merged into it."""
    found = Message.objects.filter(ticket__in=[ticket.pk, *(part.pk for part in parts)])
    found = found.exclude(kind=MessageKind.NOTE).exclude(undo_until__gt=timezone.now())
    if before:
        found = found.filter(pk__lt=before)
    newest = list(found.order_by("-pk")[: PER_PAGE + 1])
    shown = newest[:PER_PAGE][::-1]
    files = files_of(message for message in shown if _is_told(message, reader))
    letters = [
        Letter(
            message.pk,
            message.kind == MessageKind.REPLY,
            _OURS if message.kind == MessageKind.REPLY else "You",
            message.body if _is_told(message, reader) else _ELSEWHERE,
            message.at,
            _named(files.get(message.pk, [])),
        )
        for message in shown
    ]
    return letters, shown[0].pk if len(newest) > PER_PAGE else None


def told_to(reader: User) -> Q:
    """The messages whose files he may open, as of `_is_told`."""
    return Q(kind=MessageKind.REPLY) & ~Q(undo_until__gt=timezone.now()) | Q(kind=MessageKind.CUSTOMER, author=reader)


def _is_told(message: Message, reader: User) -> bool:
    return message.kind == MessageKind.REPLY or message.author_id == reader.pk


def _named(files: list[File]) -> list[File]:
    """By what they are: the sender's own name for a file may have held a code, and its mask says whether it is one."""
    return [File(AttachmentKind(file.kind).label, file.kind, file.refusal, file.pictures) for file in files]
