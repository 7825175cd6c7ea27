"""The second person: request, approve, reject, withdraw; and the check that an approval covers what is being done."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from redemption.code_spotting import CodeSpotter
from redemption.models import Approval, ApprovalAction, ApprovalRequest, Decision, RequestStatus, User
from redemption.roles import Permission

REQUESTS_LAST = timedelta(days=7)
LONGEST_REASON = 500


class ApprovalError(Exception):
    """It cannot be requested, decided or used like this; the text says why."""


def payload_hash(payload: dict[str, Any]) -> bytes:
    return blake2b(json.dumps(payload, sort_keys=True).encode(), digest_size=32).digest()


def request(
    *,
    action: ApprovalAction,
    target: str,
    payload: dict[str, Any],
    reason: str,
    by: User,
    customers: Collection[int] = (),
    now: datetime | None = None,
) -> ApprovalRequest:
    """Asks for what needs a second person. One request waits per action and target. `customers` gain by it: neither may
    ask for it nor decide it."""
    now = now or timezone.now()
    if not by.may(Permission.REQUEST):
        raise ApprovalError("Your role may not ask for this.")
    if not reason.strip():
        raise ApprovalError("Say why: whoever decides needs to know.")
    _check_text(reason)
    if by.pk in customers:
        raise ApprovalError("You are the customer: a colleague must ask for it.")
    try:
        with transaction.atomic():
            # One that nobody decided in time is in nobody's way.
            ApprovalRequest.objects.filter(
                action=action, target=target, status=RequestStatus.PENDING, expires_at__lte=now
            ).update(status=RequestStatus.EXPIRED)
            return ApprovalRequest.objects.create(
                action=action,
                target=target,
                payload=payload,
                payload_hash=payload_hash(payload),
                reason=reason,
                requested_by=by,
                customers=sorted(customers),
                requested_at=now,
                expires_at=now + REQUESTS_LAST,
            )
    except IntegrityError:
        raise ApprovalError("Somebody has asked for this already, and it waits to be decided.") from None


def approve(asked: ApprovalRequest, *, by: User, reason: str = "", now: datetime | None = None) -> Approval:
    return _decide(asked, Decision.APPROVED, by, reason, now or timezone.now())


def reject(asked: ApprovalRequest, *, by: User, reason: str, now: datetime | None = None) -> Approval:
    if not reason.strip():
        raise ApprovalError("Say why you reject it.")
    return _decide(asked, Decision.REJECTED, by, reason, now or timezone.now())


def withdraw(asked: ApprovalRequest, *, by: User) -> None:
    with transaction.atomic():
        asked = _pending(asked)
        if asked.requested_by_id != by.pk:
            raise ApprovalError("Only who asked can withdraw.")
        asked.status = RequestStatus.WITHDRAWN
        asked.save(update_fields=["status"])


def expire(*, now: datetime | None = None) -> int:
    """Ends the requests that nobody decided in time. Each hour; who looks at one earlier is told so as well."""
    overdue = ApprovalRequest.objects.filter(status=RequestStatus.PENDING, expires_at__lte=now or timezone.now())
    return overdue.update(status=RequestStatus.EXPIRED)


def _check_text(reason: str) -> None:
    """A reason is kept for good, and read by many: it fits, and holds no code."""
    if len(reason) > LONGEST_REASON:
        raise ApprovalError(f"Say it in at most {LONGEST_REASON} characters.")
    if CodeSpotter().holds_code([reason]):
        raise ApprovalError("There is a code in it: name the card by its serial number.")


def _pending(asked: ApprovalRequest) -> ApprovalRequest:
    """Locked and read again: of two who decide at once, the second finds it decided."""
    asked = ApprovalRequest.objects.select_for_update().get(pk=asked.pk)
    if asked.status != RequestStatus.PENDING:
        raise ApprovalError(f"This was decided before: {asked.get_status_display().lower()}.")
    return asked


def _decide(asked: ApprovalRequest, decision: Decision, by: User, reason: str, now: datetime) -> Approval:
    if not by.may(Permission.APPROVE):
        raise ApprovalError("Your role may not decide this.")
    _check_text(reason)
    with transaction.atomic():
        asked = _pending(asked)
        if asked.requested_by_id == by.pk:
            raise ApprovalError("Another person must decide what you asked for.")
        if by.pk in asked.customers:
            raise ApprovalError("You are the customer: a colleague must decide it.")
        if asked.expires_at <= now:
            raise ApprovalError("This request has expired: it must be asked for anew.")
        asked.status = RequestStatus(decision.value)
        asked.save(update_fields=["status"])
        return Approval.objects.create(
            request=asked,
            action=asked.action,
            target=asked.target,
            payload_hash=asked.payload_hash,
            decision=decision,
            reason=reason,
            requested_by=asked.requested_by,
            customers=asked.customers,
            decided_by=by,
            decided_at=now,
        )


def require(approval: Approval, *, action: ApprovalAction, target: str, payload: dict[str, Any]) -> None:
    """Raises ApprovalError unless this approval says yes to exactly this."""
    if approval.decision != Decision.APPROVED:
        raise ApprovalError("This was rejected.")
    covers = (approval.action, approval.target, bytes(approval.payload_hash))
    if covers != (action, target, payload_hash(payload)):
        raise ApprovalError("The approval is for something else.")
