"""Keys of machines: made by a retailer's managers for its systems, or by administrators for a program's platform; shown
once, rotated without a gap, revoked at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from redemption import locks
from redemption.api import keys
from redemption.models import (
    PLATFORM_SCOPES,
    TILL_SCOPES,
    ApiKey,
    ApiScope,
    MemberRole,
    Program,
    Retailer,
    User,
)
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.redaction import redact
from support.told_back import GuessError, told_back

# Of one retailer or program, at once.
MOST_KEYS = 20
KEPT_DAYS = 7
MOST_KEPT_DAYS = 90
Owner = Retailer | Program


class ApiKeyError(Exception):
    """The key cannot be made, rotated or revoked; the text says why."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """`token` is what the system sends. It is shown once and kept nowhere."""

    key: ApiKey
    token: keys.Token


def make_key(
    *, retailer: Retailer, name: str, scopes: Collection[ApiScope], by: User, now: datetime | None = None
) -> NewKey:
    """ApiKeyError: `by` manages no keys of this retailer, it has enough, or the key would open nothing."""
    now = now or timezone.now()
    _require_manager(by, retailer)
    try:
        # A name is shown again and again.
        plain = told_back({"name": name.strip()}, retailer=retailer, now=now).texts["name"][:60]
    except GuessError as refused:
        raise ApiKeyError(str(refused)) from None
    return _new(retailer, name=plain, scopes=scopes, by=by, now=now)


def make_platform_key(
    *, program: Program, name: str, scopes: Collection[ApiScope], by: User, now: datetime | None = None
) -> NewKey:
    """ApiKeyError: `by` may not change platforms' keys, the program has enough, or the key would open nothing."""
    _require_manager(by, program)
    return _new(program, name=redact(name.strip()).text[:60], scopes=scopes, by=by, now=now or timezone.now())


def _new(owner: Owner, *, name: str, scopes: Collection[ApiScope], by: User, now: datetime) -> NewKey:
    if not name:
        raise ApiKeyError("Give the key a name: where it is used.")
    with transaction.atomic():
        _hold(owner)
        if _keys_of(owner).filter(keys.live(now)).count() >= MOST_KEYS:
            raise ApiKeyError(f"{owner} has {MOST_KEYS} keys already: revoke one that nobody uses.")
        made = _made(owner, name=name, scopes=scopes, by=by, now=now)
        audit.record(
            AuditAction.KEY_MADE,
            by=by,
            target=made.key.owner,
            also=[f"api_key:{made.key.pk}"],
            scopes=sorted(made.key.scopes),
        )
    return made


def rotate_key(key: ApiKey, *, by: User, keep_days: int = KEPT_DAYS, now: datetime | None = None) -> NewKey:
    """The next key, which may do the same. The old one works for `keep_days` more days, or as long as it would have:
    meanwhile the systems get the new one. ApiKeyError: it is over, or was rotated before."""
    now = now or timezone.now()
    _require_manager(by, owner_of(key))
    if not 0 <= keep_days <= MOST_KEPT_DAYS:
        raise ApiKeyError(f"An old key is kept for at most {MOST_KEPT_DAYS} days.")
    with transaction.atomic():
        # Of two who rotate it at once, the second finds the first one's.
        found = ApiKey.objects.select_for_update(no_key=True, of=("self",)).select_related("retailer", "program")
        old = found.get(pk=key.pk)
        owner = owner_of(old)
        if not keys.is_live(old, now):
            raise ApiKeyError("This key works no more: make a new one.")
        if ApiKey.objects.filter(replaces=old).exists():
            raise ApiKeyError("This key was rotated before: use the one that replaced it.")
        # Each may have one successor beside it, and no more: limits are for each key.
        if _keys_of(owner).filter(keys.live(now)).count() >= 2 * MOST_KEYS:
            raise ApiKeyError(f"{owner} has too many keys that still work: revoke those that were rotated.")
        made = _made(
            owner,
            name=old.name,
            scopes=[ApiScope(scope) for scope in old.scopes],
            by=by,
            now=now,
            replaces=old,
        )
        old.expires_at = keys.last_until(now, timedelta(days=keep_days), old.expires_at)
        old.save(update_fields=["expires_at"])
        audit.record(
            AuditAction.KEY_ROTATED,
            by=by,
            target=old.owner,
            also=[f"api_key:{old.pk}", f"api_key:{made.key.pk}"],
            keep_days=keep_days,
        )
    return made


def revoke_key(key: ApiKey, *, by: User, now: datetime | None = None) -> bool:
    """From now on it opens nothing. Whether it did until now. Staff who may change retailers may end theirs too."""
    now = now or timezone.now()
    if key.program_id or not by.may(Permission.MANAGE_RETAILERS):
        _require_manager(by, owner_of(key))
    with transaction.atomic():
        revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
        if revoked:
            audit.record(AuditAction.KEY_REVOKED, by=by, target=key.owner, also=[f"api_key:{key.pk}"])
    return bool(revoked)


def owner_of(key: ApiKey) -> Owner:
    return key.platform if key.program_id else key.shop


def _hold(owner: Owner) -> None:
    """Of two keys made at once, the second counts the first."""
    if isinstance(owner, Program):
        # Not its row, which every redemption reads and the switch of redeeming changes.
        locks.take(locks.PLATFORM_KEYS, owner.pk)
    else:
        Retailer.objects.select_for_update(no_key=True).get(pk=owner.pk)


def _keys_of(owner: Owner) -> "QuerySet[ApiKey]":
    return ApiKey.objects.filter(**_named(owner))


def _named(owner: Owner) -> dict[str, Any]:
    return {"program": owner} if isinstance(owner, Program) else {"retailer": owner}


def _made(
    owner: Owner,
    *,
    name: str,
    scopes: Collection[ApiScope],
    by: User,
    now: datetime,
    replaces: ApiKey | None = None,
) -> NewKey:
    if not scopes:
        raise ApiKeyError("Choose what the key may do.")
    if not set(scopes) <= set(PLATFORM_SCOPES if isinstance(owner, Program) else TILL_SCOPES):
        raise ApiKeyError("A key opens either the tills’ interface or the platforms’.")
    token = keys.make_token()
    made = ApiKey.objects.create(
        **_named(owner),
        name=name,
        prefix=token.prefix,
        digest=token.digest,
        scopes=[str(scope) for scope in ApiScope if scope in scopes],
        created_by=by,
        created_at=now,
        replaces=replaces,
    )
    return NewKey(made, token)


def _require_manager(by: User, owner: Owner) -> None:
    if isinstance(owner, Program):
        if not by.may(Permission.MANAGE_INTERFACES):
            raise ApiKeyError("You manage no keys of platforms.")
    elif not by.is_active or not owner.members.filter(user=by, role=MemberRole.MANAGER).exists():
        raise ApiKeyError("You manage no keys of this retailer.")
