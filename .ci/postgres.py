"""`create` makes an owner for one run on the server at 127.0.0.1:5432 and prints his DATABASE_URL; `drop` removes him.

The owner makes and migrates the tests' databases, and by `database_roles` the application's login, as which the tests
run (tests/owner.py). No superuser takes part. Where no server answers, or none of the usual administrators may sign
in, `create` says so and ends with 1. CI_DATABASE_ADMIN_URL names another administrator.
"""

import os
import secrets
import sys

import psycopg
from psycopg import sql

ROLE = "redemption_ci"
ADMINISTRATORS = (
    os.environ.get("CI_DATABASE_ADMIN_URL", ""),
    "postgres://postgres@127.0.0.1:5432/postgres",
    "postgres://postgres:postgres@127.0.0.1:5432/postgres",
)


def connect() -> psycopg.Connection:
    said = "no administrator's address was given."
    for url in filter(None, ADMINISTRATORS):
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=5)
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()[-1]
    sys.stdout.write(f"{said}\n")
    sys.exit(1)


def drop(connection: psycopg.Connection) -> None:
    """What this run, or one that was killed before it, has left."""
    owned = connection.execute(
        "SELECT datname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE rolname = %s", [ROLE]
    )
    for (name,) in owned.fetchall():
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    # The roles that he made, whose names begin with his, before himself.
    roles = connection.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s) ORDER BY 1 DESC", [ROLE])
    for (name,) in roles.fetchall():
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def create(connection: psycopg.Connection) -> str:
    drop(connection)
    password = secrets.token_hex(16)
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE NOSUPERUSER PASSWORD {}").format(
            sql.Identifier(ROLE), sql.Literal(password)
        )
    )
    connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(ROLE)))
    url = f"postgres://{ROLE}:{password}@127.0.0.1:5432/{ROLE}"
    with psycopg.connect(url) as as_role:
        assert as_role.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    return url


if __name__ == "__main__":
    with connect() as administrator:
        if sys.argv[1:] == ["drop"]:
            drop(administrator)
        else:
            sys.stdout.write(create(administrator))
