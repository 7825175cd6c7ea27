"""What waits for a second person, the oldest first, and what was decided, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.models import ApprovalRequest, RequestStatus, User
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, policy, waiting
from support.asked import Asked, read
from support.models import AuditAction
from support.pages import older_than, page
from support.permissions import requires

PER_PAGE = 50
# Of each group, where all are on one page.
AT_FIRST = 20

_GROUPS = {
    "mine-to-decide": "For you to decide",
    "asked-by-me": "You asked for",
    "others": "For others to decide",
}
_DECIDED = [RequestStatus.APPROVED, RequestStatus.REJECTED, RequestStatus.WITHDRAWN, RequestStatus.EXPIRED]


@dataclass(frozen=True, slots=True)
class Row:
    asked: Asked
    waits: str
    is_long: bool
    # Why the reader cannot decide it; of what he asked for himself, nobody needs to be told.
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    title: str
    rows: list[Row]
    # The end of the address that shows more of it.
    more: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    address: str
    is_open: bool


@require_safe
@requires(Permission.VIEW_ACCOUNTS)
@transaction.atomic
def approvals(request: StaffRequest) -> HttpResponse:
    now, user = timezone.now(), request.user
    status = _status(request.GET.get("status", RequestStatus.PENDING))
    group = request.GET.get("group", "")
    if group and (group not in _GROUPS or status != RequestStatus.PENDING):
        raise Http404
    if status != RequestStatus.PENDING:
        groups = [_decided(request, status, now)]
    elif group:
        groups = [_waiting(request, group, now, limit=PER_PAGE)]
    else:
        groups = [_waiting(request, key, now, limit=AT_FIRST) for key in _GROUPS if _has(user, key)]
    rows = [row for found in groups for row in found.rows]
    audit.record(
        AuditAction.REQUESTS_LISTED,
        by=user,
        status=status.value,
        requests=" ".join(str(row.asked.request.pk) for row in rows),
    )
    context: dict[str, Any] = {
        "tabs": _tabs(status),
        "status": status,
        "groups": groups,
        "group": group,
        "is_empty": not rows,
        "is_first_page": "before" not in request.GET and "after" not in request.GET,
        "decides": user.may(Permission.APPROVE),
        "sees_all": waiting.sees_all(user),
    }
    return page(request, "support/approvals.html", context, title="Approvals")


def _status(text: str) -> RequestStatus:
    try:
        return RequestStatus(text)
    except ValueError:
        raise Http404 from None


def _tabs(chosen: RequestStatus) -> list[Tab]:
    address = reverse("approvals")
    return [
        Tab(
            status.label, address if status == RequestStatus.PENDING else f"{address}?status={status}", status == chosen
        )
        for status in [RequestStatus.PENDING, *_DECIDED]
    ]


def _has(user: User, key: str) -> bool:
    """Who decides nothing has no such group; who asks for nothing neither."""
    if key == "mine-to-decide":
        return user.may(Permission.APPROVE)
    return key != "asked-by-me" or user.may(Permission.REQUEST)


def _waiting(request: StaffRequest, key: str, now: datetime, *, limit: int) -> Group:
    user = request.user
    requests = {
        "mine-to-decide": waiting.decidable_by,
        "asked-by-me": waiting.asked_by,
        "others": waiting.of_others,
    }[key](user, now=now)
    after = _named(request, "after") if limit == PER_PAGE else None
    found, more = _cut(waiting.oldest_first(requests, after=after), limit)
    address = {"group": key, **({"after": found[-1].pk} if limit == PER_PAGE and found else {})}
    rows = _rows(found, user, now, tells_why=key == "others")
    return Group(key, _GROUPS[key], rows, urlencode(address) if more else "")


def _decided(request: StaffRequest, status: RequestStatus, now: datetime) -> Group:
    requests = waiting.with_status(request.user, status, now=now).select_related("approval__decided_by")
    found, more = _cut(waiting.newest_first(requests, before=_named(request, "before")), PER_PAGE)
    address = urlencode({"status": status, "before": found[-1].pk}) if more else ""
    return Group(status, status.label, _rows(found, request.user, now), address)


def _cut(requests: "QuerySet[ApprovalRequest]", limit: int) -> tuple[list[ApprovalRequest], bool]:
    """One more than is shown says whether there are more, without counting."""
    found = list(requests[: limit + 1])
    return found[:limit], len(found) > limit


def _named(request: StaffRequest, name: str) -> ApprovalRequest | None:
    """Where the list goes on: after, or before, a request that the reader may see. It may have been decided since."""
    pk = older_than(request, name)
    if pk is None:
        return None
    found = waiting.visible_to(request.user).filter(pk=pk).first()
    if not found:
        raise Http404
    return found


def _rows(found: list[ApprovalRequest], user: User, now: datetime, *, tells_why: bool = False) -> list[Row]:
    most = policy.approvable(user) if tells_why else {}
    return [
        Row(
            asked,
            waits=waiting.waits(asked.request, now),
            is_long=now - asked.request.requested_at > waiting.LONG,
            why_not=waiting.why_not(asked.request, user, now=now, most=most) if tells_why else "",
        )
        for asked in read(found)
    ]
