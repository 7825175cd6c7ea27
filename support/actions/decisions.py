"""What a second person decides, and what then happens: in one transaction, so that each approval acts once or not."""

from datetime import datetime

from django.db import transaction

from redemption import approvals
from redemption.models import Approval, ApprovalAction, ApprovalRequest, User
from support import audit, policy
from support.actions import credits
from support.models import AuditAction


def approve(asked: ApprovalRequest, *, by: User, reason: str = "", now: datetime | None = None) -> Approval:
    """Says yes, and does it at once. Raises ApprovalError or CreditError with a sentence, and then nothing is decided.

    A replacement alone waits for whoever hands the new card over.
    """
    with transaction.atomic():
        _require_power(asked, by)
        approval = approvals.approve(asked, by=by, reason=reason, now=now)
        audit.record(AuditAction.REQUEST_APPROVED, by=by, target=f"request:{asked.pk}", asked=asked.action)
        match ApprovalAction(asked.action):
            case ApprovalAction.CREDIT:
                credits.grant_approved(approval, now=now)
    return approval


def reject(asked: ApprovalRequest, *, by: User, reason: str, now: datetime | None = None) -> Approval:
    with transaction.atomic():
        approval = approvals.reject(asked, by=by, reason=reason, now=now)
        audit.record(AuditAction.REQUEST_REJECTED, by=by, target=f"request:{asked.pk}", asked=asked.action)
    return approval


def withdraw(asked: ApprovalRequest, *, by: User) -> None:
    with transaction.atomic():
        approvals.withdraw(asked, by=by)
        audit.record(AuditAction.REQUEST_WITHDRAWN, by=by, target=f"request:{asked.pk}", asked=asked.action)


def _require_power(asked: ApprovalRequest, by: User) -> None:
    """How much a role may approve is a limit as well, which the decision itself keeps."""
    if asked.action != ApprovalAction.CREDIT:
        return
    wanted = credits.wanted_by(asked.payload)
    if not policy.approves(by, unit=wanted.unit, amount=wanted.amount):
        raise approvals.ApprovalError(f"{wanted.shown} is more than your role may approve: a manager must decide.")
