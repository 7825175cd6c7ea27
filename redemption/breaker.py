"""The breaker: when the database keeps failing, customers are told at once and it is left alone for a while.

Each process has its own and asks nobody. It opens when within a window failures outnumber the tries that worked; while
it is open nobody is let through but one, after each pause, who finds out. What it saw is noted as an outage of the
programs concerned as soon as the database takes it.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from threading import Lock

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from redemption import outages

logger = logging.getLogger(__name__)

# Of the database's own errors those that say that it cannot: lost connections, no resources, shutting down or told to
# stop, its disks, itself. Any other may be about what was asked, and whoever asks it could open the breaker.
_CANNOT = frozenset({"08", "53", "57", "58", "XX"})

# A process without its database has no more tries than these half done; older ones are given up.
_MOST_OWED = 1000


def is_away(error: BaseException | None) -> bool:
    """Whether the error says that the database does not work, and not that something was wrong with a statement."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, DatabaseError):
        return False
    if number := _number(error):
        return number[:2] in _CANNOT
    # No connection was had, or it was lost on the way: then nobody gave the error a number.
    return isinstance(error.__cause__, psycopg.OperationalError)


def answered(error: BaseException | None) -> bool:
    """Whether a server said so, which then is there; errors of connections have no number."""
    return _number(error) != ""


def _number(error: BaseException | None) -> str:
    cause = error.__cause__ if error else None
    return (cause.sqlstate or "") if isinstance(cause, psycopg.Error) else ""


class Breaker:
    """Counts in seconds of `clock`, which runs evenly. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        self._failures: deque[float] = deque()
        # While open: when the next one may find out.
        self._next_try: float | None = None
        self._next_entry, self._is_reached = 0.0, False
        # What was seen and not noted yet: the first and the last failure of each program; None: of all.
        self._seen: dict[int | None, tuple[datetime, datetime]] = {}
        # What is to be done when the database is back.
        self._owed: deque[Callable[[], None]] = deque(maxlen=_MOST_OWED)

    @property
    def is_open(self) -> bool:
        return self._next_try is not None

    def admits(self) -> bool:
        """Whether this try may go on to the database. While open one is let through, who finds out whether it is back;
        should he never tell, another is after the pause."""
        if self._next_try is None:
            return True
        with self._lock:
            now = self._clock()
            if self._next_try is None or now >= self._next_try:
                self._next_try = None if self._next_try is None else now + settings.BREAKER_PAUSE_SECONDS
                return True
            return False

    def lets_in(self) -> bool:
        """The same for a request that has not asked the database for anything, not even who is signed in. While open
        one is let in after each pause, and when it was answered all are. They still have to be admitted: to show the
        form says nothing about redeeming."""
        if self._next_try is None or self._is_reached:
            return True
        with self._lock:
            now = self._clock()
            if self._next_try is None:
                return True
            if now >= max(self._next_try, self._next_entry):
                self._next_entry = now + settings.BREAKER_PAUSE_SECONDS
                return True
            return False

    def reached(self) -> None:
        """A request was answered with the database's help."""
        self._is_reached = self.is_open

    def failed(self) -> None:
        """The database failed a try."""
        if not settings.BREAKER_FAILURES:
            return
        with self._lock:
            now, self._is_reached = self._clock(), False
            if self._next_try is not None:
                self._next_try = now + settings.BREAKER_PAUSE_SECONDS
                return
            self._failures.append(now)
            while self._failures and self._failures[0] <= now - settings.BREAKER_WINDOW_SECONDS:
                self._failures.popleft()
            if len(self._failures) < settings.BREAKER_FAILURES:
                return
            self._failures.clear()
            self._next_try = self._next_entry = now + settings.BREAKER_PAUSE_SECONDS
        logger.error("The database keeps failing: redeeming is answered with “unavailable” without asking it.")

    def worked(self) -> None:
        """The database did its part of a try, which makes up for one that it failed, and closes the breaker. What it
        missed can be written down now."""
        if self._next_try is None and not self._failures and not self._seen and not self._owed:
            return
        with self._lock:
            was_open, self._next_try = self._next_try is not None, None
            if self._failures:
                self._failures.popleft()
        if was_open:
            logger.warning("The database works again, and redeeming with it.")
        self.note()
        self._settle()

    def afterwards(self, deed: Callable[[], None]) -> None:
        """To be done when the database works again, as long as this process lives: what an outage left half done."""
        self._owed.append(deed)

    def _settle(self) -> None:
        # Each by one thread only; those that others append meanwhile are for the next time.
        for _ in range(len(self._owed)):
            try:
                deed = self._owed.popleft()
            except IndexError:
                return
            try:
                deed()
            except (DatabaseError, InterfaceError):
                self._owed.append(deed)
                return

    # --- What it saw

    def saw(self, program_id: int | None, at: datetime) -> None:
        """A try at this program was answered “unavailable” because of the database; None: at which one could not be
        found out, and so at all. Failures that open nothing are no outage; what is seen while it is open is one."""
        if self.is_open:
            self._keep(program_id, at, at)

    def note(self) -> None:
        """Writes the outages down. Best effort: what cannot be written now is kept for the next time."""
        if not self._seen:
            return
        with self._lock:
            seen, self._seen = self._seen, {}
        for program_id, (first, last) in seen.items():
            try:
                outages.note(program_id, first=first, last=last, now=timezone.now())
            except (DatabaseError, InterfaceError):
                self._keep(program_id, first, last)

    def _keep(self, program_id: int | None, first: datetime, last: datetime) -> None:
        with self._lock:
            earliest, latest = self._seen.get(program_id, (first, last))
            self._seen[program_id] = min(earliest, first), max(latest, last)


redeeming = Breaker()

# Where customers and platforms redeem: while the breaker is open these are answered without the database.
REDEEMING = ("/redeem/", "/api/v1/redeem", "/api/v1/validate")


def hears(path: str, error: BaseException | None) -> None:
    """An error on the way to redeeming: who cannot be signed in, or whose key cannot be looked up, never gets there."""
    if path.startswith(REDEEMING) and is_away(error):
        redeeming.failed()
        redeeming.saw(None, timezone.now())
