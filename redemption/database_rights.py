"""What the application may do in its database: add to its history, and never change it.

The tables belong to an owner, who migrates. The application serves as a login of its own, a member of the group role
DATABASE_APP_ROLE that holds the rights below. What the guards' triggers refuse is not granted in the first place: an
owner could switch a trigger off, the application cannot. Which tables those are is read from the triggers themselves:
none can be forgotten.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from redemption import locks
from redemption.portal_wall import WINDOWS

_Result = TypeVar("_Result")

# A request waits to be decided: its status alone moves.
_COLUMNS = {"redemption_approvalrequest": ("status",)}
_READ_ONLY = {"django_migrations"}

# Roles are shared by all databases of a server, whose other administrators do not wait for our lock: 42710 and 23505,
# somebody made it first; XX000, “tuple concurrently updated”; 40P01, a deadlock.
_AGAIN = {"42710", "23505", "XX000", "40P01"}
_TRIES = 20

# Unconditional row triggers of the guards: 8 and 16 are DELETE and UPDATE in pg_trigger, 2 is BEFORE, 1 FOR EACH ROW.
_TABLES = """
SELECT c.relname, c.relkind, pg_has_role(c.relowner, 'USAGE') AS is_ours,
    coalesce(bool_or(t.tgtype & 16 > 0), false) AS keeps_rows, coalesce(bool_or(t.tgtype & 8 > 0), false) AS keeps_all
FROM pg_class c
LEFT JOIN (pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    AND p.proname IN ('redemption_refuse_change', 'redemption_refuse_rewrite'))
    ON t.tgrelid = c.oid AND t.tgqual IS NULL AND t.tgattr = '' AND t.tgtype & 3 = 3
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
GROUP BY c.oid ORDER BY c.relname
"""
_ROUTINES = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND pg_has_role(p.proowner, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
ORDER BY 1
"""


class RightsError(Exception):
    """The rights cannot be given; the text says why and what to do."""


@dataclass(frozen=True)
class Table:
    """A table, view or sequence: whether we are its owner, and what its guards refuse to everybody."""

    name: str
    kind: str
    is_ours: bool
    keeps_rows: bool
    keeps_all: bool

    @property
    def rights(self) -> list[str]:
        if self.kind == "S":
            return ["USAGE", "SELECT"]
        if self.name in _READ_ONLY or self.kind in {"v", "m"}:
            return ["SELECT"]
        rights = ["SELECT", "INSERT"]
        if self.name in _COLUMNS:
            rights.append(f"UPDATE ({', '.join(_COLUMNS[self.name])})")
        elif not self.keeps_rows:
            rights.append("UPDATE")
        return rights if self.keeps_all else [*rights, "DELETE"]

    @property
    def is_append_only(self) -> bool:
        return self.keeps_rows and self.keeps_all


def tables(cursor: CursorWrapper) -> list[Table]:
    """All that migrations have made in this database, and nothing of an extension's."""
    cursor.execute(_TABLES)
    return [Table(*row) for row in cursor.fetchall()]


# --- Giving them


def make_groups(*, using: str = DEFAULT_DB_ALIAS) -> bool:
    """The application's group role and the portal's, which the application may become, unless they exist. Whether the
    application's was made."""
    role, portal = settings.DATABASE_APP_ROLE, settings.DATABASE_PORTAL_ROLE

    def make(cursor: CursorWrapper) -> bool:
        made = [_make_group(cursor, name) for name in (role, portal)]
        cursor.execute("SELECT pg_has_role(%s::name, %s::name, 'MEMBER')", [role, portal])
        if not cursor.fetchone()[0]:
            _run(cursor, "GRANT {} TO {}", portal, role)
        return made[0]

    return _again(make, using)


def _make_group(cursor: CursorWrapper, role: str) -> bool:
    if _exists(cursor, role):
        _check(cursor, role)
        return False
    _check_may_create(cursor, role)
    _run(cursor, "CREATE ROLE {} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS", role)
    return True


