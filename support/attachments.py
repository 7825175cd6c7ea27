"""The files of a ticket: kept, shown, and recognised on other tickets."""

import logging
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from redemption.roles import STAFF_ROLES, Permission
from support.actions.tickets import require
from support.models import (
    Attachment,
    AttachmentKind,
    AttachmentPage,
    CompromiseReport,
    Message,
    MessageKind,
    Ticket,
)
from support.redaction import redact_name
from support.uploads import Opened, Refusal, opened

logger = logging.getLogger(__name__)

# Bits that may differ: of 64, of which three are found for sure by an equal quarter, and more where one is spared; and
# of 1,024. On receipts drawn alike, coarser JPEG changes 14 of them, paler light 36, and another receipt 96 and more.
_ALIKE, _ALIKE_IN_DETAIL = 6, 64
MOST_ALIKE = 50


@sensitive_variables("files", "file", "name")
def attach(
    *,
    ticket: Ticket,
    message: Message | None,
    files: Sequence["UploadedFile[Any]"],
    kinds: Sequence[str] = (),
    by: User | None,
    now: datetime | None = None,
) -> list[Attachment]:
    """A row for every file, in their order: with pictures of ours, or with the sentence why there are none.

    Never raises over what is in a file, so that a message keeps its text and its other files. `kinds` go with `files`;
    what is missing or unknown is “other”. A message has its files once: attached again, it gives those that are there.
    Files that waited with the writer's draft of an answer come with it. Call it after the message's commit: it takes
    seconds.
    """
    assert message is None or message.ticket_id == ticket.pk
    if by and by.role in STAFF_ROLES:
        require(by, ticket)
    now = now or timezone.now()
    # Retailers' people read the name again, and would see by a mask whether a code in it is real.
    is_told_back = CompromiseReport.objects.filter(ticket=ticket).exists()
    until = monotonic() + 3 * settings.UPLOAD_SECONDS
    made: list[tuple[Attachment, list[AttachmentPage]]] = []
    try:
        for place, file in enumerate(files):
            kind = (
                kinds[place] if place < len(kinds) and kinds[place] in AttachmentKind.values else AttachmentKind.OTHER
            )
            with opened(file, until=until, is_one_too_many=place >= settings.UPLOAD_MAX_FILES) as found:
                row, pages = _store(found)
            row.ticket, row.message, row.kind, row.uploaded_by, row.at = ticket, message, kind, by, now
            row.name = f"file {place + 1}{_ending(file.name)}" if is_told_back else redact_name(file.name or "")
            made.append((row, pages))
        return _write(made, message, by)
    except BaseException:
        for row, pages in made:
            _forget(row, pages)
        raise


def _ending(name: str | None) -> str:
    """“.jpg”; nothing where it is none of a few letters."""
    suffix = Path(name or "").suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z]{1,5}", suffix) else ""


def _write(
    made: list[tuple[Attachment, list[AttachmentPage]]], message: Message | None, by: User | None
) -> list[Attachment]:
    with transaction.atomic():
        if message:
            # The same form sent twice at once opens its files twice; the second waits here, and finds the first's.
            Message.objects.select_for_update(no_key=True).get(pk=message.pk)
            if there := list(message.attachments.order_by("pk")):
                for row, pages in made:
                    _forget(row, pages)
                return there
            if by and message.kind == MessageKind.REPLY:
                Attachment.objects.filter(ticket=message.ticket_id, message=None, uploaded_by=by).update(
                    message=message
                )
        for row, pages in made:
            row.save(force_insert=True)
            for page in pages:
                page.attachment = row
        AttachmentPage.objects.bulk_create(page for _, pages in made for page in pages)
    return [row for row, _ in made]


def _store(found: Opened) -> tuple[Attachment, list[AttachmentPage]]:
    """Puts the original into quarantine and the pictures into their storage, all or none, under random names."""
    row = Attachment(
        digest=found.digest,
        size=found.size,
        scan=found.scan,
        looks=found.looks,
        quarters=quarters_of(found.looks),
        details=found.details,
        refusal=found.refusal.sentence if found.refusal else "",
    )
    pages: list[AttachmentPage] = []
    try:
        if found.original:
            row.original = _save("quarantine", found.original, f"quarantine/{_random()}")
        for number, picture in enumerate(found.pictures, start=1):
            name = f"pictures/{_random()}.jpg"
            pages.append(AttachmentPage(number=number, file=name, width=picture.width, height=picture.height))
            _save("pictures", picture.jpeg, name)
            _save("pictures", picture.small, small(name))
    # A full disk, or whatever S3's client raises: the text and the other files stay all the same.
    except Exception as error:
        logger.error("A file could not be stored (%s).", type(error).__name__)
        _forget(row, pages)
        row.original, row.refusal = "", Refusal.NOT_STORED.sentence
        row.looks, row.quarters, row.details = None, [], None
        return row, []
    return row, pages


def _random() -> str:
    """Two folders deep, so that none grows endless."""
    name = secrets.token_hex(20)
    return f"{name[:2]}/{name[2:]}"


def _save(storage: str, path: Path, name: str) -> str:
    with path.open("rb") as file:
        saved = storages[storage].save(name, File(file))
    assert saved == name, "a random name was taken"
    return saved


