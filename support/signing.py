"""What a seal says, as bytes that are hashed and signed, and as the line that leaves the database."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from support.models import Seal

# Beside those of leaves and nodes: none of the three passes for another.
_SEAL = b"\x02"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Before the first seal.
NOTHING = bytes(32)
_BYTES = ("root", "previous", "hash", "signature", "key_id")
_NUMBERS = ("number", "version", "horizon", "count")


class SealLineError(Exception):
    """That is no line of exported seals; the text says why."""


@cache
@sensitive_variables("secret")
def _private_key(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret)


def public_key() -> bytes:
    """Of the key that this installation signs with: 32 bytes, for anybody to have."""
    return _private_key(settings.SEAL_KEY).public_key().public_bytes_raw()


def key_id(public: bytes) -> bytes:
    return sha256(public).digest()[:8]


def by_id(keys: Iterable[bytes]) -> dict[bytes, bytes]:
    return {key_id(public): public for public in keys}


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def seal_hash(seal: Seal) -> bytes:
    """Over all that it says, the previous seal's hash with it: so each one vouches for all before it."""
    said = [
        seal.version,
        seal.number,
        microseconds(seal.at),
        seal.cluster,
        seal.horizon,
        seal.counts,
        seal.count,
        bytes(seal.root).hex(),
        bytes(seal.previous).hex(),
        bytes(seal.key_id).hex(),
    ]
    return sha256(_SEAL + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


def sign(seal: Seal) -> None:
    """Fills in the key's id, the hash and the signature."""
    seal.key_id = key_id(public_key())
    seal.hash = seal_hash(seal)
    seal.signature = _private_key(settings.SEAL_KEY).sign(bytes(seal.hash))


def is_signed(seal: Seal, public: bytes) -> bool:
    """Whether the owner of the key has signed what the seal says."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes(seal.signature), seal_hash(seal))
    except (InvalidSignature, ValueError):
        return False
    return True


def to_line(seal: Seal, public: bytes | None) -> str:
    """One line of JSON, with all that checking it needs; no public key where it was signed with a former one."""
    said: dict[str, Any] = {name: getattr(seal, name) for name in (*_NUMBERS, "cluster", "counts")}
    said |= {"at": microseconds(seal.at)}
    said |= {name: bytes(getattr(seal, name)).hex() for name in _BYTES}
    if public and key_id(public) == bytes(seal.key_id):
        said["public_key"] = public.hex()
    return json.dumps(said, sort_keys=True) + "\n"


def from_line(line: str) -> tuple[Seal, bytes | None]:
    """The seal, as it was exported, and the public key that came with it."""
    try:
        said = json.loads(line)
        numbers = {name: said[name] for name in (*_NUMBERS, "at")}
        if not all(type(number) is int for number in numbers.values()):
            raise SealLineError("a number is none")
        if not (isinstance(said["cluster"], str) and isinstance(said["counts"], dict)):
            raise SealLineError("something in it is of another kind")
        seal = Seal(
            **{name: numbers[name] for name in _NUMBERS},
            cluster=said["cluster"],
            counts=said["counts"],
            at=_EPOCH + numbers["at"] * _MICROSECOND,
            **{name: bytes.fromhex(said[name]) for name in _BYTES},
        )
        public = bytes.fromhex(said["public_key"]) if "public_key" in said else None
    except KeyError as missing:
        raise SealLineError(f"it has no {missing}") from None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise SealLineError("it is not JSON of this form") from None
    return seal, public