def make_login(name: str, password: str, *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """A login that has the group's rights and no others. Whether it was made; one that exists gets the password, if
    there is one. The password travels hashed, so that no log of statements holds it."""

    def make(cursor: CursorWrapper) -> bool:
        made = not _exists(cursor, name)
        if made:
            _check_may_create(cursor, name)
            _run(cursor, "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS", name)
        else:
            _check(cursor, name)
        if password:
            raw = cursor.connection.pgconn
            hashed = raw.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
            cursor.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(hashed.decode()))
            )
        # What is so already needs no administrator.
        cursor.execute(
            "SELECT rolcanlogin, pg_has_role(oid, %s::name, 'MEMBER') FROM pg_roles WHERE rolname = %s",
            [settings.DATABASE_APP_ROLE, name],
        )
        can_log_in, is_member = cursor.fetchone()
        if not can_log_in:
            _run(cursor, "ALTER ROLE {} LOGIN", name)
        if not is_member:
            _run(cursor, "GRANT {} TO {}", settings.DATABASE_APP_ROLE, name)
        return made

    return _again(make, using)


def grant(*, using: str = DEFAULT_DB_ALIAS) -> list[Table]:
    """Give the group its rights on all tables there are, and take what it or everybody had beyond them."""
    return _again(_grant, using)


