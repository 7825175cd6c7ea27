"""Who the tests are in the database. Its owner makes, migrates and empties it; everything else runs as a login with the
application's rights alone, as in production.

What a test does as the owner it says: `with owner_cursor() as cursor` has a connection apart, which sees what was
committed; a test marked `as_owner` runs as the owner from its first line to its last, and then proves triggers and
constraints, which come after rights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from redemption import database_rights


def be(login: dict[str, str]) -> dict[str, str]:
    """From now on this process connects as this login; returns the one before."""
    before = {name: connection.settings_dict[name] for name in login}
    if before != login:
        connection.close()
        if pool := connection._connection_pools.pop(connection.alias, None):
            pool.close()
        connection.settings_dict.update(login)
    return before


@contextmanager
def owner_cursor() -> Iterator[CursorWrapper]:
    """The owner's, on a connection of its own, where every statement commits."""
    apart = connection.copy()
    apart.settings_dict["OPTIONS"]["pool"] = None
    apart.settings_dict.update(settings.DATABASE_OWNER)
    try:
        with apart.cursor() as cursor:
            yield cursor
    finally:
        apart.close()


def make_application_login() -> None:
    """As the owner of a database that is migrated."""
    login = settings.DATABASE_APPLICATION
    database_rights.make_groups()
    database_rights.grant()
    database_rights.make_login(login["USER"], login["PASSWORD"])


def spare_the_disk() -> None:
    """For whoever connects from now on: no test's database has to survive a power cut."""
    with owner_cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')
