"""Codes as stored: keyed digests, one per program and key version, from which no code can be read back."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from django.conf import settings

DIGEST_BYTES = 16


class Digester:
    """The digests of one program's codes, under every key version.

    Version 1 is D_1 = B2(k_1, code), version n wraps it: D_n = B2(k_n, D_{n-1}). A stored digest is thus
    moved to a new key without its code, and a code has one digest per version, however old it is. B2 is
    keyed BLAKE2b (RFC 7693) of 16 bytes, personalised with the program's digest name: the same code in two
    programs has two digests. Codes are normalised bodies (see code_format), ASCII. No key shows in a repr.
    """

    __slots__ = ("_hashers", "digest_name")

    def __init__(self, keys: Mapping[int, bytes], digest_name: str) -> None:
        person = digest_name.encode()
        # A shorter name is filled up with NULs, so one that ends in them would be another program's.
        if not 1 <= len(person) <= hashlib.blake2b.PERSON_SIZE or b"\0" in person:
            raise ValueError("A digest name has 1 to 16 bytes, none of them NUL.")
        if not keys or sorted(keys) != list(range(1, len(keys) + 1)):
            raise ValueError("Digest keys are numbered from 1 without a gap: each version wraps the one before.")
        if not all(32 <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE for key in keys.values()):
            raise ValueError("A digest key has 32 to 64 bytes.")
        self.digest_name = digest_name
        # Hashers that have taken in their key: copying one costs less than keying anew.
        self._hashers = [
            hashlib.blake2b(key=keys[version], person=person, digest_size=DIGEST_BYTES) for version in sorted(keys)
        ]

    def __repr__(self) -> str:
        return f"<Digester {self.digest_name!r}, key version {self.version}>"

    @property
    def version(self) -> int:
        """The newest key version, under which new codes are stored."""
        return len(self._hashers)

    def current(self, code: str | bytes) -> bytes:
        """The digest of a code under the newest version, 16 bytes."""
        return self.every(code)[-1][1]

    def every(self, code: str | bytes) -> list[tuple[int, bytes]]:
        """The code's (version, digest) under each version, oldest first: a look-up needs them all."""
        digest = code.encode("ascii") if isinstance(code, str) else code
        digests = []
        for version, hasher in enumerate(self._hashers, start=1):
            digest = _hashed(hasher, digest)
            digests.append((version, digest))
        return digests

    def many(self, codes: Iterable[bytes]) -> list[bytes]:
        """The digests of many codes under the newest version, in their order."""
        digests = codes
        for hasher in self._hashers:
            copy = hasher.copy
            wrapped = []
            for digest in digests:
                hashing = copy()
                hashing.update(digest)
                wrapped.append(hashing.digest())
            digests = wrapped
        return wrapped

    def wrap(self, digest: bytes, version_of_digest: int) -> bytes:
        """A stored digest moved on by one key version. ValueError where there is no such next version."""
        if not 1 <= version_of_digest < self.version:
            raise ValueError(f"There is no key version after {version_of_digest} to wrap a digest in.")
        return _hashed(self._hashers[version_of_digest], digest)


def _hashed(keyed: "hashlib.blake2b", message: bytes) -> bytes:
    hashing = keyed.copy()
    hashing.update(message)
    return hashing.digest()


def digester(digest_name: str) -> Digester:
    """The digester of the program with this digest name, under the keys in settings.CODE_KEYS."""
    return _digester(digest_name, tuple(sorted(settings.CODE_KEYS.items())))


@lru_cache(maxsize=256)
def _digester(digest_name: str, keys: tuple[tuple[int, bytes], ...]) -> Digester:
    # Cached by the keys themselves: another CODE_KEYS is another digester, never a stale one.
    return Digester(dict(keys), digest_name)