def grant_after_migrating(*, using: str, **signal: Any) -> None:
    """New tables are the application's too. Only for the owner, and where the groups were made; the embedded server,
    which is of one user, gets them at once."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        is_superuser = cursor.fetchone()[0]
    if is_superuser and connections[using].settings_dict["ENGINE"] == "config.embedded_postgres":
        make_groups(using=using)
    with connections[using].cursor() as cursor:
        is_due = _exists(cursor, settings.DATABASE_APP_ROLE) and _owner(cursor)[1] is True
    if is_due:
        try:
            grant(using=using)
        except RightsError as refused:
            raise CommandError(f"Everything is migrated. {refused}") from None


def _grant(cursor: CursorWrapper) -> list[Table]:
    owner, is_ours = _owner(cursor)
    if is_ours is None:
        raise RightsError("There are no tables yet: run `manage.py migrate` first.")
    if not is_ours:
        raise RightsError(f"The tables belong to {owner}: run this as {owner}, or as a superuser.")
    # Of two in this database, the second waits and finds it done.
    cursor.execute("SELECT pg_advisory_xact_lock(%s::int, 0)", [locks.RIGHTS])
    role, found = settings.DATABASE_APP_ROLE, [table for table in tables(cursor) if table.is_ours]
    for table in found:
        kind = "SEQUENCE" if table.kind == "S" else "TABLE"
        _run(cursor, f"REVOKE ALL ON {kind} {{}} FROM PUBLIC, {{}}", table.name, role)
        for right in table.rights:
            _run(cursor, f"GRANT {right} ON {kind} {{}} TO {{}}", table.name, role)
    cursor.execute(_ROUTINES)
    for (function,) in cursor.fetchall():
        _run(cursor, f"REVOKE ALL ON ROUTINE {function} FROM PUBLIC, {{}}", role)
        _run(cursor, f"GRANT EXECUTE ON ROUTINE {function} TO {{}}", role)
    _grant_around(cursor, owner, role)
    _build_wall(cursor, {table.name for table in found})
    return found


def _build_wall(cursor: CursorWrapper, found: set[str]) -> None:
    """The portal's role sees through its windows alone, and the application everything. A table that is not there yet
    gets its window when it is."""
    role, portal = settings.DATABASE_APP_ROLE, settings.DATABASE_PORTAL_ROLE
    for name in sorted(found):
        table = sql.Identifier(name)
        cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(table, sql.Identifier(portal)))
        if not (window := WINDOWS.get(name)):
            continue
        columns, rows = sql.SQL(", ").join(map(sql.Identifier, window.columns)), sql.SQL(window.rows)
        for statement in (
            sql.SQL("DROP POLICY IF EXISTS application_sees_all ON {}").format(table),
            sql.SQL("DROP POLICY IF EXISTS portal_sees_its_own ON {}").format(table),
            sql.SQL("CREATE POLICY application_sees_all ON {} TO {} USING (true) WITH CHECK (true)").format(
                table, sql.Identifier(role)
            ),
            sql.SQL("CREATE POLICY portal_sees_its_own ON {} FOR SELECT TO {} USING ({})").format(
                table, sql.Identifier(portal), rows
            ),
            sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table),
            sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(columns, table, sql.Identifier(portal)),
        ):
            cursor.execute(statement)


def _grant_around(cursor: CursorWrapper, owner: str, role: str) -> None:
    """The schema, the database, and what the owner will make: a new table can be read and added to at once, and
    whatever else it allows is granted when its migration has ended."""
    cursor.execute(
        "SELECT current_schema(), current_database(), pg_has_role(nspowner, 'USAGE'), pg_has_role(datdba, 'USAGE')"
        " FROM pg_namespace, pg_database WHERE nspname = current_schema() AND datname = current_database()"
    )
    schema, database, schema_is_ours, database_is_ours = cursor.fetchone()
    # A database's owner is that of its schema public too, through the role pg_database_owner.
    if schema_is_ours:
        _run(cursor, "REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}", schema, role)
        for reader in (role, settings.DATABASE_PORTAL_ROLE):
            _run(cursor, "GRANT USAGE ON SCHEMA {} TO {}", schema, reader)
    if database_is_ours:
        # A temporary table would hide a real one of its name from the guards' functions.
        _run(cursor, "REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC, {}", database, role)
        _run(cursor, "GRANT CONNECT ON DATABASE {} TO {}", database, role)
    for what, rights in (("TABLES", "SELECT, INSERT"), ("SEQUENCES", "USAGE, SELECT"), ("ROUTINES", "EXECUTE")):
        _run(
            cursor,
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} IN SCHEMA {{}} GRANT {rights} ON {what} TO {{}}",
            *(owner, schema, role),
        )


def _again(work: Callable[[CursorWrapper], _Result], using: str) -> _Result:
    """All of it or nothing, and once more where another session was faster."""
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic(using=using), connections[using].cursor() as cursor:
                return work(cursor)
        except DatabaseError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state == "42501":
                said = str(error.__cause__).partition("\n")[0]
                raise RightsError(f"The database refused it, so an administrator must run this: {said}") from None
            if state not in _AGAIN or not left:
                raise
        time.sleep(random.uniform(0.01, 0.1))  # noqa: S311
    raise AssertionError("the last try returns or raises")


def _run(cursor: CursorWrapper, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _exists(cursor: CursorWrapper, role: str) -> bool:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
    return bool(cursor.rowcount)


def _owner(cursor: CursorWrapper) -> tuple[str, bool | None]:
    """Who owns the tables, and whether we have his rights; None where there are no tables."""
    cursor.execute(
        "SELECT pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE') FROM pg_class"
        " WHERE oid = to_regclass('django_migrations')"
    )
    return cursor.fetchone() or ("", None)


def _check_may_create(cursor: CursorWrapper, role: str) -> None:
    cursor.execute("SELECT rolsuper OR rolcreaterole, rolname FROM pg_roles WHERE rolname = current_user")
    may, name = cursor.fetchone()
    if not may:
        raise RightsError(
            f"The role {role} is missing, and {name} may not create roles: run this once as an administrator."
        )


def _check(cursor: CursorWrapper, role: str) -> None:
    """A role that is there already must be one that the guards hold for."""
    cursor.execute(
        "SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls, EXISTS (SELECT FROM pg_class c"
        " WHERE c.relnamespace = current_schema()::regnamespace AND pg_has_role(r.oid, c.relowner, 'MEMBER'))"
        " FROM pg_roles r WHERE rolname = %s",
        [role],
    )
    is_mighty, is_owner = cursor.fetchone()
    if is_mighty:
        raise RightsError(f"The role {role} has rights over the whole server: choose another name.")
    if is_owner:
        raise RightsError(
            f"The role {role} owns tables here, and an owner can switch their guards off: choose another."
        )
