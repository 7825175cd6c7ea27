"""A connection beside the one that a transaction is open on."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def second_connection() -> Iterator[BaseDatabaseWrapper]:
    """One that commits at once, so that pages see progress while a job's transaction is still open."""
    second = connection.copy()
    try:
        yield second
    finally:
        second.close()
