"""The verbs of cards for a list of serial numbers, as reports name them: whatever is listed, only cards are touched
that belong to the retailer passed in. Who lists a stranger's card learns nothing by it."""

import json
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField
from django.db.models.expressions import RawSQL
from django.utils import timezone

from redemption import approvals
from redemption.cards import FREEZABLE, FREEZE, THAW, CardError, Chosen, Touched, allow, change, void_chosen
from redemption.models import Approval, ApprovalAction, Batch, CardEventKind, CodeStatus, Retailer, User
from redemption.roles import Permission


def these(serials: Collection[int]) -> RawSQL:
    """For `serial__in`: any number of them as one parameter, of which a statement has at most 65,535."""
    return RawSQL("SELECT unnest(%s::bigint[])", ([*serials],), BigIntegerField())


def freeze_listed(
    *, serials: Collection[int], retailer: Retailer, by: User, reason: str, now: datetime | None = None
) -> Touched:
    """Blocks what is unspent, and does not count what it left. For whoever has seen that `by` may: he may have left
    since, and a long list is frozen to its end."""
    with transaction.atomic():
        chosen = _of_retailer(serials, retailer)
        now = now or timezone.now()
        kind = CardEventKind.FROZEN
        return change(chosen, kind, FREEZABLE, to=FREEZE, by=by, reason=reason, now=now, counts_skipped=False)


def thaw_listed(
    *, serials: Collection[int], retailer: Retailer, by: User, reason: str, now: datetime | None = None
) -> Touched:
    """Frozen cards go back to what they were: active if they were sold, else inactive."""
    allow(by, Permission.FREEZE)
    with transaction.atomic():
        chosen = _of_retailer(serials, retailer)
        frozen = [CodeStatus.FROZEN]
        return change(chosen, CardEventKind.THAWED, frozen, to=THAW, by=by, reason=reason, now=now or timezone.now())


@dataclass(frozen=True, slots=True)
class Listed:
    """Cards that a request asks for together. `target` names what they are listed by, such as “report:7”."""

    target: str
    serials: Sequence[int]

    def payload(self, **more: Any) -> dict[str, Any]:
        """What the request asks for. A hash stands for the list, which may be long: another card, or one left out, and
        the approval does not cover it."""
        text = json.dumps(sorted(self.serials)).encode()
        return {"count": len(self.serials), "cards": blake2b(text, digest_size=32).hexdigest(), **more}

    def require_card(self, serial: int) -> None:
        if serial not in self.serials:
            raise CardError("The approval is for other cards.")


def void_listed(
    listed: Listed,
    *,
    retailer: Retailer,
    by: User,
    approval: Approval,
    reason: str,
    now: datetime | None = None,
) -> Touched:
    """Ends unspent cards for good; what was sold goes back to the retailer's account. Needs a second person, each time:
    an approval voids once."""
    allow(by, Permission.REQUEST)
    approvals.require(approval, action=ApprovalAction.VOID, target=listed.target, payload=listed.payload())
    with transaction.atomic():
        chosen = _of_retailer(listed.serials, retailer)
        return void_chosen(chosen, by=by, approval=approval, reason=reason, now=now or timezone.now())


def _of_retailer(serials: Collection[int], retailer: Retailer) -> Chosen:
    """Those of these cards that are the retailer's. Their batches are locked, in the order of their keys as everywhere:
    other verbs on them wait."""
    listed = sorted(serials)
    ends = (listed[0], listed[-1] + 1) if listed else (0, 0)
    own = Batch.objects.filter(retailer=retailer, serials__overlap=ends).values_list(
        "pk", "serials__startswith", "serials__endswith"
    )
    named = [pk for pk, first, after in own if bisect_left(listed, first) < bisect_left(listed, after)]
    rows = Batch.objects.filter(pk__in=named).select_for_update(no_key=True, of=("self",)).order_by("pk")
    locked = list(rows.values_list("pk", flat=True))
    return Chosen(
        "serial = ANY(%(serials)s::bigint[]) AND batch_id = ANY(%(batches)s::bigint[])",
        {"serials": listed, "batches": locked},
    )
