"""The credits themselves: what stands behind every figure."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from redemption.models import Retailer, User
from redemption.requests import StaffRequest
from redemption.roles import PERMISSIONS, Permission
from support import audit
from support.models import DAYS, AuditAction, CreditReason, format_amount
from support.pages import older_than, page
from support.permissions import requires
from support.reports import credit_list as rows
from support.reports.filters import JUST_UNDER, Filters
from support.reports.pictures import axis_of
from support.views.reporting import asked, choices

_MOST_CHOICES = 500
_YES_NO = [("yes", "Yes"), ("no", "No")]


@require_safe
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def credit_list(request: StaffRequest) -> HttpResponse:
    asked_for = asked(request)
    filters, before = asked_for.filters, older_than(request)
    found = [] if asked_for.error else rows.page_of(filters, before=before)
    shown = found[: rows.PAGE]
    audit.record(
        AuditAction.CREDITS_LISTED,
        by=request.user,
        query=filters.address,
        credits=" ".join(str(credit.pk) for credit in shown),
    )
    totals = [] if asked_for.error else rows.totals(filters)
    count = sum(total.count for total in totals)
    context = {
        **choices(asked_for, all_days=True),
        "credits": shown,
        "count": f"{count:,}",
        "is_one": count == 1,
        "totals": totals,
        "selects": _selects(filters, [total.unit for total in totals]),
        "others": _others(filters),
        "is_narrowed": filters != Filters(period=filters.period, first=filters.first, until=filters.until),
        "plain": filters.only("period", "first", "until").address,
        "is_first_page": before is None,
        "older": shown[-1].pk if len(found) > rows.PAGE else None,
        "shows_people": request.user.may(Permission.SEE_PERSONAL_DATA),
    }
    return page(request, "support/credit_list.html", context, title="All credits", status=asked_for.status)


def _selects(filters: Filters, present: list[str]) -> list[tuple[str, str, list[tuple[str, str]], str]]:
    """(name, label, [(value, label)], what is chosen)"""
    granting = [role for role, permissions in PERMISSIONS.items() if Permission.GRANT_CREDITS in permissions]
    people = User.objects.filter(role__in=granting).order_by("name", "email")
    agents = [(str(person.pk), str(person)) for person in people[:_MOST_CHOICES]]
    if filters.agent and filters.agent not in dict(agents):
        # Whoever granted credits once, and does something else now.
        agents += [(str(person.pk), str(person)) for person in User.objects.filter(pk=int(filters.agent))]
    retailers = Retailer.objects.order_by("name", "pk").values_list("pk", "name")[:_MOST_CHOICES]
    named = [filters.unit] if filters.unit else []
    units = list(dict.fromkeys([*settings.CURRENCIES, DAYS, *present, *named]))
    return [
        ("unit", "Currency or days", [(unit, axis_of(unit)) for unit in units], filters.unit),
        ("reason", "Reason", list(CreditReason.objects.values_list("slug", "name")), filters.reason),
        ("agent", "Granted by", agents, filters.agent),
        (
            "retailer",
            "Retailer",
            [("none", "No retailer"), *((str(pk), name) for pk, name in retailers)],
            filters.retailer,
        ),
        ("approved", "By a second person", _YES_NO, filters.approved),
        ("reversed", "Taken back", _YES_NO, filters.reversed),
        ("contact", "The customer had written", _YES_NO, filters.contact),
        ("tenth", "Of the limit for one credit", _tenths(), filters.tenth),
    ]


def _tenths() -> list[tuple[str, str]]:
    names = [(str(tenth), f"{10 * tenth} to {10 * tenth + 10} %") for tenth in reversed(range(JUST_UNDER))]
    return [(str(JUST_UNDER), "Just under it: 90 to 100 %"), *names]


def _others(filters: Filters) -> list[tuple[str, str, str]]:
    """What narrows the list and has no field: (parameter, in words, the address without it)."""
    said: dict[str, Any] = {
        "receipt": f"Receipt {filters.receipt[:8]}",
        "domain": f"Accounts at {filters.domain}",
        "amount": f"Of exactly {_amount(filters)}",
    }
    return [
        (name, words, f"{reverse('credit_list')}?{filters.but(**{name: ''}).address}")
        for name, words in said.items()
        if getattr(filters, name)
    ]


def _amount(filters: Filters) -> str:
    if not filters.amount:
        return ""
    return format_amount(int(filters.amount), filters.unit) if filters.unit else f"{int(filters.amount):,} of any unit"
