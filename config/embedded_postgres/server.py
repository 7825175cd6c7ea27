"""Start, adopt and stop the embedded server: however processes end, no data is lost.

The first process that connects starts it, every process that connects is counted, the last one to end stops it.
One that was killed with SIGKILL no longer counts; a server that outlived all its users is adopted by the next.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import util
from pathlib import Path

import psycopg
from psycopg import errors as pg_errors
from psycopg import sql

from config.embedded_postgres.binaries import bin_folder, server_account
from config.embedded_postgres.cluster import SUPERUSER
from config.embedded_postgres.errors import EmbeddedPostgresError, from_os_error, no_room
from config.embedded_postgres.places import PORT, data_folder, lock_file, log_file, users_folder
from config.embedded_postgres.postmaster import (
    START_SECONDS,
    STOP_SECONDS,
    Postmaster,
    live_postmaster,
    running_or_started,
)
from config.embedded_postgres.postmaster import stop as stop_postmaster
from config.embedded_postgres.users import Users, exclusive, identity

__all__ = [
    "ConnectionInfo",
    "EmbeddedPostgresError",
    "before_leaving",
    "bin_folder",
    "create_database",
    "data_folder",
    "ensure_running",
    "log_file",
    "stop",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectionInfo:
    """What libpq needs to connect, but for the database's name. `host` is the socket's folder."""

    host: str
    port: int
    user: str


class _Membership:
    """That this process is counted as a user of this server."""

    def __init__(self, postmaster: Postmaster) -> None:
        self.info = ConnectionInfo(host=str(postmaster.run_folder), port=PORT, user=SUPERUSER)
        self._pid = postmaster.pid
        self._identity = identity(postmaster.pid)
        self._trusted_until = 0.0

    def holds(self) -> bool:
        """Whether that server still runs; asked of the kernel ten times a second at most, not for every request."""
        now = time.monotonic()
        if now < self._trusted_until:
            return True
        holds = self._identity is not None and identity(self._pid) == self._identity
        if holds:
            self._trusted_until = now + 0.1
        return holds


# What a process does just before it is counted out: closes what would complain of a server that stops.
before_leaving: list[Callable[[], None]] = []

_mutex = threading.Lock()
_membership: _Membership | None = None
_departure: util.Finalize | None = None


def _forget_the_parent() -> None:
    """A forked child is a user of its own, from its own first connection on."""
    global _mutex, _membership, _departure
    _mutex = threading.Lock()
    _membership = _departure = None


os.register_at_fork(after_in_child=_forget_the_parent)


def ensure_running() -> ConnectionInfo:
    """Start or adopt the server, count this process as its user, and say where to connect. Cheap when it runs.

    Raises EmbeddedPostgresError, whose text is meant for a person.
    """
    global _membership
    membership = _membership
    if membership is None or not membership.holds():
        with _mutex:
            membership = _membership
            if membership is None or not membership.holds():
                membership = _membership = _join()
    return membership.info


def stop() -> None:
    """Stop the server now, whoever uses it. Anyone's next connection starts it again."""
    global _membership
    _membership = None
    if data_folder().parent.is_dir():
        with exclusive(lock_file(), seconds=START_SECONDS):
            _stop_if_running()


def create_database(name: str) -> None:
    """Create the database, unless it exists."""
    with _connect(ensure_running()) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (pg_errors.DuplicateDatabase, pg_errors.UniqueViolation):
            pass  # another process was first
        except pg_errors.DiskFull:
            raise no_room(data_folder()) from None


def _connect(info: ConnectionInfo) -> psycopg.Connection:
    """To the server's own database; waits while the server recovers, as after a SIGKILL of one of its processes."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            # An empty hostaddr keeps a PGHOSTADDR of the caller's environment out.
            return psycopg.connect(
                host=info.host, hostaddr="", port=info.port, user=info.user, dbname="postgres", autocommit=True
            )
        except psycopg.OperationalError as error:
            # A refused connection carries no SQLSTATE, only its text.
            recovering = any(text in str(error) for text in ("in recovery mode", "starting up", "not yet accepting"))
            if not recovering or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _join() -> _Membership:
    global _departure
    if _departure is not None and not _departure.still_active():
        # A thread that still asks while the process ends would leave a server behind.
        raise EmbeddedPostgresError("This process is ending and no longer uses the embedded database.")
    var = data_folder().parent
    try:
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(lock_file(), seconds=START_SECONDS):
            users = Users(users_folder())
            users.enter()
            try:
                postmaster = running_or_started(server_account())
            except BaseException:
                users.leave()
                raise
    except OSError as error:
        raise from_os_error(error, var) from error
    if _departure is None:
        # Not `atexit`, which multiprocessing's children skip; and unlike it, never run by a forked child.
        _departure = util.Finalize(None, _leave, args=(var,), exitpriority=-100)
    return _Membership(postmaster)


def _leave(var: Path) -> None:
    """Count this process out; the last one stops the server."""
    global _membership
    for farewell in before_leaving:
        farewell()
    _membership = None
    if not var.is_dir():
        return
    try:
        with exclusive(lock_file(), seconds=STOP_SECONDS):
            users = Users(users_folder())
            users.leave()
            if not users.alive():
                _stop_if_running()
    except (OSError, EmbeddedPostgresError) as error:
        logger.warning("The embedded database may still run; the next start takes it over. %s", error)


def _stop_if_running() -> None:
    postmaster = live_postmaster(server_account())
    if postmaster is not None:
        stop_postmaster(postmaster)
