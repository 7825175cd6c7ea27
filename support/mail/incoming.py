"""A mail's bytes, read. Whatever they are, something comes out: a mail that raises would be a mail that is lost."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import EmailPolicy
from email.utils import parseaddr
from enum import Enum
from hashlib import blake2b
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.views.decorators.debug import sensitive_variables

from support.mail.html_text import text_of
from support.mail.quoting import split

# What is kept of a text: a reader's patience, and far below what a full-text index takes.
LONGEST_TEXT = 100_000
MOST_FILES = 20
_MOST_PARTS = 1_000
_LONGEST_ID = 250

_HALVES = re.compile("[\ud800-\udfff]")
_NAMED = re.compile(r"^(.*)<([^<>]*)>[^<>]*$")
_IDS = re.compile(r"<[^<>\s]{1,250}>")


class Automatic(Enum):
    """A mail that no person wrote to us, and what gave it away."""

    ANSWER = "it says that a machine sent it"
    LIST = "it came through a mailing list"
    BOUNCE = "it says that a mail could not be delivered"


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """`message_id` is never empty: a mail without one is known by its bytes. `references` are the mails it answers, the
    nearest first. `sender` is a valid address in lower case, or empty."""

    message_id: str
    digest_id: str
    references: list[str] = field(default_factory=list)
    sender: str = ""
    sender_name: str = ""
    subject: str = ""
    text: str = ""
    quoted: str = ""
    files: list[File] = field(default_factory=list)
    files_left_out: int = 0
    automatic: Automatic | None = None
    # The list's name without brackets, in lower case.
    list_id: str = ""
    # Of a bounce for good: the mails that did not arrive.
    undelivered: list[str] = field(default_factory=list)
    # No automatic answer is wanted to this one, though a person wrote it.
    no_answer: bool = False


class _Shortened(EmailPolicy):
    """The library's own, that reads no header to its end which takes quadratic time and says nothing there."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: 1_000 if name.lower().startswith("content-") else 16_000]


# The library's type knows no policies but its own.
_SHORTENED: Any = _Shortened()


@sensitive_variables()
def parse(raw: bytes) -> ParsedMail:
    """Never raises."""
    digest_id = f"<{blake2b(raw, digest_size=24).hexdigest()}@without-id.invalid>"
    try:
        return _read(message_from_bytes(raw, policy=_SHORTENED), digest_id)
    # Deeper than Python goes, headers that its parser trips over: the reasons are many, and the mail is kept anyhow.
    except Exception:
        return _crude(raw, digest_id)


@sensitive_variables()
def _read(mail: EmailMessage, digest_id: str) -> ParsedMail:
    sender_name, sender = _sender(mail)
    content = _Content()
    content.take(mail)
    written = content.text()
    cut = split(written[:LONGEST_TEXT])
    text = cut.reply
    if len(written) > LONGEST_TEXT:
        text += f"\n\n(The mail goes on for {len(written) - LONGEST_TEXT:,} more characters, which were not kept.)"
    ids = _IDS.findall(_header(mail, "Message-ID"))
    automatic = _automatic(mail, sender)
    references = [*_IDS.findall(_header(mail, "In-Reply-To")), *reversed(_IDS.findall(_header(mail, "References")))]
    return ParsedMail(
        message_id=ids[0] if ids and len(ids[0]) <= _LONGEST_ID else digest_id,
        digest_id=digest_id,
        references=list(dict.fromkeys(references))[:50],
        sender=sender,
        sender_name=" ".join(clean(sender_name).split())[:150],
        subject=" ".join(clean(_header(mail, "Subject")).split())[:500],
        text=text,
        quoted=cut.quoted,
        files=content.files,
        files_left_out=content.files_left_out,
        automatic=automatic,
        list_id=_header(mail, "List-Id").rpartition("<")[2].strip("> ").lower(),
        undelivered=_undelivered(mail) if automatic is Automatic.BOUNCE else [],
        no_answer=bool(_header(mail, "X-Auto-Response-Suppress")),
    )


