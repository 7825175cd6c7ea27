"""How redeeming stands at every program, for everybody: read at most every few seconds, whoever asks.

Read beside the pool, by a connection that gives up soon: when the database is away, this is the page that people open.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from redemption.connections import brief_connection

KEPT_SECONDS = 5
HISTORY = timedelta(days=14)
# An outage that comes and goes is told by its latest.
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Stretch:
    """An outage as the public is told of it: in the program's time zone, and never whose doing it was."""

    started_at: datetime
    ended_at: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    name: str
    is_off: bool
    now: Stretch | None
    history: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """`standings` is None where the database does not answer: then nothing can be redeemed."""

    read_at: datetime
    standings: tuple[Standing, ...] | None


# By the unique key on programs and the open outages' index; outages are few.
_READ = """
    SELECT p.name, p.time_zone, p.is_paused, o.started_at, o.ended_at, o.message
    FROM redemption_program AS p LEFT JOIN LATERAL (
        SELECT * FROM redemption_outage AS o
        WHERE o.program_id = p.id AND (o.ended_at IS NULL OR o.ended_at > %s)
        ORDER BY o.started_at DESC, o.id DESC LIMIT %s) AS o ON true
    ORDER BY p.name, p.id, o.started_at DESC, o.id DESC"""

_reading = Lock()
_kept: tuple[float, Board] | None = None


def board() -> Board:
    """The newest one that is not older than a few seconds; where another thread reads it just now, the one before."""
    global _kept
    kept = _kept
    if kept and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    if not _reading.acquire(blocking=kept is None):
        assert kept
        return kept[1]
    try:
        if _kept is kept:
            read = _read()
            _kept = time.monotonic(), read
        assert _kept
        return _kept[1]
    finally:
        _reading.release()


def forget() -> None:
    """The next one is read anew."""
    global _kept
    _kept = None


def _read() -> Board:
    now = timezone.now()
    try:
        with brief_connection() as brief, brief.cursor() as cursor:
            cursor.execute(_READ, [now - HISTORY, MOST_SHOWN])
            rows = cursor.fetchall()
    except (DatabaseError, InterfaceError):
        return Board(now, None)
    stretches: dict[tuple[str, str, bool], list[Stretch]] = {}
    for name, zone, is_paused, started_at, ended_at, message in rows:
        told = stretches.setdefault((name, zone, is_paused), [])
        if started_at:
            told.append(Stretch(_in(zone, started_at), _in(zone, ended_at) if ended_at else None, message))
    standings = []
    for (name, _, is_paused), told in stretches.items():
        now_on = next((stretch for stretch in told if stretch.ended_at is None), None)
        over = tuple(stretch for stretch in told if stretch.ended_at)
        standings.append(Standing(name, is_paused or now_on is not None, now_on, over))
    return Board(now, tuple(standings))


def _in(zone: str, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(zone))
