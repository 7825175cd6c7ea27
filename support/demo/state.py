"""Whether the database is the demo's, how far its loading came, and who uses it at this moment."""

import fcntl
import os
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction

from support.demo import examples


class DemoError(Exception):
    """The demo cannot do that; the text says why."""


class State(StrEnum):
    EMPTY = "empty"
    LOADING = "Redemption Desk demo: loading"
    LOADED = "Redemption Desk demo: loaded"
    FOREIGN = "somebody else's"


# The mark is the schema's comment: there before the first table, gone with the last, and no column in production.


def read() -> State:
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description('public'::regnamespace, 'pg_namespace')")
        mark = cursor.fetchone()[0]
        if mark in {State.LOADING, State.LOADED}:
            return State(mark)
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        return State.FOREIGN if cursor.fetchone()[0] else State.EMPTY


def mark(state: State) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"COMMENT ON SCHEMA public IS '{state.value}'")


def begin_anew() -> None:
    """Drops the demo's tables and files; anything that is not marked as the demo's is left alone."""
    if read() not in {State.LOADING, State.LOADED}:
        raise DemoError("This database holds something else than the demo: nothing was dropped.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
        mark(State.LOADING)
    for folder in (Path(settings.MEDIA_ROOT), settings.VAR_DIR / "mail"):
        shutil.rmtree(folder, ignore_errors=True)
    examples.forget()


class Turn:
    """One demo loads alone; several may serve what is loaded. A lock on a file, which ends with its holder."""

    def __init__(self) -> None:
        settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: IO[bytes] = os.fdopen(os.open(settings.VAR_DIR / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600), "rb")

    def alone(self) -> bool:
        """Whether this process now has the demo to itself; never waits."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def together(self, on_waiting: Callable[[], None] = lambda: None) -> None:
        """With others that serve; waits for one that is loading."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            on_waiting()
            fcntl.flock(self._file, fcntl.LOCK_SH)
