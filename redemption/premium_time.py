"""Calendar arithmetic of premium time."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta


@dataclass(frozen=True, slots=True)
class Stretch:
    """Premium days from `start` up to, not including, `end`; months of the chain are counted from `anchor_day`."""

    start: date
    end: date
    anchor_day: int


def add_months(day: date, months: int, anchor_day: int) -> date:
    """`months` later, on the anchor's day of the month or, in a shorter month, its last: 31 January → 28 February,
    and one more → 31 March."""
    month = day.replace(day=1) + relativedelta(months=months)
    return month.replace(day=min(anchor_day, calendar.monthrange(month.year, month.month)[1]))


def extend(*, today: date, until: date | None, anchor_day: int | None, months: int, days: int) -> Stretch:
    """The stretch that a benefit adds: after the running one, or from today. Days move the chain's anchor along."""
    if until is None or anchor_day is None or until <= today:
        start, anchor = today, today.day
    else:
        start, anchor = until, anchor_day
    if days:
        end = start + timedelta(days=days)
        return Stretch(start, end, end.day)
    return Stretch(start, add_months(start, months, anchor), anchor)


def is_within_cap(end: date, today: date, cap_months: int) -> bool:
    return end <= add_months(today, cap_months, today.day)


def fits_from(
    *, today: date, until: date | None, anchor_day: int | None, months: int, days: int, cap_months: int
) -> date | None:
    """The first day from today on which the benefit would end within the cap; None where waiting does not help."""
    end = extend(today=today, until=until, anchor_day=anchor_day, months=months, days=days).end
    lapses = max(today, until or today)
    # As long as premium runs, the benefit's end stands still and each new day moves the limit.
    day = max(today, min(lapses, add_months(end, -cap_months, end.day)))
    while day < lapses:
        if is_within_cap(end, day, cap_months):
            return day
        day += timedelta(days=1)
    # From then on it would begin anew, and months are then as many as the cap allows or not. Days depend on the months
    # that they fall into, which repeat after four years.
    for _ in range(4 * 366 if days else 1):
        if is_within_cap(day + timedelta(days=days) if days else add_months(day, months, day.day), day, cap_months):
            return day
        day += timedelta(days=1)
    return None
