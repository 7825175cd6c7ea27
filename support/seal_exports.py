"""Seals on their way out of the database: into files that nobody can write to who can write to the database, and each
day the newest one by mail to the auditor. Removed seals, the newest among them, are found by what left."""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.mail import EmailMessage

from support.models import Seal, SealMark
from support.signing import SealLineError, from_line, public_key, to_line

logger = logging.getLogger(__name__)

# Seals of one file, and lines that are held in memory at once.
_CHUNK = 1_000
# A line is some seven hundred characters long: nothing that goes on and on is one.
_LONGEST_LINE = 10_000


def export() -> int:
    """Writes the seals that have not left yet, a file for each run; how many. What fails comes again the next time, and
    two at once write the same twice, which says the same."""
    mark, _ = SealMark.objects.get_or_create(pk=1)
    public, left = public_key(), 0
    while seals := list(Seal.objects.filter(number__gt=mark.exported).order_by("number")[:_CHUNK]):
        first, last = seals[0], seals[-1]
        name = f"{first.at:%Y-%m-%d}/{first.number:012}-{last.number:012}.jsonl"
        storages["seals"].save(name, ContentFile("".join(to_line(seal, public) for seal in seals).encode()))
        mark.exported = last.number
        mark.save(update_fields=["exported"])
        left += len(seals)
    return left


def mail() -> bool:
    """The newest seal to AUDITOR_EMAIL, where there is a new one since the last time. It vouches for all before it."""
    newest = Seal.objects.order_by("-number").first()
    mark, _ = SealMark.objects.get_or_create(pk=1)
    if not settings.AUDITOR_EMAIL or newest is None or newest.number == mark.mailed:
        return False
    name = f"seal-{newest.number:012}.jsonl"
    public = public_key()
    message = EmailMessage(
        subject=f"Seal {newest.number} of {settings.SITE_URL}",
        body=(
            f"Seal {newest.number}, made on {newest.at:%d %B %Y at %H:%M:%S} UTC, is attached. It vouches for every "
            "row that was sealed up to then.\n\n"
            "Please keep this mail where nobody of the desk can change or delete it. With the attached file,\n\n"
            f"    manage.py verify_audit --against {name}\n\n"
            "finds on the database, or on a copy of it anywhere, what was changed, removed or added since.\n\n"
            f"Hash: {bytes(newest.hash).hex()}\n"
            f"Public key: {public.hex()}\n"
        ),
        to=[settings.AUDITOR_EMAIL],
    )
    message.attach(name, to_line(newest, public).encode(), "application/x-ndjson")
    message.send()
    SealMark.objects.filter(pk=1).update(mailed=newest.number)
    return True


def read_exported(place: Path) -> Iterator[tuple[Seal, bytes | None]]:
    """The seals of a file, or of each *.jsonl file in a folder and below, with their public keys, one after the other.

    SealLineError names the line that is no seal. A last line that was cut off, as by a full disk, is left out: whoever
    wrote it has written it once more.
    """
    for path in sorted(place.rglob("*.jsonl")) if place.is_dir() else [place]:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), start=1):
                try:
                    yield from_line(line)
                except SealLineError as reason:
                    if not line.endswith("\n") and len(line) < _LONGEST_LINE:
                        logger.warning("%s: its last line is cut off and was left out.", path)
                        continue
                    raise SealLineError(f"{path}, line {number}, is no exported seal: {reason}.") from None


def in_chunks(exported: Iterator[tuple[Seal, bytes | None]]) -> Iterator[list[tuple[Seal, bytes | None]]]:
    while chunk := list(islice(exported, _CHUNK)):
        yield chunk
