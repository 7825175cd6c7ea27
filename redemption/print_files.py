"""A batch's clear codes on their way to the printer: written encrypted, fetched under record, then destroyed."""

import hashlib
import os
import secrets
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Self

import pyrage
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from redemption.models import PrintFile, PrintFileDownload, User
from redemption.roles import Permission

_DRAFT = ".part"


class PrintFileError(Exception):
    """The message is a sentence for whoever asked."""


def folder() -> Path:
    return Path(settings.MEDIA_ROOT) / "print"


def path_of(print_file: PrintFile) -> Path:
    return folder() / print_file.name


class EncryptedWriter:
    """A file of lines, encrypted to an age public key while they come, in little memory.

    Used as a context: left normally, the file is whole, on disk and under its random name, with `sha256` and `size`;
    left by an exception, there is no file. PrintFileError, with a sentence: the disk is full or refuses. The file is
    mode 0600. What is written rests nowhere in the clear: it goes through a pipe into the thread that encrypts it.
    """

    def __init__(self, recipient: str) -> None:
        try:
            self._recipient = pyrage.x25519.Recipient.from_str(recipient)
        except pyrage.RecipientError:
            raise PrintFileError("That is no age public key: it begins with age1 and comes from the printer.") from None
        self.name = f"{secrets.token_hex(16)}.age"
        self.sha256 = ""
        self.size = 0
        self.path = folder() / self.name
        self._draft = folder() / f".{self.name}{_DRAFT}"
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        try:
            folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _not_written(error) from None
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._hash = hashlib.sha256()
        outlet, inlet = os.pipe()
        self._outlet, self._inlet = os.fdopen(outlet, "rb"), os.fdopen(inlet, "wb", buffering=0)
        self._thread = threading.Thread(target=self._encrypt, name="print file", daemon=True)
        self._thread.start()
        return self

    def _encrypt(self) -> None:
        # Whatever happens, the pipe is closed, so that the other side gets an error and does not wait for ever.
        with self._outlet:
            try:
                pyrage.encrypt_io(self._outlet, self, [self._recipient])
            except BaseException as error:
                self._error = self._error or error

    def write(self, encrypted: bytes) -> int:
        """For pyrage only, which says of a failed write nothing but its text: the exception is kept here."""
        try:
            view = memoryview(encrypted)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._error = error
            raise
        self._hash.update(encrypted)
        self.size += len(encrypted)
        return len(encrypted)

    def flush(self) -> None:
        """For pyrage only."""

    def add(self, lines: bytes | bytearray) -> None:
        """Encrypt lines after those before."""
        view = memoryview(lines)
        try:
            while view:
                view = view[self._inlet.write(view) :]
        except BrokenPipeError:
            self._thread.join()
            raise _not_written(self._error) from None

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        try:
            # An encryption that is cut off has no last block: even so, nobody gets to see it.
            self._inlet.close()
            self._thread.join()
            if kind is None:
                if self._error:
                    raise _not_written(self._error) from None
                try:
                    os.fsync(self._file.fileno())
                    self._draft.rename(self.path)
                    _sync_folder()
                except OSError as refused:
                    raise _not_written(refused) from None
                self.sha256 = self._hash.hexdigest()
        finally:
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the whole file too, because the transaction that was to know it failed."""
        # It may be that there never was one; what cannot be removed is readable for nobody but the printer.
        with suppress(OSError):
            self.path.unlink()


def _sync_folder() -> None:
    """A new name is on disk only with its folder."""
    descriptor = os.open(folder(), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(error: BaseException | None) -> PrintFileError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "the encryption failed"
    return PrintFileError(f"The print file could not be written ({why.lower()}).")


def open_for_download(print_file: PrintFile, *, by: User, now: datetime | None = None) -> BinaryIO:
    """The encrypted file, open for reading from its start; the download is recorded first, in one transaction.

    PrintFileError: its receipt was confirmed, or it is missing, or `by` may not have it.
    """
    _require(by)
    with transaction.atomic():
        # Locked against a receipt that is being confirmed at this moment.
        print_file = PrintFile.objects.select_for_update().get(pk=print_file.pk)
        if print_file.destroyed_at:
            raise PrintFileError("The printer confirmed its receipt, and the file was destroyed.")
        PrintFileDownload.objects.create(print_file=print_file, by=by, at=now or timezone.now())
        try:
            return path_of(print_file).open("rb")
        except OSError:
            raise PrintFileError("The print file is missing from the private files' folder.") from None


def confirm_receipt(print_file: PrintFile, *, by: User, now: datetime | None = None) -> PrintFile:
    """Destroy the file, because the printer has it. Done twice, the first stands.

    Unlinked, not overwritten: on today's disks and file systems a second write lands elsewhere, and what is left is
    encrypted to the printer's key anyway.
    """
    _require(by)
    with transaction.atomic():
        print_file = PrintFile.objects.select_for_update().get(pk=print_file.pk)
        if not print_file.destroyed_at:
            print_file.destroyed_at, print_file.destroyed_by = now or timezone.now(), by
            print_file.save(update_fields=["destroyed_at", "destroyed_by"])
        # Again on the second call: a crash after the first commit may have left it.
        path = path_of(print_file)
        transaction.on_commit(lambda: path.unlink(missing_ok=True))
    return print_file


def remove_strays(now: datetime | None = None) -> int:
    """Remove what a crash left: files half written, and those whose receipt was confirmed. Returns how many.

    Drafts younger than a day may belong to a batch that is being issued. A whole file that no batch here knows stays:
    it may be another database's, and losing its codes would be worse than keeping what only the printer reads.
    """
    day_ago = ((now or timezone.now()) - timedelta(days=1)).timestamp()
    paths = list(folder().iterdir()) if folder().is_dir() else []
    names = [path.name for path in paths]
    destroyed = set(PrintFile.objects.filter(name__in=names, destroyed_at__isnull=False).values_list("name", flat=True))
    strays = [
        path for path in paths if path.name in destroyed or (path.suffix == _DRAFT and path.stat().st_mtime < day_ago)
    ]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def _require(by: User) -> None:
    if not by.may(Permission.FETCH_PRINT_FILES):
        raise PrintFileError("Your role may not fetch print files.")
