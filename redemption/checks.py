"""Whether the guards of the history, and the wall between retailers, hold for who is connected: asked by `manage.py
check --database default`, and said in the log when a web server or a worker starts."""

import logging
import sys
from collections.abc import Iterable, Sequence
from threading import Thread
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import Error, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from redemption import portal_wall
from redemption.database_rights import tables

logger = logging.getLogger(__name__)

_WHAT_TO_DO = (
    "That is for `manage.py migrate` and `database_roles`. Make a login that may only add to the history with "
    "`manage.py database_roles --login NAME`, and serve with it in DATABASE_URL."
)
_WALL = "Run `manage.py database_roles` as the owner of the tables. Until then retailers are shown nothing."


@register(Tags.database)
def guards_hold(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    # Migrating is the owner's work, and he need not be told each time who he is.
    if sys.argv[1:2] == ["migrate"]:
        return messages
    for alias in databases or []:
        if _is_embedded(connections[alias]):
            continue
        with connections[alias].cursor() as cursor:
            if said := weakness(cursor):
                messages.append(Warning(said, hint=_WHAT_TO_DO, id="redemption.W001"))
            if tables(cursor) and (said := portal_wall.weakness(cursor)):
                messages.append(Warning(said, hint=_WALL, id="redemption.W002"))
    return messages


def say_at_start() -> None:
    """A line in the log where the guards do not hold. Nobody waits for it, and a database that is away is no reason not
    to start."""
    if not _is_embedded(connection):
        Thread(target=_look_and_say, name="database rights", daemon=True).start()


def _look_and_say() -> None:
    # None of the pool's: servers fork after they have started.
    apart = connection.copy()
    apart.settings_dict["OPTIONS"]["pool"] = None
    try:
        with apart.cursor() as cursor:
            said = weakness(cursor)
            hole = portal_wall.weakness(cursor) if tables(cursor) else None
    except Error as error:
        logger.info("The database's rights could not be looked at (%s).", type(error).__name__)
        return
    finally:
        apart.close()
    if said:
        logger.warning("%s %s", said, _WHAT_TO_DO)
    if hole:
        logger.warning("%s %s", hole, _WALL)


def _is_embedded(database: BaseDatabaseWrapper) -> bool:
    """The demo's and the tests' own server, of one user."""
    return bool(database.settings_dict["ENGINE"] == "config.embedded_postgres")


def weakness(cursor: CursorWrapper) -> str | None:
    """Why the guards do not hold for this connection, in a sentence. None if they do, or nothing is migrated yet."""
    cursor.execute(
        "SELECT session_user, bool_or(rolsuper), bool_or(rolcreaterole),"
        " has_parameter_privilege('session_replication_role', 'SET')"
        " FROM pg_roles WHERE rolname IN (session_user, current_user)"
    )
    name, is_superuser, makes_roles, plays_replica = cursor.fetchone()
    who = f"The database is used as {name}, who"
    if is_superuser:
        return f"{who} is a superuser: neither rights nor triggers keep the history as it was written."
    guarded = [table for table in tables(cursor) if table.keeps_rows or table.keeps_all]
    if not guarded:
        return None
    cursor.execute(
        "SELECT t.name, pg_has_role(session_user, relowner, 'MEMBER') OR pg_has_role(session_user, nspowner, 'MEMBER'),"
        " has_table_privilege(c.oid, 'TRUNCATE, TRIGGER') OR t.keeps_all AND has_table_privilege(c.oid, 'DELETE')"
        " OR t.keeps_rows AND has_any_column_privilege(c.oid, 'UPDATE')"
        " FROM unnest(%s::text[], %s::bool[], %s::bool[]) AS t (name, keeps_rows, keeps_all)"
        " JOIN pg_class c ON c.oid = to_regclass(t.name) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1",
        [
            [table.name for table in guarded],
            [table.keeps_rows for table in guarded],
            [table.keeps_all for table in guarded],
        ],
    )
    found = cursor.fetchall()
    if any(is_owner for _, is_owner, _ in found):
        return (
            f"{who} owns its tables or their schema, and so could switch off what keeps the history as it was written."
        )
    if makes_roles:
        return f"{who} may make roles, and so take any other's rights."
    if plays_replica:
        return f"{who} may set session_replication_role, and so switch off what keeps the history as it was written."
    if excess := [table for table, _, may_change in found if may_change]:
        return f"{who} may change {_and(excess)}, to which one may only add."
    return None


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
