"""Why tries to redeem failed, week by week; and the tries themselves."""

from collections import Counter
from datetime import date

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from redemption.models import AttemptOutcome
from redemption.refusals import RefusalReason
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.pages import older_than, page
from support.permissions import requires
from support.reports import failures as figures
from support.reports.charts import Cell, Chart, Series, number
from support.reports.failures import PAGE, Tries, reason_label
from support.reports.filters import Filters
from support.reports.pictures import week_label
from support.views.reporting import asked, choices

# Reasons drawn each by itself; the rest together.
MOST_DRAWN = 6


@require_safe
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def failures(request: StaffRequest) -> HttpResponse:
    found = asked(request)
    filters = found.filters.only("period", "first", "until", "program", "reason")
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:failures", query=filters.address)
    tries = [] if found.error else figures.tries(filters)
    failed = [row for row in tries if row.outcome == AttemptOutcome.REFUSED]
    before = older_than(request)
    listed = figures.attempts(filters, before=before) if failed else []
    every = sum(row.count for row in tries)
    lost = sum(row.count for row in failed)
    context = {
        **choices(found),
        "period": filters.weeks,
        "tiles": [
            ("Failed tries", f"{lost:,}"),
            # Where one reason is asked for, the tries that went well are not among what was read.
            *([] if filters.reason else [("Of all tries", f"{round(100 * lost / every) if every else 0} %")]),
        ],
        "charts": _charts(failed, filters) if failed else [],
        "reasons": RefusalReason.choices,
        "attempts": listed[:PAGE],
        "older": listed[PAGE - 1].pk if len(listed) > PAGE else None,
        "is_first_page": before is None,
        "opens_attempts": request.user.may(Permission.VIEW_ACCOUNTS),
    }
    return page(request, "support/failures.html", context, title="Failures", status=found.status)


def _charts(failed: list[Tries], filters: Filters) -> list[Chart]:
    reasons: Counter[str] = Counter()
    programs: Counter[tuple[int, str]] = Counter()
    weeks: Counter[tuple[date, str]] = Counter()
    for row in failed:
        reasons[row.reason] += row.count
        programs[row.program_id, row.program] += row.count
        weeks[row.week, row.reason] += row.count
    ranked = [reason for reason, _ in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))]
    period, drawn = filters.weeks, ranked[:MOST_DRAWN]

    def to(**others: object) -> str:
        return f"{reverse('failures')}?{filters.but(**others).address}#tries"

    def cells(reason: str) -> list[Cell]:
        return [
            number(weeks[week, reason], to(days=period.part(week), reason=reason) if weeks[week, reason] else "")
            for week in period.weeks
        ]

    series = [Series(reason_label(reason), cells(reason)) for reason in drawn]
    if len(ranked) > MOST_DRAWN:
        rest = [sum(weeks[week, reason] for reason in ranked[MOST_DRAWN:]) for week in period.weeks]
        series.append(
            Series(
                "All others",
                [
                    number(count, to(days=period.part(week)) if count else "")
                    for count, week in zip(rest, period.weeks, strict=True)
                ],
            )
        )
        series += [Series(reason_label(reason), cells(reason), is_drawn=False) for reason in ranked[MOST_DRAWN:]]
    by_program = sorted(programs.items(), key=lambda item: (-item[1], item[0]))
    return [
        Chart(
            "failures-by-week",
            "Failed tries by week and reason",
            "Week from",
            "stacked",
            "Tries",
            [week_label(week) for week in period.weeks],
            series,
        ),
        Chart(
            "failures-by-reason",
            "By reason",
            "Reason",
            "sideways",
            "Tries",
            [reason_label(reason) for reason in ranked],
            [Series("Failed tries", [number(reasons[reason], to(reason=reason)) for reason in ranked])],
        ),
        Chart(
            "failures-by-program",
            "By program",
            "Program",
            "sideways",
            "Tries",
            [name for (_, name), _ in by_program],
            [Series("Failed tries", [number(count, to(program=pk)) for (pk, _), count in by_program])],
        ),
    ]