@sensitive_variables()
def _crude(raw: bytes, digest_id: str) -> ParsedMail:
    """The sender and the text as it stands there, of a mail that cannot be taken apart."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = re.sub(r"\n[ \t]+", " ", _decoded(head[:100_000], "utf-8")).split("\n")
    headers: dict[str, str] = {}
    for name, colon, value in (line.partition(":") for line in lines):
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    addresses = [address.lower() for address in re.findall(r"[^\s<>\"',;:]+@[^\s<>\"',;:]+", headers.get("from", ""))]
    marked = headers.get("auto-submitted", "no").lower() not in ("", "no")
    return ParsedMail(
        message_id=next(iter(_IDS.findall(headers.get("message-id", ""))), digest_id),
        digest_id=digest_id,
        references=_IDS.findall(headers.get("in-reply-to", ""))[:50],
        sender=next((valid for address in addresses if (valid := _valid(address))), ""),
        subject=" ".join(clean(headers.get("subject", "")).split())[:500],
        text=clean(_decoded(body[: LONGEST_TEXT * 4], "utf-8"))[:LONGEST_TEXT].strip(),
        automatic=Automatic.ANSWER if marked else None,
        no_answer=True,
    )


class _Content:
    """A mail's texts and files, in their order."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.files: list[File] = []
        self.files_left_out = 0
        self.parts = 0

    def text(self) -> str:
        return "\n\n".join(text for text in self.texts if text.strip())

    def take(self, root: Message) -> None:
        # A stack of our own: mails are nested deeper than Python calls.
        waiting: list[tuple[Message, bool]] = [(root, False)]
        while waiting:
            part, html_is_known = waiting.pop()
            self.parts += 1
            if self.parts > _MOST_PARTS:
                self.files_left_out += 1 + len(waiting)
                return
            kind = part.get_content_type()
            if part.is_multipart():
                inner = _parts(part)
                if kind == "multipart/alternative":
                    html_is_known = html_is_known or any(_has_words(option) for option in inner)
                elif kind == "message/rfc822" and inner:
                    self.texts.append(f"Forwarded: {clean(_header(inner[0], 'Subject'))}")
                waiting.extend((child, html_is_known) for child in reversed(inner))
            elif self._is_text(part, kind):
                if kind == "text/html":
                    if not html_is_known:
                        self.texts.append(clean(text_of(_text(part))))
                else:
                    self.texts.append(clean(_text(part)))
            elif not kind.startswith("message/") or part.get_filename():
                self._file(part, kind)

    @staticmethod
    def _is_text(part: Message, kind: str) -> bool:
        attached = part.get_content_disposition() == "attachment" or part.get_filename()
        # A multipart mail whose parts cannot be told apart is read as it stands.
        is_words = kind in ("text/plain", "text/html", "text/enriched") or kind.startswith("multipart/")
        return is_words and not attached

    def _file(self, part: Message, kind: str) -> None:
        if len(self.files) >= MOST_FILES:
            self.files_left_out += 1
            return
        name = clean(_file_name(part)).replace("\n", " ").strip()[:300]
        self.files.append(File(name or f"file-{len(self.files) + 1}", kind, _payload(part)))


def _parts(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _has_words(part: Message) -> bool:
    """Whether it is a plain text that says something: some programs send an empty one beside the HTML."""
    return part.get_content_type() == "text/plain" and not part.is_multipart() and bool(_text(part).strip())


def _text(part: Message) -> str:
    charset = part.get_content_charset() or "utf-8"
    return _decoded(_payload(part), charset)


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, MessageError):
        payload = None
    if isinstance(payload, bytes):
        return payload
    plain = part.get_payload()
    return plain.encode("utf-8", "surrogateescape") if isinstance(plain, str) else b""


def _decoded(data: bytes, charset: str) -> str:
    """As the mail says, or as mails usually are; whatever happens, all that can be read of it."""
    for name in (charset, "utf-8", "cp1252"):
        try:
            return data.decode(name)
        # Charsets that nobody knows, names with a NUL in them, “charsets” that are no text encodings.
        except (LookupError, ValueError, AssertionError):
            continue
    return data.decode("latin-1")


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except Exception:
        return ""
    return _unfolded(name)


