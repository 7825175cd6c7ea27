"""Connections beside the one of the request."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

# For a look that nobody waits longer for.
_SECONDS = 2


@contextmanager
def second_connection() -> Iterator[BaseDatabaseWrapper]:
    """One that commits at once, so that pages see progress while a job's transaction is still open."""
    second = connection.copy()
    try:
        yield second
    finally:
        second.close()


@contextmanager
def brief_connection() -> Iterator[BaseDatabaseWrapper]:
    """One for reading that gives up after seconds: outside the pool, where whoever asks waits for the database to come
    back, and with a time limit for each statement. Raises what Django raises of databases."""
    brief = connection.copy()
    options = {name: value for name, value in brief.settings_dict["OPTIONS"].items() if name != "pool"}
    brief.settings_dict["OPTIONS"] = {**options, "connect_timeout": _SECONDS}
    try:
        brief.set_autocommit(False)
        with brief.cursor() as cursor:
            # To the end of this transaction: a pooler outside would hand a session's setting on to others.
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{_SECONDS}s"])
        yield brief
    finally:
        brief.close()
