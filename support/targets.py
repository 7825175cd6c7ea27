"""First-response and resolution targets, in opening hours; the resolution's clock stands while others are awaited.

The clock of the first response ends with the first answer. The clock of the resolution runs while the ticket needs us:
what is spent waiting, or solved until it was opened again, is added to it. A finished ticket has no deadline.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from time import monotonic
from zoneinfo import ZoneInfo

from django.conf import settings

from support.models import DONE, OURS, Holiday, OpeningHours, Priority, Target, Ticket

# Weekday (0 is Monday) → its stretches, in order; closing at 00:00 is the end of the day.
Hours = Mapping[int, Sequence[tuple[time, time]]]

# How long a process goes by opening hours and targets that somebody has changed meanwhile.
_REMEMBERED = 5
# Farther ahead nobody plans: a desk that opens one minute a week answers in finite time all the same.
_FARTHEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the desk is open, and how soon it answers and solves: {priority: (first response, resolution)}."""

    hours: Hours
    holidays: Collection[date]
    zone: ZoneInfo
    targets: Mapping[int, tuple[timedelta, timedelta]]

    def after(self, start: datetime, span: timedelta) -> datetime:
        return opening_time(start, span, self.hours, self.holidays, self.zone)

    def between(self, start: datetime, end: datetime) -> timedelta:
        return opening_span(start, end, self.hours, self.holidays, self.zone)


def reckon(ticket: Ticket, *, now: datetime) -> None:
    """Sets the ticket's deadlines after its status or priority changed. The caller saves it."""
    schedule = current_schedule()
    if ticket.status in OURS:
        if ticket.waiting_since:
            ticket.waited += schedule.between(ticket.waiting_since, now)
        ticket.waiting_since = None
    else:
        ticket.waiting_since = ticket.waiting_since or now
    ticket.first_response_due = ticket.resolution_due = None
    if target := schedule.targets.get(ticket.priority):
        first_response, resolution = target
        ticket.first_response_due = schedule.after(ticket.created_at, first_response)
        ticket.resolution_due = schedule.after(ticket.created_at, resolution + ticket.waited)
    ticket.next_deadline = min(_running(ticket), default=None)


def _running(ticket: Ticket) -> Iterator[datetime]:
    """The deadlines whose clocks run."""
    if ticket.status in DONE:
        return
    if ticket.first_response_due and not ticket.first_responded_at:
        yield ticket.first_response_due
    if ticket.resolution_due and ticket.status in OURS:
        yield ticket.resolution_due


def opening_time(
    start: datetime, span: timedelta, hours: Hours, holidays: Collection[date], zone: ZoneInfo
) -> datetime:
    """When the desk has been open for `span` since `start`, in UTC. A desk without opening hours is always open.

    Time is what really passes: the hour that summer time skips is none, and the one that it gives back is two.
    """
    if not any(hours.values()):
        return start.astimezone(UTC) + span
    left = span
    for opens, closes in _stretches(start, start + _FARTHEST, hours, holidays, zone):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    return start.astimezone(UTC) + _FARTHEST


def opening_span(start: datetime, end: datetime, hours: Hours, holidays: Collection[date], zone: ZoneInfo) -> timedelta:
    """For how long the desk was open from `start` to `end`; nothing where `end` is not later."""
    if not any(hours.values()):
        return max(end - start, timedelta())
    stretches = _stretches(start, end, hours, holidays, zone)
    return sum((closes - opens for opens, closes in stretches), timedelta())


def _stretches(
    start: datetime, end: datetime, hours: Hours, holidays: Collection[date], zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """What the desk is open between two moments, in UTC and in order."""
    reached, end = start.astimezone(UTC), end.astimezone(UTC)
    day = start.astimezone(zone).date()
    while _moment(day, time(), zone) < end:
        for opens, closes in () if day in holidays else hours.get(day.weekday(), ()):
            # Two that overlap count once.
            first = max(_moment(day, opens, zone), reached)
            last = min(_moment(day + timedelta(days=1) if closes == time() else day, closes, zone), end)
            if first < last:
                yield first, last
                reached = last
        day += timedelta(days=1)


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


_remembered: tuple[float, Schedule] | None = None


def current_schedule() -> Schedule:
    """What the tables say, asked for every few seconds only: changing many tickets asks once."""
    global _remembered
    if _remembered is None or not 0 <= monotonic() - _remembered[0] < _REMEMBERED:
        _remembered = monotonic(), _read()
    return _remembered[1]


def forget_schedule() -> None:
    """After somebody changed it, this process goes by it at once."""
    global _remembered
    _remembered = None


def _read() -> Schedule:
    stretches = OpeningHours.objects.order_by("weekday", "opens")
    return Schedule(
        hours={
            day: [(stretch.opens, stretch.closes) for stretch in found]
            for day, found in groupby(stretches, key=lambda stretch: stretch.weekday)
        },
        holidays=frozenset(Holiday.objects.values_list("day", flat=True)),
        zone=ZoneInfo(settings.DESK_TIME_ZONE),
        targets={
            Priority(target.priority): (
                timedelta(minutes=target.first_response),
                timedelta(minutes=target.resolution),
            )
            for target in Target.objects.all()
        },
    )
