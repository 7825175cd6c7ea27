"""Judging a sign of compromised cards: nothing to it, or its unspent cards are reported by us and frozen."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import locks
from redemption.models import Code, CodeStatus, User
from redemption.roles import Permission
from support import audit
from support.actions.reports import ReportError, Told, open_report
from support.models import AuditAction, CardSign, CardSignState, CompromiseKind, CompromiseReport, ReportChannel
from support.reported_lines import MOST_CARDS, Line

# The retailer reads it as well: nothing about who tried.
_NOTE = "Support noticed tries to redeem that are unusual for cards with these serial numbers."
_UNSPENT = [status for status in CodeStatus if status.is_unspent]


def dismiss(sign: CardSign, *, by: User, reason: str, now: datetime | None = None) -> None:
    """Nothing is wrong with these cards. They are raised again when clearly more of them are tried.

    ReportError: judged already, or `by` may not.
    """
    with transaction.atomic():
        sign = _locked(sign, by)
        _judge(sign, CardSignState.DISMISSED, by=by, reason=reason, now=now or timezone.now())


def report_run(sign: CardSign, *, by: User, reason: str = "", now: datetime | None = None) -> CompromiseReport:
    """Reports the sign's unspent cards for their retailer, which freezes them. `reason` stays on the sign, which
    retailers do not see. ReportError: judged already, nothing unspent, too many, or `by` may not."""
    now = now or timezone.now()
    with transaction.atomic():
        # Before the sign's row, as whoever judges its cards does, who answers the sign by that.
        locks.share(locks.REPORTS, sign.batch.retailer_id)
        sign = _locked(sign, by)
        if sign.cards > MOST_CARDS:
            raise ReportError(f"These are more than {MOST_CARDS:,} cards: freeze the batch, or report parts of it.")
        unspent = Code.objects.filter(
            batch=sign.batch, pk__range=(sign.first_serial, sign.last_serial), status__in=_UNSPENT
        )
        serials = list(unspent.order_by("pk").values_list("pk", flat=True))
        if not serials:
            raise ReportError("None of these cards is unspent: there is nothing to freeze.")
        opened = open_report(
            retailer=sign.batch.retailer,
            lines=[Line(number, serial) for number, serial in enumerate(serials, start=1)],
            told=Told(CompromiseKind.TAMPERED, discovered_at=sign.raised_at, note=_NOTE),
            by=by,
            channel=ReportChannel.DESK,
            now=now,
        )
        sign.report = opened.report
        _judge(sign, CardSignState.REPORTED, by=by, reason=reason, now=now)
    return opened.report


def _locked(sign: CardSign, by: User) -> CardSign:
    """Of two who judge at once, and of the nightly job, each waits here and then finds what the other has done."""
    if not by.may(Permission.FREEZE) or not by.may(Permission.VIEW_COMPROMISED):
        raise ReportError("Your role judges no signs.")
    signs = CardSign.objects.select_for_update(no_key=True, of=("self",)).select_related("batch__retailer")
    found = signs.filter(pk=sign.pk).first()
    if not found:
        raise ReportError("This sign has become part of another one: see the list.")
    if found.state != CardSignState.OPEN:
        raise ReportError("Somebody has judged this sign already.")
    return found


def _judge(sign: CardSign, state: CardSignState, *, by: User, reason: str, now: datetime) -> None:
    sign.state, sign.judged_by, sign.judged_at, sign.reason = state, by, now, reason
    sign.save(update_fields=["state", "judged_by", "judged_at", "reason", "report"])
    more: dict[str, Any] = {"report": sign.report_id} if sign.report_id else {}
    audit.record(AuditAction.SIGN_JUDGED, by=by, target=f"sign:{sign.pk}", state=state.value, **more)
