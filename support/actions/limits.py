"""Changing the limits of credits, which two people do together; and stopping all credits, which one does."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import approvals, locks
from redemption.models import Approval, ApprovalAction, ApprovalRequest, User
from redemption.roles import Permission
from support import audit, policy
from support.limits import FIELDS, LABELS, LONGER, Matrix, differences, is_count, matrix_from, matrix_of, rows_of
from support.models import AuditAction, CreditLimit, CreditPolicy, CreditStop

# Of an amount, and of how many.
LARGEST, MOST = 10**12, 10**6


class LimitsError(Exception):
    """The limits cannot be changed, or credits not be stopped, like this; the text says why."""


class StaleLimitsError(LimitsError):
    """Somebody else has changed them since they were read."""


def request_policy(wanted: Matrix, *, base: int, why: str, by: User, now: datetime | None = None) -> ApprovalRequest:
    """Asks a second person to put these limits in force, all of them as they stand here. `base` is the version that
    they were made from: a request to change something else is none."""
    with transaction.atomic():
        _require(by, Permission.MANAGE_CREDITS)
        current = policy.current_policy()
        if current.pk != base:
            raise StaleLimitsError(
                f"These limits were changed meanwhile: {str(current).lower()} is in force. Compare, and ask again."
            )
        for limit in wanted.values():
            _check(limit)
        changes = differences(matrix_of(current), wanted)
        if not changes:
            raise LimitsError("Nothing is changed: these limits are in force already.")
        try:
            asked = approvals.request(
                action=ApprovalAction.POLICY,
                target=f"policy:{current.pk}",
                payload={"base": current.pk, "limits": rows_of(wanted)},
                reason=why,
                by=by,
                now=now,
            )
        except approvals.ApprovalError as refused:
            raise LimitsError(str(refused)) from None
        audit.record(AuditAction.POLICY_REQUESTED, by=by, target=f"request:{asked.pk}", changes=len(changes))
    return asked


def apply_approved_policy(approval: Approval, *, now: datetime | None = None) -> CreditPolicy:
    """Puts what a second person has approved in force as a new version, once. Raises ApprovalError, with a sentence."""
    now = now or timezone.now()
    asked = approval.request
    approvals.require(approval, action=ApprovalAction.POLICY, target=asked.target, payload=asked.payload)
    with transaction.atomic():
        # Whoever grants a credit by the old limits has finished, or waits here and is measured by the new ones.
        locks.take(locks.CREDITS)
        for person in (approval.requested_by, approval.decided_by):
            if not person.may(Permission.MANAGE_CREDITS):
                raise approvals.ApprovalError("Limits are changed by two people who may both change them.")
        current = policy.current_policy()
        if current.approval_id == approval.pk:
            raise approvals.ApprovalError("This approval was used before.")
        if current.pk != asked.payload["base"]:
            raise approvals.ApprovalError("The limits were changed since this was asked for: it must be asked anew.")
        made = CreditPolicy.objects.create(
            made_at=now, reason=asked.reason, made_by=approval.requested_by, approval=approval
        )
        CreditLimit.objects.bulk_create(
            CreditLimit(policy=made, unit=unit, role=role, **limit)
            for (unit, role), limit in matrix_from(asked.payload["limits"]).items()
        )
        audit.record(
            AuditAction.POLICY_CHANGED,
            by=approval.requested_by,
            target=f"policy:{made.pk}",
            request=asked.pk,
            approval=approval.pk,
        )
    return made


def _check(limit: Any) -> None:
    """What the form says by its fields, for whoever comes another way."""
    for field in FIELDS:
        if not 0 <= limit[field] <= (MOST if is_count(field) else LARGEST):
            raise LimitsError(f"“{LABELS[field]}” is out of range.")
    for shorter, longer in LONGER:
        if limit[shorter] > limit[longer]:
            raise LimitsError(f"“{LABELS[longer]}” must allow at least as much as “{LABELS[shorter]}”.")


# --- The switch


def stop(*, reason: str, by: User, now: datetime | None = None) -> CreditStop:
    """Nobody grants anything from now on, approved or not. What is being granted at this moment is finished before."""
    return _switch(True, reason, by, Permission.APPROVE, AuditAction.CREDITS_STOPPED, now)


def resume(*, reason: str, by: User, now: datetime | None = None) -> CreditStop:
    return _switch(False, reason, by, Permission.MANAGE_CREDITS, AuditAction.CREDITS_RESUMED, now)


def _switch(
    is_on: bool, reason: str, by: User, permission: Permission, action: AuditAction, now: datetime | None
) -> CreditStop:
    _require(by, permission)
    if not reason.strip():
        raise LimitsError("Say why: everybody who grants credits reads it.")
    with transaction.atomic():
        # Two who press it at once: the second waits here, and finds it done.
        locks.take(locks.CREDITS)
        stands = policy.stopped()
        if is_on == bool(stands):
            raise LimitsError(
                f"All credits were stopped before, by {stands.by}: {stands.reason}"
                if stands
                else "No credit is stopped."
            )
        made = CreditStop.objects.create(is_on=is_on, reason=reason, by=by, at=now or timezone.now())
        audit.record(action, by=by, stop=made.pk)
    return made


def _require(by: User, permission: Permission) -> None:
    if not by.may(permission):
        raise LimitsError("Your role may not do this.")
