"""Messages as those outside the house read them, with their files. Never an internal note."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from support.models import Attachment, AttachmentPage, Message, ScanState


@dataclass(frozen=True, slots=True)
class Picture:
    attachment: int
    name: str
    number: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str
    refusal: str
    pictures: list[Picture] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the ticket, from them or from us."""

    pk: int
    is_ours: bool
    by: str
    body: str
    at: datetime
    files: list[File]


def files_of(messages: Iterable[Message]) -> dict[int, list[File]]:
    """By message: two queries for any number of them, and by the columns that the retailers' wall shows."""
    attachments = Attachment.objects.filter(message__in=[message.pk for message in messages]).order_by("pk")
    rows = list(attachments.values_list("pk", "message_id", "name", "kind", "refusal"))
    pages = AttachmentPage.objects.filter(attachment__in=[row[0] for row in rows]).exclude(
        attachment__scan=ScanState.INFECTED
    )
    pages = pages.order_by("attachment_id", "number")
    pictures: dict[int, list[Picture]] = {}
    names = {row[0]: row[2] for row in rows}
    for pk, number, width, height in pages.values_list("attachment_id", "number", "width", "height"):
        pictures.setdefault(pk, []).append(Picture(pk, names[pk], number, width, height))
    made: dict[int, list[File]] = {}
    for pk, message, name, kind, refusal in rows:
        file = File(name, kind, refusal, pictures.get(pk, []))
        made.setdefault(message or 0, []).append(file)
    return made
