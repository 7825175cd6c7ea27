"""What events call “account:12”, in words, and where the reader may open it. Whatever many events name is read in one
query for each kind of record."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse

from redemption.models import (
    Account,
    ApiKey,
    ApprovalAction,
    ApprovalRequest,
    Attempt,
    Batch,
    Invoice,
    PlanPrice,
    Product,
    Program,
    Retailer,
    User,
    WebhookEndpoint,
)
from redemption.roles import Permission, Role
from support.models import (
    CardSign,
    CompromiseReport,
    CreditPolicy,
    CreditReason,
    Export,
    Holiday,
    KnownError,
    Macro,
    ManualCredit,
    OpeningHours,
    Target,
    Ticket,
)

_P = Permission


@dataclass(frozen=True, slots=True)
class Name:
    """`address` is empty where there is nothing that the reader may open."""

    text: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """`noun` stands for records that are no more; `text` tells of those that are."""

    noun: str
    model: Any
    permission: Permission
    text: Callable[[Any], str]
    address: Callable[[Any], str] | None = None


def _in_admin(row: Any) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def _quoted(noun: str) -> Callable[[Any], str]:
    return lambda row: f"{noun} “{row}”"


def _asked(request: ApprovalRequest) -> str:
    action = ApprovalAction(request.action).label
    return f"request {request.pk} ({action[0].lower()}{action[1:]})"


KINDS = {
    "account": _Kind(
        "account", Account, _P.VIEW_ACCOUNTS, lambda row: f"account {row.reference}",
        lambda row: reverse("account", args=[row.reference]),
    ),
    "attempt": _Kind(
        "try", Attempt, _P.VIEW_ACCOUNTS, lambda row: f"try {row.reference}",
        lambda row: reverse("attempt", args=[row.reference]),
    ),
    "ticket": _Kind(
        "ticket", Ticket, _P.VIEW_TICKETS, lambda row: f"ticket {row.reference}",
        lambda row: reverse("ticket", args=[row.reference]),
    ),
    "credit": _Kind(
        "credit", ManualCredit, _P.VIEW_REPORTS, lambda row: f"credit {row.reference} of {row.shown}",
        lambda row: reverse("credit", args=[row.reference]),
    ),
    "request": _Kind(
        "request", ApprovalRequest, _P.GRANT_CREDITS, _asked, lambda row: reverse("approval", args=[row.pk])
    ),
    "policy": _Kind(
        "limits, version", CreditPolicy, _P.VIEW_REPORTS, lambda row: f"version {row.pk}",
        lambda row: f"{reverse('credit_policy')}?{urlencode({'version': row.pk})}",
    ),
    "reason": _Kind("reason for credits", CreditReason, _P.VIEW_REPORTS, lambda row: f"“{row}”", _in_admin),
    "export": _Kind("export", Export, _P.EXPORT, lambda row: f"the file “{row}”"),
    "report": _Kind(
        "report", CompromiseReport, _P.VIEW_COMPROMISED, lambda row: f"report {row.reference}",
        lambda row: reverse("compromise", args=[row.reference]),
    ),
    "sign": _Kind(
        "sign", CardSign, _P.VIEW_COMPROMISED, lambda row: f"the sign over {row.first_serial} to {row.last_serial}",
        lambda row: reverse("sign", args=[row.pk]),
    ),
    "api_key": _Kind("key", ApiKey, _P.VIEW_CATALOGUE, lambda row: f"key “{row}”"),
    "webhook": _Kind(
        "webhook", WebhookEndpoint, _P.MANAGE_INTERFACES, lambda row: f"webhook {row.pk}",
        lambda row: reverse("webhook", args=[row.pk]),
    ),
    "invoice": _Kind("invoice", Invoice, _P.VIEW_ACCOUNTS, lambda row: f"invoice {row.reference}"),
    "planprice": _Kind("price", PlanPrice, _P.VIEW_CATALOGUE, lambda row: f"the price “{row}”"),
    "user": _Kind("person", User, _P.MANAGE_STAFF, str, _in_admin),
    "batch": _Kind("batch", Batch, _P.VIEW_CATALOGUE, lambda row: f"batch {row.reference}", _in_admin),
    "product": _Kind("product", Product, _P.VIEW_CATALOGUE, _quoted("product"), _in_admin),
    "program": _Kind("program", Program, _P.VIEW_CATALOGUE, _quoted("program"), _in_admin),
    "retailer": _Kind("retailer", Retailer, _P.VIEW_CATALOGUE, _quoted("retailer"), _in_admin),
    "known_error": _Kind("known error", KnownError, _P.VIEW_TICKETS, _quoted("known error"), _in_admin),
    "knownerror": _Kind("known error", KnownError, _P.VIEW_TICKETS, _quoted("known error"), _in_admin),
    "macro": _Kind("macro", Macro, _P.ANSWER_TICKETS, _quoted("macro"), _in_admin),
    "openinghours": _Kind("opening hours", OpeningHours, _P.MANAGE_DESK, lambda row: f"hours “{row}”", _in_admin),
    "holiday": _Kind("holiday", Holiday, _P.MANAGE_DESK, _quoted("holiday"), _in_admin),
    "target": _Kind("target", Target, _P.MANAGE_DESK, lambda row: f"target of {str(row).lower()}", _in_admin),
}  # fmt: skip
# Pages of figures: what they are called, and their names among the addresses.
_REPORTS = {
    "credits": ("credits", "credits"),
    "liability": ("liability", "liability"),
    "failures": ("failures", "failures"),
    "signals": ("signals", "signals"),
    "exports": ("files taken away", "exports"),
    "limits": ("limits", "credit_policy"),
    "stops": ("stops of credits", "stop_credits"),
    "seals": ("seals", "seals"),
    "webhooks": ("webhooks", "webhooks"),
    "platform_keys": ("platforms’ keys", "platform_keys"),
    "outages": ("outages", "outages"),
}


class Names:
    """The names of all that these targets, such as “account:12”, stand for."""

    def __init__(self, targets: Iterable[str], *, shown_to: User) -> None:
        self._reader = shown_to
        wanted: dict[str, set[int]] = defaultdict(set)
        for kind, _, name in (target.partition(":") for target in targets):
            if kind in KINDS and name.isascii() and name.isdecimal() and len(name) <= 18:
                wanted[kind].add(int(name))
        self._rows = {kind: self._read(KINDS[kind].model).in_bulk(keys) for kind, keys in wanted.items()}

    def __getitem__(self, target: str) -> Name:
        kind, _, name = target.partition(":")
        match kind:
            case "code":
                # Named by what it is: every reader of the trail looks cards up.
                return Name(f"card {name}", reverse("code", args=[int(name)]) if name.isdecimal() else "")
            # Figures have names; a report of compromised cards has a number.
            case "report" if not name.isdecimal():
                text, page = _REPORTS.get(name, (name.replace("_", " "), name))
                return Name(text, self._opened_by(page))
            case "list":
                return self._list(name)
        if kind not in KINDS:
            return Name(target)
        known = KINDS[kind]
        row = self._rows.get(kind, {}).get(int(name)) if name.isdecimal() and len(name) <= 18 else None
        if row is None:
            return Name(f"{known.noun} {name}")
        return Name(known.text(row), self._address(known, row))

    def person(self, pk: int) -> str:
        row = self._rows.get("user", {}).get(pk)
        return str(row) if row else f"person {pk}"

    def _read(self, model: Any) -> "QuerySet[Any]":
        # Others' tickets stay as unnamed here as they are at the desk.
        return Ticket.objects.visible_to(self._reader) if model is Ticket else model.objects.all()

    def _address(self, kind: _Kind, row: Any) -> str:
        may = self._reader.may(kind.permission)
        if not kind.address or not may or (isinstance(row, User) and row.role in {Role.CUSTOMER, Role.SYSTEM}):
            return ""
        return kind.address(row)

    def _opened_by(self, page: str) -> str:
        try:
            return reverse(page)
        except NoReverseMatch:
            # The page of those days has another name now.
            return ""

    def _list(self, name: str) -> Name:
        if name == "user":
            return Name("people", self._changelist(User))
        for label in ("redemption", "support"):
            if name in apps.all_models[label]:
                model = apps.get_model(label, name)
                return Name(str(model._meta.verbose_name_plural), self._changelist(model))
        return Name(name)

    def _changelist(self, model: Any) -> str:
        kind = KINDS.get(model._meta.model_name)
        if kind is None or not self._reader.may(kind.permission):
            return ""
        return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
