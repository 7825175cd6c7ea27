"""A batch's life after it was issued: activate, freeze, thaw, close, extend."""

from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from redemption.cards import Touched, activate_cards
from redemption.ledger import reverse_breakage
from redemption.models import Batch, BatchStatus, CardEvent, CardEventKind, Replacement, User
from redemption.roles import Permission


class BatchError(Exception):
    """It cannot be done to this batch; the text says why."""


def activate_batch(batch: Batch, *, by: User, with_cards: bool = False, now: datetime | None = None) -> Touched:
    """The retailer has it: its cards work once they are sold. `with_cards` counts all of them as sold at once, as for
    codes that are given away or billed in one sum."""
    with transaction.atomic():
        _move(batch, {BatchStatus.ISSUED}, BatchStatus.ACTIVE, CardEventKind.BATCH_ACTIVATED, by, now=now)
        if not with_cards:
            return Touched(0)
        assert batch.first_serial
        return activate_cards(first=batch.first_serial, last=batch.last_serial, by=by, now=now)


def freeze_batch(batch: Batch, *, by: User, reason: str, now: datetime | None = None) -> None:
    """Nothing of it is redeemed once this has committed: a trigger waits for the redemptions under way."""
    if not reason.strip():
        raise BatchError("Say why it is frozen: whoever sees it next needs to know.")
    _move(
        batch,
        {BatchStatus.ISSUED, BatchStatus.ACTIVE},
        BatchStatus.FROZEN,
        CardEventKind.BATCH_FROZEN,
        by,
        permission=Permission.FREEZE,
        reason=reason,
        now=now,
    )


def thaw_batch(batch: Batch, *, by: User, reason: str = "", now: datetime | None = None) -> None:
    """Back to what it was before the freeze."""
    frozen = CardEvent.objects.filter(batch=batch, kind=CardEventKind.BATCH_FROZEN).order_by("pk").last()
    before = BatchStatus(frozen.details["from"]) if frozen else BatchStatus.ISSUED
    _move(
        batch,
        {BatchStatus.FROZEN},
        before,
        CardEventKind.BATCH_THAWED,
        by,
        permission=Permission.FREEZE,
        reason=reason,
        now=now,
    )


def close_batch(batch: Batch, *, by: User, reason: str = "", now: datetime | None = None) -> None:
    """Ends it for good: nothing of it is redeemed or sold any more."""
    _move(
        batch,
        {BatchStatus.ISSUED, BatchStatus.ACTIVE, BatchStatus.FROZEN},
        BatchStatus.CLOSED,
        CardEventKind.BATCH_CLOSED,
        by,
        reason=reason,
        now=now,
    )


def extend_batch(batch: Batch, *, expires_on: date, by: User, reason: str = "", now: datetime | None = None) -> None:
    """A later last day, for the batch's cards and for those that replaced some of them. Breakage that was posted for
    unspent cards is taken back."""
    now = now or timezone.now()
    if not by.may(Permission.MANAGE_BATCHES):
        raise BatchError("Your role may not do this.")
    with transaction.atomic():
        locked = Batch.objects.select_for_update(no_key=True).select_related(None).get(pk=batch.pk)
        if locked.status in {BatchStatus.DRAFT, BatchStatus.CLOSED} or not locked.expires_on:
            raise BatchError("Only issued batches with an expiry can be extended.")
        if expires_on <= locked.expires_on:
            raise BatchError(f"The new last day must lie after {locked.expires_on:%-d %B %Y}.")
        if expires_on < batch.product.program.today(now):
            raise BatchError("The new last day is over already.")
        _record(
            locked, CardEventKind.EXTENDED, by, reason, now, {"from": str(locked.expires_on), "to": str(expires_on)}
        )
        locked.expires_on, locked.breakage_posted_for = expires_on, None
        locked.save(update_fields=["expires_on", "breakage_posted_for"])
        reverse_breakage(first=locked.serials.lower, after=locked.serials.upper, now=now)
        for card in _successors(locked):
            details = {"from": str(card.expires_on), "to": str(expires_on)}
            _record(card.successor.batch, CardEventKind.EXTENDED, by, reason, now, details, serial=card.successor_id)
            card.expires_on, card.breakage_posted_for = expires_on, None
            card.save(update_fields=["expires_on", "breakage_posted_for"])
            reverse_breakage(first=card.successor_id, after=card.successor_id + 1, now=now)
    batch.refresh_from_db()


def _successors(batch: Batch) -> list[Replacement]:
    """The replacements of a batch's cards that inherited its expiry, and theirs. Their batches are locked."""
    found: list[Replacement] = []
    step = Replacement.objects.filter(original__batch=batch, expires_on__isnull=False)
    while newer := list(step.select_related("successor__batch").order_by("pk")):
        found += newer
        step = Replacement.objects.filter(original__in=[card.successor_id for card in newer], expires_on__isnull=False)
    standing = {card.successor.batch_id for card in found}
    list(Batch.objects.select_for_update(no_key=True).filter(pk__in=standing).order_by("pk"))
    return found


def _move(
    batch: Batch,
    expected: set[BatchStatus],
    to: BatchStatus,
    kind: CardEventKind,
    by: User,
    *,
    permission: Permission = Permission.MANAGE_BATCHES,
    reason: str = "",
    now: datetime | None = None,
) -> None:
    """Changes the status under the row's lock; the second of two who press the same button is told."""
    if not by.may(permission):
        raise BatchError("Your role may not do this.")
    with transaction.atomic():
        locked = Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
        if locked.status not in expected:
            raise BatchError(f"The batch is {locked.get_status_display().lower()}; this needs another status.")
        _record(locked, kind, by, reason, now or timezone.now(), {"from": locked.status})
        locked.status = to
        locked.save(update_fields=["status"])
    batch.refresh_from_db()


def _record(
    batch: Batch,
    kind: CardEventKind,
    by: User,
    reason: str,
    at: datetime,
    details: dict[str, str],
    *,
    serial: int | None = None,
) -> None:
    """An event of the whole batch, or of one card of it."""
    CardEvent.objects.create(
        kind=kind,
        batch=batch,
        first_serial=serial or batch.serials.lower,
        last_serial=serial or batch.serials.upper - 1,
        details=details,
        reason=reason,
        by=by,
        at=at,
    )
