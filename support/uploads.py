"""What becomes of a file that somebody sent: pictures of our own making, or a sentence why there are none.

Its contents decide what it is. It is opened in a process of its own (support.decoding) that may take so much memory and
time and no more: what a hostile file can break is that process, and then it is refused like any other.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from support import decoding
from support.models import ScanState
from support.scanning import scan

_OPENERS = BoundedSemaphore(settings.UPLOAD_DECODERS)
# More than any picture of ours takes.
_LARGEST_RESULT = 64 * 1024 * 1024
_JPEG = b"\xff\xd8\xff"


class Refusal(Enum):
    """Why there is nothing to show, in a sentence for the agent and the customer."""

    EMPTY = "The file is empty."
    TOO_LARGE = "The file is larger than {bytes}."
    TOO_MANY_FILES = "One message brings at most {files} files, and this was one more."
    NOT_TAKEN = "This is no JPEG, PNG, WebP, HEIC or PDF file, whatever its name says."
    DAMAGED = "The file is damaged or incomplete."
    TOO_MANY_PIXELS = "The picture has more than {pixels} million pixels."
    TOO_MANY_PAGES = "The PDF has more than {pages} pages."
    ENCRYPTED = "The PDF asks for a password."
    TOO_HEAVY = "Opening the file takes more memory than a picture may."
    TOO_SLOW = "Opening the file takes longer than a picture may."
    INFECTED = "The virus scanner found malware in the file."
    NOT_STORED = "The file could not be stored: please send it again."

    @property
    def sentence(self) -> str:
        return self.value.format(
            bytes=f"{settings.UPLOAD_MAX_BYTES / 1_000_000:.3g} MB",
            files=settings.UPLOAD_MAX_FILES,
            pixels=f"{settings.UPLOAD_MAX_PIXELS / 1_000_000:.3g}",
            pages=settings.UPLOAD_MAX_PAGES,
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of ours, and a small one of some 300 pixels."""

    jpeg: Path
    small: Path
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as we know it. `original` is where it lies; None where nobody wants it back. The paths live as long as the
    folder they were made in."""

    digest: bytes
    size: int
    original: Path | None = None
    pictures: list[Picture] = field(default_factory=list)
    looks: int | None = None
    details: bytes | None = None
    scan: ScanState = ScanState.NOT_SCANNED
    refusal: Refusal | None = None


@contextmanager
def opened(file: "UploadedFile[Any]", *, until: float, is_one_too_many: bool = False) -> Iterator[Opened]:
    """Opens one file, by the moment `until` (of time.monotonic) at the latest; never raises over what is in it."""
    with TemporaryDirectory(prefix="upload-") as name:
        folder = Path(name)
        original = folder / "original"
        digest, size = _copy(file, original)
        if not size:
            yield Opened(digest, size, refusal=Refusal.EMPTY)
        elif is_one_too_many:
            yield Opened(digest, size, refusal=Refusal.TOO_MANY_FILES)
        elif size > settings.UPLOAD_MAX_BYTES:
            yield Opened(digest, size, refusal=Refusal.TOO_LARGE)
        else:
            yield _kept(original, digest, size, until)


def _kept(original: Path, digest: bytes, size: int, until: float) -> Opened:
    scanned = scan(original)
    if scanned is ScanState.INFECTED:
        return Opened(digest, size, original, scan=scanned, refusal=Refusal.INFECTED)
    try:
        pictures, looks, details = _pictures(original.parent, until)
    except _RefusedError as refused:
        return Opened(digest, size, original, scan=scanned, refusal=refused.refusal)
    return Opened(digest, size, original, pictures, looks, details, scanned)


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


def _copy(file: "UploadedFile[Any]", to: Path) -> tuple[bytes, int]:
    """Digest and size. What is too large is read through, for its digest, and not kept."""
    digest, size = blake2b(digest_size=32), 0
    with to.open("wb") as copy:
        for chunk in file.chunks():
            digest.update(chunk)
            size += len(chunk)
            if size <= settings.UPLOAD_MAX_BYTES:
                copy.write(chunk)
    return digest.digest(), size


def _pictures(folder: Path, until: float) -> tuple[list[Picture], int | None, bytes | None]:
    with (folder / "original").open("rb") as file:
        kind = decoding.format_of(file.read(decoding.HEAD))
    if not kind:
        raise _RefusedError(Refusal.NOT_TAKEN)
    # Requests wait for their turn instead of filling the memory together.
    if not _OPENERS.acquire(timeout=max(0.0, until - monotonic())):
        raise _RefusedError(Refusal.TOO_SLOW)
    try:
        _decode(folder, kind, until)
    finally:
        _OPENERS.release()
    return _result(folder)


def _decode(folder: Path, kind: str, until: float) -> None:
    seconds = min(settings.UPLOAD_SECONDS, until - monotonic())
    if seconds <= 0:
        raise _RefusedError(Refusal.TOO_SLOW)
    limits = [settings.UPLOAD_MEMORY_MB, settings.UPLOAD_SECONDS, settings.UPLOAD_MAX_PIXELS, settings.UPLOAD_MAX_PAGES]
    process = subprocess.Popen(  # noqa: S603
        # Isolated, and without our environment: it finds no secret in it.
        [sys.executable, "-I", decoding.__file__, kind, *map(str, limits)],
        cwd=folder,
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        ended = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise _RefusedError(Refusal.TOO_SLOW) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _RefusedError(Refusal.TOO_SLOW)
    if ended:
        # A library that finds no memory aborts.
        raise _RefusedError(Refusal.TOO_HEAVY if ended == -signal.SIGABRT else Refusal.DAMAGED)


def _result(folder: Path) -> tuple[list[Picture], int | None, bytes | None]:
    """What the process left, believed only as far as it is what our own code would have written."""
    try:
        result = json.loads((folder / "result.json").read_bytes())
        refused, sizes = result.get("refused"), result.get("pages", [])
        looks, details = result.get("looks") or (None, None)
        details = bytes.fromhex(details) if details else None
        pictures = [
            Picture(folder / f"{number}.jpg", folder / f"{number}-small.jpg", int(width), int(height))
            for number, (width, height) in enumerate(sizes, start=1)
        ]
    except (OSError, ValueError, TypeError, AttributeError):
        raise _RefusedError(Refusal.DAMAGED) from None
    if refused:
        raise _RefusedError(Refusal.__members__.get(refused, Refusal.DAMAGED))
    paths = [path for picture in pictures for path in (picture.jpeg, picture.small)]
    if not 0 < len(pictures) <= settings.UPLOAD_MAX_PAGES or not all(map(_is_jpeg, paths)):
        raise _RefusedError(Refusal.DAMAGED)
    if not (isinstance(looks, int) and -(1 << 63) <= looks < 1 << 63 and details and len(details) == 128):
        return pictures, None, None
    return pictures, looks, details


def _is_jpeg(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_RESULT:
        return False
    with path.open("rb") as file:
        return file.read(len(_JPEG)) == _JPEG
