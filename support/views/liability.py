"""What is owed on cards as of any day, how it came to that, and the way to prove it."""

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from redemption.models import Program
from redemption.money import format_minor
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.pages import page
from support.permissions import requires
from support.reports import liability as figures
from support.reports.charts import Chart, Series, amount
from support.reports.filters import Filters
from support.reports.pictures import week_label
from support.views.reporting import asked, choices


@require_safe
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def liability(request: StaffRequest) -> HttpResponse:
    found = asked(request)
    filters = found.filters.only("period", "first", "until", "program", "unit", "on")
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:liability", query=filters.address)
    lines = [] if found.error else figures.liability_rows(filters)
    owed = _owed(lines)
    currency = filters.unit or max(
        owed, key=lambda one: len([line for line in lines if line.currency == one]), default=""
    )
    filters = filters.but(unit=currency)
    context = {
        **choices(found),
        "lines": [(line, _batches(line)) for line in lines],
        "as_of": found.filters.as_of,
        "owed": [(currency, format_minor(amount, currency)) for currency, amount in owed.items()],
        "currency": currency,
        "currencies": [(one, filters.but(unit=one).address, one == currency) for one in owed],
        "period": filters.weeks,
        "charts": _charts(filters, currency) if currency in owed else [],
    }
    return page(request, "support/liability.html", context, title="Liability", status=found.status)


def _owed(lines: list[figures.Line]) -> dict[str, int]:
    owed: dict[str, int] = {}
    for line in lines:
        owed[line.currency] = owed.get(line.currency, 0) + line.outstanding
    return dict(sorted(owed.items()))


def _batches(line: figures.Line) -> str:
    """The batches that it is owed on, with what is outstanding of each."""
    return f"{reverse('admin:redemption_batch_changelist')}?product__program={line.program.pk}"


def _charts(filters: Filters, currency: str) -> list[Chart]:
    history = figures.history(filters, filters.weeks, currency=currency)
    labels = [week_label(week) for week in history.weeks]
    names = dict(Program.objects.filter(pk__in=history.outstanding).values_list("pk", "name"))
    days = [f"{reverse('liability')}?{filters.but(on=filters.weeks.part(week).last).address}" for week in history.weeks]
    flows = [("Sold", "sold"), ("Redeemed", "redeemed"), ("Voided", "voided"), ("Breakage", "breakage")]
    return [
        Chart(
            "outstanding",
            f"Outstanding at the end of each week, in {currency}",
            "Week from",
            "lines",
            currency,
            labels,
            [
                Series(
                    names[program],
                    [amount(owed, currency, to) for owed, to in zip(ends, days, strict=True)],
                )
                for program, ends in sorted(history.outstanding.items(), key=lambda item: names[item[0]])
            ],
        ),
        Chart(
            "flows",
            f"What came and went, in {currency}",
            "Week from",
            "bars",
            currency,
            labels,
            [Series(name, [amount(getattr(flow, key), currency) for flow in history.flows]) for name, key in flows]
            + [Series("Replaced", [amount(flow.replaced, currency) for flow in history.flows], is_drawn=False)],
        ),
    ]
