"""Fetching customers' mails from a mailbox. A mail leaves the mailbox's unread ones when it is stored, never before."""

import imaplib
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError

from support.mail.receiving import receive

logger = logging.getLogger(__name__)

_TIMEOUT = 30
# The next poll takes the next ones.
_AT_ONCE = 200


class MailboxError(Exception):
    """Why no mail could be fetched, in a sentence without what stands in the mailbox's address."""


def poll(*, now: datetime | None = None) -> int:
    """Stores unread mails, oldest first, and marks or moves each one after its commit. Returns how many.

    A crash between the two brings the mail again, which is known by its Message-ID then. One that cannot be stored
    stays unread and holds up nobody else's. Without a mailbox it does nothing.
    """
    if not settings.IMAP_URL:
        return 0
    taken = 0
    try:
        with _mailbox() as mailbox:
            for uid in _unread(mailbox):
                taken += _take(mailbox, uid, now)
                if taken == _AT_ONCE:
                    break
    except (OSError, imaplib.IMAP4.error) as error:
        raise MailboxError(f"The mailbox cannot be read ({type(error).__name__}).") from None
    return taken


def _take(mailbox: imaplib.IMAP4, uid: str, now: datetime | None) -> bool:
    raw = _fetch(mailbox, uid)
    if raw is None:
        return False
    try:
        receive(raw, now=now)
    except (OperationalError, InterfaceError):
        # Nothing can be stored now: the others wait too.
        raise
    # What is wrong with one mail says nothing about the next.
    except Exception as error:
        logger.error("Mail %s of the mailbox could not be stored and stays there (%s).", uid, type(error).__name__)
        return False
    _put_away(mailbox, uid)
    return True


@contextmanager
def _mailbox() -> Iterator[imaplib.IMAP4]:
    """imaps://user:password@host:port/folder; imap+tls:// begins in the clear, imap:// stays so (this machine only)."""
    address = urlsplit(settings.IMAP_URL)
    host, folder = address.hostname or "localhost", unquote(address.path.lstrip("/")) or "INBOX"
    safe = ssl.create_default_context()
    mailbox: imaplib.IMAP4
    if address.scheme == "imaps":
        mailbox = imaplib.IMAP4_SSL(host, address.port or 993, ssl_context=safe, timeout=_TIMEOUT)
    elif address.scheme in ("imap", "imap+tls"):
        mailbox = imaplib.IMAP4(host, address.port or 143, timeout=_TIMEOUT)
    else:
        raise MailboxError("IMAP_URL begins with imaps://, imap+tls:// or imap://.")
    try:
        if address.scheme == "imap+tls":
            mailbox.starttls(safe)
        mailbox.login(unquote(address.username or ""), unquote(address.password or ""))
        answer, _ = mailbox.select(_quoted(folder))
        if answer != "OK":
            raise MailboxError("The mailbox has no such folder.")
        yield mailbox
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            mailbox.logout()


def _unread(mailbox: imaplib.IMAP4) -> list[str]:
    _, found = mailbox.uid("SEARCH", "UNSEEN", "UNDELETED")
    numbers = b" ".join(part for part in found if part).split()
    return [number.decode() for number in sorted(numbers, key=int)]


def _fetch(mailbox: imaplib.IMAP4, uid: str) -> bytes | None:
    """The mail as it came; PEEK leaves it unread. None: somebody else took it."""
    _, parts = mailbox.uid("FETCH", uid, "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), None)


def _put_away(mailbox: imaplib.IMAP4, uid: str) -> None:
    mailbox.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)")
    folder = settings.IMAP_DONE_FOLDER
    if folder and "MOVE" in mailbox.capabilities:
        answer, _ = mailbox.uid("MOVE", uid, _quoted(folder))
        if answer != "OK":
            logger.warning("Mail %s was stored and stays in the mailbox: it could not be moved.", uid)
    elif folder:
        # Older servers: copied, and left out by every search from now on.
        answer, _ = mailbox.uid("COPY", uid, _quoted(folder))
        if answer == "OK":
            mailbox.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
