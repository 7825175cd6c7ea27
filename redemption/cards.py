"""What happens to cards: activate, freeze, thaw, void; one of them or a range of serial numbers.

Each verb takes what it can and leaves the rest as it is: `Touched` says how many were skipped in which status, and
repeating a verb changes nothing. Cards are locked in the order of their serial numbers, so that two ranges at once wait
for each other instead of deadlocking, and a redemption under way is either finished before or finds the card changed.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from redemption import approvals
from redemption.models import (
    Approval,
    ApprovalAction,
    Batch,
    BatchStatus,
    CardEvent,
    CardEventKind,
    CodeStatus,
    Replacement,
    Retailer,
    User,
)
from redemption.roles import Permission, Role

# A tenth of the serial numbers of a large batch in one transaction; more is work for a whole batch.
LARGEST_RANGE = 5_000_000

FREEZABLE = (CodeStatus.INACTIVE, CodeStatus.ACTIVE)
VOIDABLE = (*FREEZABLE, CodeStatus.FROZEN)
FREEZE = "status = 3"
# Back to what it was: active if it was sold, else inactive.
THAW = "status = CASE WHEN c.activated_at IS NULL THEN 0 ELSE 1 END"


class CardError(Exception):
    """It cannot be done to these cards; the text says why."""


class NoCardError(CardError):
    """There are none, or none of the retailer's who asks: nobody is told which."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a verb did: cards changed, and those in its range that it left, by status."""

    changed: int
    skipped: Mapping[CodeStatus, int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        left = ", ".join(f"{count:,} {status.label.lower()}" for status, count in sorted(self.skipped.items()))
        return f"{self.changed:,} card{'' if self.changed == 1 else 's'} changed" + (
            f"; left alone: {left}." if left else "."
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which cards a verb is about: a condition on redemption_code's columns, with its parameters."""

    condition: str
    parameters: Mapping[str, Any]


def _range(first: int, last: int, batches: Sequence[Batch] | None = None) -> Chosen:
    """Where `batches` are given, of theirs alone."""
    condition, parameters = "serial BETWEEN %(first)s::bigint AND %(last)s::bigint", {"first": first, "last": last}
    if batches is None:
        return Chosen(condition, parameters)
    keys = [batch.pk for batch in batches]
    return Chosen(f"{condition} AND batch_id = ANY(%(batches)s::bigint[])", {**parameters, "batches": keys})


# Changes the cards chosen that are in one of the statuses, and writes one event for each unbroken run of them.
# {change} is the new state; {then} may post transfers for the rows of `changed` (serial, batch_id).
_CHANGE = """
    WITH picked AS (
        SELECT serial FROM redemption_code
        WHERE {condition} AND status = ANY(%(statuses)s::smallint[])
        ORDER BY serial FOR NO KEY UPDATE
    ), changed AS (
        UPDATE redemption_code c SET {change} FROM picked WHERE c.serial = picked.serial
        RETURNING c.serial, c.batch_id, c.activated_at, c.status
    ), runs AS (
        SELECT batch_id, min(serial) AS first, max(serial) AS last FROM (
            SELECT batch_id, serial, serial - row_number() OVER (PARTITION BY batch_id ORDER BY serial) AS run
            FROM changed
        ) AS numbered GROUP BY batch_id, run
    ), events AS (
        INSERT INTO redemption_cardevent
            (kind, batch_id, first_serial, last_serial, details, reason, approval_id, by_id, at)
        SELECT %(kind)s::text, batch_id, first, last, %(details)s::jsonb, %(reason)s::text, %(approval)s::bigint,
            %(by)s::bigint, %(now)s::timestamptz
        FROM runs ORDER BY first
    ){then}
    SELECT status, count(*) FROM changed GROUP BY status
"""

# A card's value: its batch's, or for a successor the one that it inherited.
_VALUE = "CASE WHEN b.purpose = 'replacements' THEN i.value ELSE b.value END"
_POST = """, posted AS (
        INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, retailer_id,
            batch_id, code_id, effective_at, recorded_at)
        SELECT {books}, {value}, b.currency, '{kind}', 'code:' || changed.serial{again}, d.program_id, b.retailer_id,
            b.id, changed.serial, %(now)s::timestamptz, %(now)s::timestamptz
        FROM changed JOIN redemption_batch b ON b.id = changed.batch_id
        JOIN redemption_product d ON d.id = b.product_id
        LEFT JOIN redemption_replacement i ON i.successor_id = changed.serial
        {joins}
        WHERE {value} > 0 {condition}
    )"""
# A card whose sale was taken back is sold anew, and a cause posts once: “code:1000000123:1” is its second sale.
_POST_SALE = _POST.format(
    books="'receivable', 'liability'",
    value=_VALUE,
    kind="activate",
    again=" || coalesce(':' || before.sales, '')",
    joins="""LEFT JOIN (SELECT first_serial, count(*) AS sales FROM redemption_cardevent WHERE kind = 'deactivated'
            GROUP BY first_serial) before ON before.first_serial = changed.serial""",
    condition="",
)
# What expired has left the liability for breakage already, unless an extension brought it back.
_POST_VOID = _POST.format(
    books="CASE WHEN broken.id IS NULL THEN 'liability' ELSE 'breakage' END, 'receivable'",
    value=_VALUE,
    kind="void",
    again="",
    joins="""LEFT JOIN redemption_transfer broken ON broken.code_id = changed.serial AND broken.kind = 'breakage'
            AND NOT EXISTS (SELECT FROM redemption_transfer undone WHERE undone.reverses_id = broken.id)""",
    condition="AND changed.activated_at IS NOT NULL",
)


def activate_cards(
    *,
    first: int,
    last: int | None = None,
    by: User,
    retailer: Retailer | None = None,
    details: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Touched:
    """The till tells us that these cards were sold. Posts each one's value, once for each sale.

    With a `retailer`, whose till it is, no other's cards are there.
    """
    last, now = last or first, now or timezone.now()
    if by.role != Role.SYSTEM:
        allow(by, Permission.MANAGE_BATCHES)
    with transaction.atomic():
        batches = _lock_batches(first, last, of=retailer)
        _refuse_unsellable(batches, first, last, now)
        return change(
            _range(first, last, batches if retailer else None),
            CardEventKind.ACTIVATED,
            [CodeStatus.INACTIVE],
            to="status = 1, activated_at = %(now)s::timestamptz",
            then=_POST_SALE,
            by=by,
            details=details,
            now=now,
        )


def freeze_cards(*, first: int, last: int | None = None, by: User, reason: str, now: datetime | None = None) -> Touched:
    """Blocks what is unspent, reversibly. One person may: a report freezes first and asks later."""
    return _block(first, last, CardEventKind.FROZEN, FREEZABLE, to=FREEZE, by=by, reason=reason, now=now)


def thaw_cards(*, first: int, last: int | None = None, by: User, reason: str, now: datetime | None = None) -> Touched:
    """Frozen cards go back to what they were: active if they were sold, else inactive."""
    return _block(first, last, CardEventKind.THAWED, [CodeStatus.FROZEN], to=THAW, by=by, reason=reason, now=now)


def _block(
    first: int,
    last: int | None,
    kind: CardEventKind,
    statuses: Sequence[CodeStatus],
    *,
    to: str,
    by: User,
    reason: str,
    now: datetime | None,
) -> Touched:
    last, now = last or first, now or timezone.now()
    allow(by, Permission.FREEZE)
    with transaction.atomic():
        _lock_batches(first, last)
        return change(_range(first, last), kind, statuses, to=to, by=by, reason=reason, now=now)


def void_payload(first: int, last: int | None = None) -> dict[str, Any]:
    """What a request to void these cards asks for, to be approved to the letter."""
    return {"first": first, "last": last or first}


def void_cards(
    *, first: int, last: int | None = None, by: User, approval: Approval, reason: str, now: datetime | None = None
) -> Touched:
    """Ends unspent cards for good; what was sold goes back to its retailer's account. Needs a second person, each
    time: an approval voids once."""
    last, now = last or first, now or timezone.now()
    allow(by, Permission.REQUEST)
    approvals.require(approval, action=ApprovalAction.VOID, target=f"code:{first}", payload=void_payload(first, last))
    with transaction.atomic():
        _lock_batches(first, last)
        return void_chosen(_range(first, last), by=by, approval=approval, reason=reason, now=now)


def void_chosen(chosen: Chosen, *, by: User, approval: Approval, reason: str, now: datetime) -> Touched:
    """For whoever has locked their batches, and seen that the approval covers these cards."""
    # Under the lock: of two who use it at once, the second finds it used.
    if CardEvent.objects.filter(approval=approval).exists():
        raise CardError("This approval was used before: ask anew.")
    return change(
        chosen,
        CardEventKind.VOIDED,
        VOIDABLE,
        to="status = 4",
        then=_POST_VOID,
        by=by,
        reason=reason,
        approval=approval,
        now=now,
    )


def allow(by: User, permission: Permission) -> None:
    if not by.may(permission):
        raise CardError("Your role may not do this.")


def _lock_batches(first: int, last: int, *, of: Retailer | None = None) -> list[Batch]:
    """The batches of a range of serial numbers, locked: breakage and extensions of these cards wait, and so do other
    verbs on the same batches. CardError where there are none or the range is no range."""
    # What a retailer has not got yet is not there for it.
    own = Batch.objects.filter(retailer=of).exclude(status=BatchStatus.DRAFT) if of else Batch.objects.all()
    if last < first:
        raise CardError("The range ends before it begins.")
    if last - first >= LARGEST_RANGE:
        raise CardError(f"At most {LARGEST_RANGE:,} cards at once.")
    batches = list(
        own.filter(serials__overlap=(first, last + 1))
        .select_for_update(no_key=True, of=("self",))
        .select_related("product__program")
        .order_by("pk")
    )
    if not batches:
        raise NoCardError("No card has this serial number." if first == last else "No card is in this range.")
    return batches


def _refuse_unsellable(batches: Sequence[Batch], first: int, last: int, now: datetime) -> None:
    for batch in batches:
        if batch.status not in {BatchStatus.ISSUED, BatchStatus.ACTIVE}:
            raise CardError(f"Batch {batch} is {batch.get_status_display().lower()}: its cards cannot be sold.")
        today = batch.product.program.today(now)
        if batch.expires_on and today > batch.expires_on:
            raise CardError(f"Batch {batch} expired on {batch.expires_on:%-d %B %Y}: its cards cannot be sold.")
        # Successors expire one by one, with the cards that they replace.
        if Replacement.objects.filter(successor__serial__range=(first, last), expires_on__lt=today).exists():
            raise CardError("A card of this range has expired: it cannot be sold.")


def change(
    chosen: Chosen,
    kind: CardEventKind,
    statuses: Sequence[CodeStatus],
    *,
    to: str,
    by: User,
    now: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    approval: Approval | None = None,
    then: str = "",
    counts_skipped: bool = True,
) -> Touched:
    """Moves the cards chosen that are in one of the statuses, with their events. For whoever has locked their batches
    and may do it. `to` and `then` are SQL of this project's own. What it left is counted unless nobody asks."""
    if by.pk is None:
        raise CardError("Somebody must have done this.")
    parameters: dict[str, Any] = {
        **chosen.parameters,
        "statuses": list(statuses),
        "kind": kind,
        "reason": reason,
        "details": json.dumps(dict(details or {})),
        "approval": approval.pk if approval else None,
        "by": by.pk,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE.format(condition=chosen.condition, change=to, then=then), parameters)
        changed = Counter({CodeStatus(status): count for status, count in cursor.fetchall()})
        if not counts_skipped:
            return Touched(changed.total())
        cursor.execute(
            f"SELECT status, count(*) FROM redemption_code WHERE {chosen.condition} GROUP BY status",
            {name: parameters[name] for name in chosen.parameters},
        )
        left = Counter({CodeStatus(status): count for status, count in cursor.fetchall()})
    return Touched(changed.total(), dict(left - changed))
