"""Keys of machines: “rd_<prefix>_<secret>”. The prefix finds a key, the secret proves it, and only its digest is
kept."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b

from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from redemption.models import ApiKey

_TOKEN = re.compile(r"rd_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Token:
    """A key that was just made. Its secret is in no repr."""

    prefix: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        return f"rd_{self.prefix}_{self.secret}"

    @property
    def digest(self) -> bytes:
        return digest_of(self.secret)


def make_token() -> Token:
    return Token(secrets.token_hex(6), secrets.token_urlsafe(32))


@sensitive_variables()
def digest_of(secret: str) -> bytes:
    return blake2b(secret.encode(), person=b"desk.api_key", digest_size=32).digest()


@sensitive_variables()
def find_key(text: str, now: datetime) -> ApiKey | None:
    """The key that this token is; None of one that never was, has expired or was revoked.

    A retailer that is inactive gets no new batches; the cards that it has sold are still its to report and take back,
    so its keys work on.
    """
    read = _TOKEN.fullmatch(text)
    if not read:
        return None
    try:
        key = ApiKey.objects.get(prefix=read[1])
    except ApiKey.DoesNotExist:
        key = None
    # An unknown prefix takes as long as a wrong secret.
    is_right = secrets.compare_digest(digest_of(read[2]), bytes(key.digest) if key else _NO_DIGEST)
    return key if key and is_right and is_live(key, now) else None


def is_live(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def live(now: datetime) -> Q:
    """The same for a queryset of keys."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))


def note_use(key: ApiKey, now: datetime) -> None:
    """To the minute: of a minute's requests one writes."""
    minute = now.replace(second=0, microsecond=0)
    if key.last_used_at is None or key.last_used_at < minute:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=minute)
        ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=minute)


def last_until(now: datetime, keep: timedelta, expires_at: datetime | None) -> datetime:
    """Until when a key lives that was replaced: never longer than it would have."""
    return min(now + keep, expires_at) if expires_at else now + keep
