"""The audit trail's only way in: an explicit call, in the transaction of what it records."""

import secrets
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from django.utils import timezone

from redemption.models import User
from support.models import AuditAction, AuditEvent, AuditPersonal


class MissingActorError(Exception):
    """Nobody did this: a programming error, never recorded."""


def record(
    action: AuditAction,
    *,
    by: User | None,
    target: str = "",
    also: Iterable[str] = (),
    personal: str = "",
    **details: Any,
) -> AuditEvent:
    """Writes one event. `target`, and `also`, what else was seen or touched, are such as “code:1000000123”; `details`
    are ids and enum values; what names a person goes into `personal`, erasable."""
    if by is None or by.pk is None:
        raise MissingActorError(action)
    if beside := list(also):
        details["also"] = beside
    salt = secrets.token_bytes(16)
    event = AuditEvent.objects.create(
        at=timezone.now(),
        actor_id=by.pk,
        actor_role=by.role,
        action=action,
        target=target,
        details=details,
        personal_hash=personal_hash(salt, personal) if personal else None,
    )
    if personal:
        AuditPersonal.objects.create(event_id=event.pk, salt=salt, text=personal)
    return event


def personal_hash(salt: bytes, text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), key=salt, digest_size=32).digest()
