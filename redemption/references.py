"""References of answers that leave no row: signed, so that they describe themselves when an agent opens one."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from hashlib import blake2b

from django.conf import settings

from redemption.code_format import CROCKFORD

_PREFIX = "NO"
_BODY = struct.Struct(">BQI")
_SEAL = 7
_LENGTH = (_BODY.size + _SEAL) * 8 // 5


# The account in a reference that was given before anybody knew whose it is.
NOBODY = 0


class Untried(IntEnum):
    """Why a try left no attempt behind."""

    SLIP = 1
    SHARE_LINK = 2
    THROTTLED = 3
    UNAVAILABLE = 4
    CHALLENGE = 5

    @property
    def sentence(self) -> str:
        return {
            Untried.SLIP: "What was typed had a slip in it; nothing was counted.",
            Untried.SHARE_LINK: "What was typed was a link for sharing; nothing was counted.",
            Untried.THROTTLED: "The try was turned away: too many before it.",
            Untried.UNAVAILABLE: "Redeeming did not work at that moment; nothing was used up.",
            Untried.CHALLENGE: "Very many codes were being tried; a number was mailed first, and nothing was counted.",
        }[self]


@dataclass(frozen=True, slots=True)
class SignedReference:
    kind: Untried
    account_id: int
    at: datetime


def _seal(body: bytes) -> bytes:
    return blake2b(body, key=settings.SECRET_KEY.encode()[:64], person=b"desk.reference", digest_size=_SEAL).digest()


def sign(kind: Untried, account_id: int, at: datetime) -> str:
    """“NO-…”, 32 symbols in groups of four."""
    body = _BODY.pack(kind, account_id, int(at.timestamp()))
    number = int.from_bytes(body + _seal(body))
    symbols = "".join(CROCKFORD[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))
    return "-".join([_PREFIX, *(symbols[at : at + 4] for at in range(0, _LENGTH, 4))])


def read_signed(text: str) -> SignedReference | None:
    """What a reference says, if it is one of ours and untouched."""
    symbols = text.strip().upper().removeprefix(_PREFIX).replace("-", "").replace(" ", "")
    if len(symbols) != _LENGTH or not set(symbols) <= set(CROCKFORD):
        return None
    number = 0
    for symbol in symbols:
        number = number << 5 | CROCKFORD.index(symbol)
    raw = number.to_bytes(_BODY.size + _SEAL)
    body, seal = raw[: _BODY.size], raw[_BODY.size :]
    if seal != _seal(body):
        return None
    kind, account_id, seconds = _BODY.unpack(body)
    return SignedReference(Untried(kind), account_id, datetime.fromtimestamp(seconds, UTC))
