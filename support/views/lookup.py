"""The desk's first page: one box. What is typed is posted, so that no code stands in an address or a log."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Code
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.diagnosis import state_of
from support.landing import send_others_on
from support.pages import address_of, page, see_other
from support.permissions import requires
from support.search import MOST_LISTED, Findings, Record, search


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@send_others_on
@requires(Permission.LOOK_UP)
def lookup(request: StaffRequest) -> HttpResponse:
    """Exactly one record is opened at once; everything else is told here."""
    if request.method != "POST":
        return page(request, "support/lookup.html", {}, title="Look-up")
    typed = request.POST.get("typed", "")
    now = timezone.now()
    findings = search(typed, by=request.user, now=now)
    if findings.only:
        return see_other(address_of(findings.only))
    context = {
        "findings": findings,
        "records": [_row(record, now) for record in findings.records],
        "most_listed": MOST_LISTED,
        "near": [_row(near.code, now, near.slip.description) for near in findings.near],
        # Back into the box, to be compared and mended; this page is kept nowhere.
        "typed": typed[:300],
    }
    return page(request, "support/lookup.html", context, title="Look-up", status=_status(findings))


def _row(record: Record, now: datetime, slip: str = "") -> dict[str, Any]:
    return {
        "slip": slip,
        "kind": type(record).__name__,
        "record": record,
        "address": address_of(record),
        "state": state_of(record, now) if isinstance(record, Code) else None,
    }


def _status(findings: Findings) -> int:
    if findings.is_unreadable:
        return 400
    if findings.blocked_until:
        return 429
    found = findings.records or findings.tickets or findings.near or findings.share_link_of or findings.is_blank
    return 200 if found else 404
