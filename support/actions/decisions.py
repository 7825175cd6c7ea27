"""What a second person decides, and what then happens: in one transaction, so that each approval acts once or not."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from redemption import approvals, locks
from redemption.cards import CardError, void_cards
from redemption.models import Approval, ApprovalAction, ApprovalRequest, User
from redemption.roles import Permission
from support import audit, policy
from support.actions import credits, judging, limits, reversals
from support.actions.reports import ReportError
from support.models import AuditAction, format_amount

# What is done under the lock of credits, shared.
_CREDITS = {ApprovalAction.CREDIT, ApprovalAction.REVERSAL, ApprovalAction.MOVE}


def approve(asked: ApprovalRequest, *, by: User, reason: str = "", now: datetime | None = None) -> Approval:
    """Says yes, and does it at once. Raises ApprovalError or CreditError with a sentence, and then nothing is decided.

    A replacement alone waits for whoever hands the new card over.
    """
    with transaction.atomic():
        if asked.action in _CREDITS:
            # Before the request's row, as everywhere: the limits that say who may approve stay what they are.
            locks.share(locks.CREDITS, 0)
        _hold_report(asked)
        _require_power(asked, by)
        approval = approvals.approve(asked, by=by, reason=reason, now=now)
        audit.record(AuditAction.REQUEST_APPROVED, by=by, target=f"request:{asked.pk}", asked=asked.action)
        match ApprovalAction(asked.action):
            case ApprovalAction.CREDIT:
                credits.grant_approved(approval, now=now)
            case ApprovalAction.REVERSAL:
                reversals.reverse_approved(approval, now=now)
            case ApprovalAction.MOVE:
                reversals.move_approved(approval, now=now)
            case ApprovalAction.POLICY:
                limits.apply_approved_policy(approval, now=now)
            case ApprovalAction.VOID:
                _void(approval, now)
    return approval


def reject(asked: ApprovalRequest, *, by: User, reason: str, now: datetime | None = None) -> Approval:
    with transaction.atomic():
        _hold_report(asked)
        approval = approvals.reject(asked, by=by, reason=reason, now=now)
        audit.record(AuditAction.REQUEST_REJECTED, by=by, target=f"request:{asked.pk}", asked=asked.action)
    return approval


def withdraw(asked: ApprovalRequest, *, by: User) -> None:
    with transaction.atomic():
        _hold_report(asked)
        approvals.withdraw(asked, by=by)
        audit.record(AuditAction.REQUEST_WITHDRAWN, by=by, target=f"request:{asked.pk}", asked=asked.action)


def _hold_report(asked: ApprovalRequest) -> None:
    """Before the request's row, as whoever asks for something else about these cards does."""
    if asked.target.startswith("report:"):
        judging.hold(judging.report_of(asked))


def _require_power(asked: ApprovalRequest, by: User) -> None:
    """How much a role may approve is a limit as well, which the decision itself keeps."""
    if refusal := power_refusal(asked, by):
        raise approvals.ApprovalError(refusal)


def power_refusal(asked: ApprovalRequest, by: User, *, most: Mapping[str, int] | None = None) -> str:
    """Why this person's role may not approve it, in a sentence; "" where it may. `most` is policy.approvable(), for
    whoever asks about many."""
    if asked.action == ApprovalAction.POLICY and not by.may(Permission.MANAGE_CREDITS):
        return "Only who may change limits approves a change of them."
    if asked.action not in _CREDITS:
        return ""
    unit, amount = asked.payload["unit"], asked.payload["amount"]
    may_approve = (policy.approvable(by) if most is None else most).get(unit, 0)
    if asked.action == ApprovalAction.CREDIT:
        if amount <= may_approve:
            return ""
        return f"{format_amount(amount, unit)} is more than your role may approve: a manager must decide."
    # Nothing is given away: whoever may approve any credit in this unit may say that it is taken back or moved.
    if may_approve:
        return ""
    return "Your role may approve no credits in this unit: a manager must decide."


def _void(approval: Approval, now: datetime | None) -> None:
    if approval.target.startswith("report:"):
        try:
            judging.void_approved(approval, now=now)
        except ReportError as refused:
            raise approvals.ApprovalError(str(refused)) from None
        return
    cards = approval.request.payload
    by = approval.requested_by
    try:
        void_cards(**cards, by=by, approval=approval, reason=approval.request.reason, now=now)
    except CardError as refused:
        raise approvals.ApprovalError(str(refused)) from None
    audit.record(
        AuditAction.CARD_CHANGED, by=by, target=approval.target, change="void", last=cards["last"], approval=approval.pk
    )
