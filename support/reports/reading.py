"""One way to the rows of the figures."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from support.reports.filters import Filters, Period


def read(sql: str, filters: Filters, period: Period, **more: Any) -> Sequence[Any]:
    """Of a period and, where the filters name one, a program. What is summed up is kept in memory: a year's credits in
    the server's usual four megabytes would be sorted on its disk."""
    known = {
        "since": period.since,
        "before": period.before,
        "program": int(filters.program) if filters.program else None,
        **more,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(sql, known)
        found: Sequence[Any] = cursor.fetchall()
    return found
