"""Failed tries to redeem, by reason, program and week."""

from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import QuerySet

from redemption.day_tallies import TRIES
from redemption.models import Attempt, AttemptOutcome
from redemption.refusals import RefusalReason
from support.reports.filters import Filters

PAGE = 50

_WEEKS = f"""
    SELECT date_trunc('week', day::timestamp)::date, program_id, p.name, outcome, reason, sum(count)
    FROM {TRIES} JOIN redemption_program p ON p.id = program_id
    WHERE day >= %(first)s AND day <= %(last)s AND (%(program)s::bigint IS NULL OR program_id = %(program)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 2, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Tries:
    """How many tries of a week ended alike in one program. `reason` is empty for those that did not fail."""

    week: date
    program_id: int
    program: str
    outcome: AttemptOutcome
    reason: str
    count: int

    @property
    def reason_label(self) -> str:
        return reason_label(self.reason)


def reason_label(reason: str) -> str:
    return RefusalReason(reason).label if reason in RefusalReason.values else reason


def failure_rows(filters: Filters) -> list[Tries]:
    """The failed ones, by week, program and reason."""
    return [row for row in tries(filters) if row.outcome == AttemptOutcome.REFUSED]


def tries(filters: Filters) -> list[Tries]:
    """All of them, by week, program, outcome and reason. Weeks at the ends may be cut by the period."""
    known = {
        "first": filters.weeks.first,
        "last": filters.weeks.last,
        "program": int(filters.program) if filters.program else None,
        "reason": filters.reason or None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS, known)
        return [
            Tries(week, program, name, AttemptOutcome(outcome), reason, int(count))
            for week, program, name, outcome, reason, count in cursor.fetchall()
        ]


def attempts(filters: Filters, *, before: int | None) -> "list[Attempt]":
    """The failed tries themselves, the newest first; one more than a page where there are more."""
    found: QuerySet[Attempt] = Attempt.objects.filter(
        outcome=AttemptOutcome.REFUSED, at__gte=filters.weeks.since, at__lt=filters.weeks.before
    )
    if filters.program:
        found = found.filter(program_id=int(filters.program))
    if filters.reason:
        found = found.filter(reason=filters.reason)
    if before is not None:
        last = Attempt.objects.filter(pk=before).values_list("at", flat=True).first()
        if last is None:
            return []
        found = found.filter(at__lte=last).exclude(at=last, pk__gte=before)
    return list(found.select_related("account", "program").order_by("-at", "-pk")[: PAGE + 1])
