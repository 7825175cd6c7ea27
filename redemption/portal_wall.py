"""The second wall around what retailers see: within it, the database itself shows a request nothing but its retailers'
rows, whatever the query says.

The portal's role may read the tables and columns that are listed here, and of them the rows of the retailers named in
the transaction's setting `app.retailers`; missing or empty, it names none. It writes nothing: what members do, the
application does, with the retailer passed in. The application's own role sees every row.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper

OWN = "nullif(current_setting('app.retailers', true), '')::bigint[]"


@dataclass(frozen=True, slots=True)
class Window:
    """What the portal reads of a table: the columns, and which rows. `rows` is SQL of this project's own; a table that
    it asks about is seen through its own window."""

    columns: tuple[str, ...]
    rows: str


_BY_RETAILER = f"retailer_id = ANY ({OWN})"

# By table. The desk adds its own.
WINDOWS: dict[str, Window] = {
    "redemption_retailer": Window(("id", "name", "slug", "kind", "country", "is_active"), f"id = ANY ({OWN})"),
    "redemption_retailermember": Window(("id", "retailer_id", "user_id", "role", "since"), _BY_RETAILER),
    "redemption_retailerinvitation": Window(
        ("id", "retailer_id", "email", "role", "by_id", "at", "expires_at", "accepted_at", "withdrawn_at"),
        _BY_RETAILER,
    ),
    "redemption_user": Window(("id", "name", "email"), "id IN (SELECT user_id FROM redemption_retailermember)"),
    "redemption_batch": Window(
        ("id", "reference", "product_id", "retailer_id", "status", "quantity", "serials", "expires_on", "value",
         "currency", "purpose", "created_at"),
        f"{_BY_RETAILER} AND status <> 'draft'",
    ),
    "redemption_batchtally": Window(
        ("batch_id", "issued", "activated", "redeemed", "outstanding"), "batch_id IN (SELECT id FROM redemption_batch)"
    ),
    "redemption_product": Window(
        ("id", "program_id", "sku", "name", "kind", "benefit", "value", "currency", "months", "days"),
        "id IN (SELECT product_id FROM redemption_batch)",
    ),
    "redemption_program": Window(
        ("id", "name", "slug", "time_zone", "retailer_second_factor", "deactivation_minutes"),
        "id IN (SELECT program_id FROM redemption_product)",
    ),
    "redemption_apikey": Window(
        ("id", "retailer_id", "name", "prefix", "scopes", "created_by_id", "created_at", "replaces_id", "expires_at",
         "revoked_at", "last_used_at"),
        _BY_RETAILER,
    ),
}  # fmt: skip


class WallError(Exception):
    """The wall does not stand, so nothing is shown. The text is for the log, and says what to do."""


# What was before may be the portal's role for other retailers. Values are computed from the left to the right.
_ENTER = """
    SELECT current_setting('role'), coalesce(current_setting('app.retailers', true), ''),
        set_config('app.retailers', %s, true), set_config('role', %s, true)
"""
_LEAVE = "SELECT set_config('role', %s, true), set_config('app.retailers', %s, true)"
# Not so for a role that owns the tables, passes row-level security by or is the application, nor before its rights are
# given. A table that is not there yet is nobody's concern.
_STANDS = """
    SELECT bool_and(row_security_active(seen) AND has_any_column_privilege(seen, 'SELECT'))
        AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER'))
    FROM unnest(%s::text[]) AS name, to_regclass(name) AS seen
"""
_WHAT_TO_DO = "Retailers are shown nothing: run `manage.py database_roles` as the owner of the tables."
_NO_SUCH_ROLE, _MAY_NOT_BECOME_IT = "22023", "42501"


@contextmanager
def inside(retailers: Collection[int]) -> Iterator[None]:
    """Within it, this connection is the portal's role and sees what belongs to these retailers, by their keys. A
    transaction of its own, or a part of the one that is open; one within another ends where it began.

    WallError: the portal's role is missing, or sees more than its windows.
    """
    named = "{" + ",".join(str(int(key)) for key in sorted(retailers)) + "}" if retailers else ""
    with transaction.atomic(), connection.cursor() as cursor:
        before = _enter(cursor, named)
        yield
        # An exception undoes both with the transaction, or its part; so does a rollback that was asked for.
        if not connection.needs_rollback:
            cursor.execute(_LEAVE, before)


def _enter(cursor: CursorWrapper, named: str) -> list[str]:
    """Returns the role and the retailers of before."""
    role = settings.DATABASE_PORTAL_ROLE
    try:
        cursor.execute(_ENTER, [named, role])
        before = list(cursor.fetchone()[:2])
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) not in {_NO_SUCH_ROLE, _MAY_NOT_BECOME_IT}:
            raise
        raise WallError(f"The role {role} is missing, or not the application's to become. {_WHAT_TO_DO}") from None
    cursor.execute(_STANDS, [settings.DATABASE_APP_ROLE, list(WINDOWS)])
    if cursor.fetchone()[0] is not True:
        raise WallError(f"The role {role} does not see exactly what it should. {_WHAT_TO_DO}")
    return before


_WEAKNESS = """
    SELECT EXISTS (SELECT FROM pg_roles a WHERE a.rolname = %s AND pg_has_role(a.oid, r.oid, 'MEMBER')),
        r.rolsuper OR r.rolbypassrls OR r.rolcanlogin,
        coalesce(bool_and(c.relrowsecurity), true), coalesce(bool_or(pg_has_role(r.oid, c.relowner, 'MEMBER')), false),
        coalesce(bool_and(has_any_column_privilege(r.oid, c.oid, 'SELECT')), true)
    FROM pg_roles r LEFT JOIN pg_class c ON c.oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
    WHERE r.rolname = %s GROUP BY r.oid, r.rolsuper, r.rolbypassrls, r.rolcanlogin
"""


def weakness(cursor: CursorWrapper) -> str | None:
    """Why the wall does not stand for the application, in a sentence. None if it does."""
    role = settings.DATABASE_PORTAL_ROLE
    cursor.execute(_WEAKNESS, [settings.DATABASE_APP_ROLE, list(WINDOWS), role])
    found = cursor.fetchone()
    if not found:
        return f"The role {role}, as which retailers' pages are read, is missing."
    may_become, is_mighty, is_guarded, is_owner, may_read = found
    if not may_become:
        return f"The role {role}, as which retailers' pages are read, is not the application's to become."
    if is_mighty or is_owner:
        return f"The role {role}, as which retailers' pages are read, may more than to read them."
    if not is_guarded or not may_read:
        return f"The role {role}, as which retailers' pages are read, does not see exactly what it should."
    return None