def _unfolded(value: str) -> str:
    """Encoded words where none belong, as many programs write file names."""
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError, MessageError):
        return value


def _header(mail: Message, name: str) -> str:
    """A header's value as text, also where the library trips over it, or where bytes stand in it as they are."""
    raw = _raw_header(mail, name)
    if _has_surrogates(raw):
        return _unfolded(_decoded(raw.encode("utf-8", "surrogateescape"), "utf-8"))
    try:
        return str(mail.get(name, ""))
    except Exception:
        return _unfolded(raw)


def _raw_header(mail: Message, name: str) -> str:
    raw = next((value for key, value in mail.raw_items() if key.lower() == name.lower()), "")
    return re.sub(r"\s+", " ", str(raw)).strip()


def _sender(mail: Message) -> tuple[str, str]:
    """Name and address. Taken apart before encoded words are decoded: a name may look like somebody's address."""
    name = ""
    for header in ("From", "Sender", "Return-Path"):
        raw = _raw_header(mail, header)
        # The address in the last angle brackets, as mail servers read it: the library takes the first that looks so.
        named = _NAMED.match(raw)
        shown, address = (named[1].strip(' "'), named[2]) if named else parseaddr(raw)
        name = name or clean(_unfolded(shown)) or clean(address)
        if sender := _valid(address):
            return ("" if name == address else name), sender
    return name, ""


def _valid(address: str) -> str:
    address = address.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address if len(address) <= 254 else ""


def clean(text: str) -> str:
    """What the database takes: no NULs, no halves of characters; and lines end in one way."""
    text = _HALVES.sub("\ufffd", text)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _has_surrogates(text: str) -> bool:
    return bool(_HALVES.search(text))


# --- Mails that no person wrote to us

_ID_LINES = re.compile(r"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ANSWERING = ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")


def _automatic(mail: EmailMessage, sender: str) -> Automatic | None:
    from_a_server = sender.partition("@")[0] in ("mailer-daemon", "postmaster")
    if mail.get_content_type() == "multipart/report":
        # The other reports say that a mail was read.
        says = str(mail.get_param("report-type", "delivery-status")).lower()
        return Automatic.BOUNCE if says == "delivery-status" else Automatic.ANSWER
    if _header(mail, "X-Failed-Recipients") or from_a_server:
        return Automatic.BOUNCE
    submitted = _header(mail, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in ("", "no") or _header(mail, "Return-Path").strip() == "<>":
        return Automatic.ANSWER
    precedence = _header(mail, "Precedence").strip().lower()
    if precedence == "auto_reply" or any(_header(mail, name) for name in _ANSWERING):
        return Automatic.ANSWER
    if precedence in ("bulk", "junk", "list") or _header(mail, "List-Id"):
        return Automatic.LIST
    return None


def _undelivered(mail: EmailMessage) -> list[str]:
    """The mails that a bounce says will not arrive: none where it is only late."""
    found: list[str] = []
    for part in _first(mail.walk(), 100):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            actions = {_header(block, "Action").strip().lower() for block in _parts(part)} - {""}
            if actions and "failed" not in actions:
                return []
        elif kind == "text/rfc822-headers":
            found += _IDS.findall(" ".join(_ID_LINES.findall(_text(part))))
        elif kind == "message/rfc822":
            found += [found_id for inner in _parts(part) for found_id in _IDS.findall(_header(inner, "Message-ID"))]
        elif kind == "text/plain":
            # Some servers write the headers of what they could not deliver under their own words.
            found += _IDS.findall(" ".join(_ID_LINES.findall(_text(part)[:LONGEST_TEXT])))
    if not found and _header(mail, "X-Failed-Recipients"):
        return _IDS.findall(f"{_header(mail, 'In-Reply-To')} {_header(mail, 'References')}")
    return found


def _first(parts: Iterable[Message], count: int) -> Iterator[Message]:
    for _, part in zip(range(count), parts, strict=False):
        yield part
