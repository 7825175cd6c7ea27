"""The managers' overview of credits: pictures first, and each figure opens its rows."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, format_amount
from support.pages import page
from support.permissions import requires
from support.reports import overview, pictures
from support.reports.filters import Filters
from support.reports.pictures import list_address
from support.views.reporting import asked, choices


@require_safe
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def credits(request: StaffRequest) -> HttpResponse:
    found = asked(request)
    filters = found.filters.only("period", "first", "until", "program", "unit")
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:credits", query=filters.address)
    counts = overview.units(filters)
    # One unit at a time: different currencies are never added. Unless told otherwise, what is granted most often.
    unit = filters.unit or max(counts, key=lambda unit: counts[unit], default="")
    filters = filters.but(unit=unit)
    context = {
        **choices(found),
        "unit": unit,
        "units": [
            (pictures.axis_of(key), f"{count:,}", filters.but(unit=key).address, key == unit)
            for key, count in counts.items()
        ],
        "period": filters.weeks,
        **(_figures(request, filters, unit) if counts.get(unit) else {}),
        "time": filters.of_time.address,
        "several": overview.several(filters) if counts else [],
    }
    return page(request, "support/credits.html", context, title="Credits", status=found.status)


def _figures(request: StaffRequest, filters: Filters, unit: str) -> dict[str, Any]:
    figures = overview.figures(filters, unit=unit)
    total, agents, waits = figures.total, overview.by_agent(figures), overview.approvals(filters)
    return {
        "tiles": [
            ("Credits", f"{total.count:,}", list_address(filters)),
            ("Value", format_amount(total.amount, unit), list_address(filters)),
            ("Granted alone", _both(total.alone_count, total.alone_amount, unit), list_address(filters, approved="no")),
            (
                "By a second person",
                _both(total.second_count, total.second_amount, unit),
                list_address(filters, approved="yes"),
            ),
            ("Taken back", _both(total.back_count, total.back_amount, unit), list_address(filters, reversed="yes")),
        ],
        "weeks": pictures.by_week(figures, filters, unit=unit),
        "agents": agents,
        "outliers": [(agent, list_address(filters, agent=agent.person.pk)) for agent in agents if agent.stands_out],
        "peers": pictures.peers(agents, filters, unit=unit),
        "rankings": [
            pictures.ranking(
                "reasons", "By reason", "Reason", overview.by_reason(figures), filters, parameter="reason", unit=unit
            ),
            pictures.ranking(
                "programs",
                "By program",
                "Program",
                overview.by_program(figures),
                filters,
                parameter="program",
                unit=unit,
            ),
            pictures.ranking(
                "retailers",
                "By retailer",
                "Retailer",
                overview.by_retailer(figures),
                filters,
                parameter="retailer",
                unit=unit,
            ),
        ],
        "waits": waits,
        "waits_chart": pictures.waits(waits, filters),
        "median_wait": overview.span(waits.total.median),
        "slowest_wait": overview.span(waits.total.slowest_tenth),
    }


def _both(count: int, minor: int, unit: str) -> str:
    return f"{count:,}: {format_amount(minor, unit)}" if count else "0"