def _forget(row: Attachment, pages: Iterable[AttachmentPage]) -> None:
    """Takes back what was stored for rows that will not be; what cannot be deleted has no row and is never served."""
    names = [("quarantine", row.original)] if row.original else []
    names += [("pictures", name) for page in pages for name in (page.file, small(page.file))]
    for storage, name in names:
        try:
            storages[storage].delete(name)
        except Exception as error:
            logger.warning("A file could not be taken back (%s).", type(error).__name__)


def small(name: str) -> str:
    """The small picture that stands beside each."""
    return name.replace(".jpg", "-small.jpg")


def quarters_of(looks: int | None) -> list[int]:
    """The four times sixteen bits, each told apart by its place."""
    if looks is None:
        return []
    return [place << 16 | (looks >> 16 * place) & 0xFFFF for place in range(4)]


# --- On other tickets


@dataclass(frozen=True, slots=True)
class Double:
    """Another attachment that is the same file (`is_same`), or looks like it."""

    attachment: Attachment
    is_same: bool


def attachments_like(attachment: Attachment) -> list[Double]:
    """Attachments of other tickets, whoever may see them, that are the same file or look like it. The same first."""
    return _doubles([attachment], Attachment.objects.all())[attachment.pk]


def _doubles(of: Sequence[Attachment], among: QuerySet[Attachment]) -> dict[int, list[Double]]:
    """Two queries for any number of attachments, each on its index; the newest fifty of each sort."""
    found: dict[int, list[Double]] = {attachment.pk: [] for attachment in of}
    # Nothing is like an empty file.
    digests = [attachment.digest for attachment in of if attachment.size]
    among = among.select_related("ticket").exclude(ticket__in={attachment.ticket_id for attachment in of})
    same = among.filter(digest__in=digests).order_by("-pk")[:MOST_ALIKE] if digests else []
    seen = [attachment for attachment in of if attachment.looks is not None]
    alike = among.filter(_looks_like(seen)).order_by("-pk")[:MOST_ALIKE] if seen else []
    for other, is_same in [*((row, True) for row in same), *((row, False) for row in alike)]:
        for attachment in of:
            told = {double.attachment.ticket_id for double in found[attachment.pk]}
            fits = _same(attachment, other) if is_same else _alike(attachment, other)
            if fits and other.ticket_id not in told:
                found[attachment.pk].append(Double(other, is_same))
    return found


def _looks_like(seen: Sequence[Attachment]) -> Q:
    quarters = sorted({quarter for attachment in seen for quarter in attachment.quarters})
    looks = [attachment.looks for attachment in seen]
    details = [bytes(attachment.details or b"").hex() for attachment in seen]
    # The index gives those with an equal quarter; the database leaves out the others of them, which may be many.
    near = RawSQL(
        "EXISTS (SELECT FROM unnest(%s::bigint[], %s::text[]) AS ours(looks, details) "
        "WHERE bit_count((support_attachment.looks # ours.looks)::bit(64)) <= %s::int "
        "AND bit_count(('x' || encode(support_attachment.details, 'hex'))::bit(1024) "
        "# ('x' || ours.details)::bit(1024)) <= %s::int)",
        (looks, details, _ALIKE, _ALIKE_IN_DETAIL),
        BooleanField(),
    )
    return Q(quarters__overlap=quarters) & Q(near)


def _same(one: Attachment, other: Attachment) -> bool:
    return one.size == other.size and bytes(one.digest) == bytes(other.digest)


def _alike(one: Attachment, other: Attachment) -> bool:
    if one.looks is None or other.looks is None or one.details is None or other.details is None:
        return False
    apart = int.from_bytes(one.details) ^ int.from_bytes(other.details)
    return ((one.looks ^ other.looks) & (1 << 64) - 1).bit_count() <= _ALIKE and apart.bit_count() <= _ALIKE_IN_DETAIL


# --- On its own


@dataclass(frozen=True, slots=True)
class Shown:
    """One file of a ticket's page, and the tickets on which it is too, or something alike."""

    attachment: Attachment
    pages: list[AttachmentPage]
    same: list[Ticket] = field(default_factory=list)
    alike: list[Ticket] = field(default_factory=list)


def shown(ticket: Ticket, user: User) -> dict[str, Any]:
    """The context of support/_files.html: the ticket's files and those of tickets merged into it, by four queries."""
    visible = Ticket.objects.visible_to(user)
    of_ticket = Q(ticket=ticket) | Q(ticket__merged_into=ticket)
    rows = list(
        Attachment.objects.filter(of_ticket, ticket__in=visible)
        .exclude(Q(message=None) & ~Q(uploaded_by=user))
        .select_related("ticket", "message")
        .prefetch_related("pages")
        .order_by("pk")
    )
    doubles = _doubles(rows, Attachment.objects.filter(ticket__in=visible))
    files = [
        Shown(
            row,
            list(row.pages.all()),
            [double.attachment.ticket for double in doubles[row.pk] if double.is_same],
            [double.attachment.ticket for double in doubles[row.pk] if not double.is_same],
        )
        for row in rows
    ]
    return {"files": files, "opens_originals": user.may(Permission.OPEN_QUARANTINE)}
