"""Credits, and what was asked of a second person, row by row."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from redemption.models import ApprovalAction, ApprovalRequest, RequestStatus, User
from redemption.roles import Permission, Role
from support.exports.files import Cell, Column, Kind
from support.exports.lists import List, ListError, Rows, amount, filters_address, filters_in, streamed
from support.reports.credit_list import credits

_COLUMNS = [
    Column("Credit"),
    Column("Granted at (UTC)", Kind.MOMENT),
    Column("Amount", Kind.AMOUNT),
    Column("Currency or days", width=10),
    Column("Reason", width=28),
    Column("Program", width=24),
    Column("Account"),
    Column("E-mail", personal=True, width=28),
    Column("Ticket"),
    Column("Card", Kind.NUMBER, width=13),
    Column("Retailer", width=24),
    Column("With a receipt", width=10),
    Column("The customer had written", width=10),
    Column("Granted by", width=24),
    Column("As", width=16),
    Column("Approved by", width=24),
    Column("Approved at (UTC)", Kind.MOMENT),
    Column("Moves what a card gave", width=10),
    Column("Taken back", Kind.AMOUNT),
    Column("Taken back at (UTC)", Kind.MOMENT),
    Column("Note", personal=True, width=60),
]
_FIELDS = [
    "reference",
    "granted_at",
    "amount",
    "unit",
    "reason__name",
    "program__name",
    "account__reference",
    "account__email",
    "ticket__reference",
    "code_id",
    "retailer__name",
    "receipt_id",
    "customer_wrote",
    "granted_by__name",
    "granted_by__email",
    "granted_as",
    "approval__decided_by__name",
    "approval__decided_by__email",
    "approval__decided_at",
    "moves_id",
    "reversal__amount",
    "reversal__at",
    "note",
]


def _credits(address: Mapping[str, str], user: User) -> Rows:
    found = credits(filters_in(address)).order_by("-granted_at", "-pk")
    return streamed(found.values_list(*_FIELDS, named=True), _credit)


def _credit(row: Any) -> Sequence[Cell]:
    return [
        row.reference,
        row.granted_at,
        amount(row.amount, row.unit),
        row.unit,
        row.reason__name,
        row.program__name,
        row.account__reference,
        row.account__email,
        row.ticket__reference,
        row.code_id,
        row.retailer__name,
        row.receipt_id is not None,
        row.customer_wrote,
        row.granted_by__name or row.granted_by__email,
        Role(row.granted_as).label,
        row.approval__decided_by__name or row.approval__decided_by__email,
        row.approval__decided_at,
        row.moves_id is not None,
        amount(row.reversal__amount, row.unit),
        row.reversal__at,
        row.note,
    ]


CREDITS = List("credits", "Credits", Permission.VIEW_REPORTS, _COLUMNS, filters_address, _credits)


# --- What a second person decides

_REQUEST_COLUMNS = [
    Column("Request", Kind.NUMBER, width=10),
    Column("What", width=24),
    Column("About", width=30),
    Column("Amount", Kind.AMOUNT),
    Column("Currency or days", width=10),
    Column("Asked at (UTC)", Kind.MOMENT),
    Column("Asked by", width=24),
    Column("Why", personal=True, width=40),
    Column("Status", width=12),
    Column("Decided at (UTC)", Kind.MOMENT),
    Column("Decided by", width=24),
    Column("Hours until then", Kind.AMOUNT, width=10),
    Column("The decision’s reason", personal=True, width=40),
]
_REQUEST_FIELDS = [
    "pk",
    "action",
    "target",
    "payload",
    "requested_at",
    "requested_by__name",
    "requested_by__email",
    "reason",
    "status",
    "approval__decided_at",
    "approval__decided_by__name",
    "approval__decided_by__email",
    "approval__reason",
]


def _requests_address(address: Mapping[str, str]) -> str:
    own = {name: value for name in ("status", "action") if (value := address.get(name, ""))}
    if not {own.get("status")} <= {None, *RequestStatus.values} or not {own.get("action")} <= {
        None,
        *ApprovalAction.values,
    }:
        raise ListError("There is no such status, or no such action.")
    return "&".join(filter(None, [filters_address(address), urlencode(own)]))


def _requests(address: Mapping[str, str], user: User) -> Rows:
    filters = filters_in(address)
    found = ApprovalRequest.objects.order_by("-requested_at", "-pk")
    if not filters.is_of_all_days:
        found = found.filter(requested_at__gte=filters.days.since, requested_at__lt=filters.days.before)
    narrow = {"status": address.get("status"), "action": address.get("action"), "requested_by": filters.agent}
    found = found.filter(**{name: value for name, value in narrow.items() if value})
    return streamed(found.values_list(*_REQUEST_FIELDS, named=True), _request)


def _request(row: Any) -> Sequence[Cell]:
    decided = row.approval__decided_at
    return [
        row.pk,
        ApprovalAction(row.action).label,
        row.target,
        amount(row.payload.get("amount"), row.payload.get("unit")),
        row.payload.get("unit"),
        row.requested_at,
        row.requested_by__name or row.requested_by__email,
        row.reason,
        RequestStatus(row.status).label,
        decided,
        row.approval__decided_by__name or row.approval__decided_by__email,
        round(Decimal((decided - row.requested_at).total_seconds()) / 3600, 1) if decided else None,
        row.approval__reason,
    ]


APPROVALS = List(
    "approvals",
    "What was asked of a second person",
    Permission.VIEW_REPORTS,
    _REQUEST_COLUMNS,
    _requests_address,
    _requests,
)
