"""The application's rights, given by many at once in two databases of one server, whose roles are common to both."""

import io
import os
from contextlib import contextmanager
from functools import partial

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections

from redemption import database_rights
from tests.owner import owner_cursor
from tests.simulation.crowd import all_at_once, errors

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.as_owner]

CLIENTS = 6
ROLE = settings.DATABASE_APP_ROLE


@contextmanager
def working_on(name):
    """This thread's connection is to the database of this name."""
    usual, other = connections["default"], connection.copy()
    other.settings_dict.update(NAME=name, OPTIONS={**other.settings_dict["OPTIONS"], "pool": None})
    connections["default"] = other
    try:
        yield
    finally:
        other.close()
        connections["default"] = usual


def said(name, **options):
    out = io.StringIO()
    with working_on(name):
        call_command("database_roles", stdout=out, **options)
    return out.getvalue()


def run(name, sql, *params):
    with working_on(name), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@pytest.fixture
def names():
    """The test's database and another one of the same server."""
    usual = connection.settings_dict["NAME"]
    other = f"{usual}_other"
    with owner_cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {other} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {other}")
    yield usual, other
    with owner_cursor() as cursor:
        cursor.execute(f"DROP DATABASE {other} WITH (FORCE)")


def test_each_role_is_made_once_and_all_end_well(crowd, names, settings, monkeypatch):
    usual, other = names
    group = settings.DATABASE_APP_ROLE = f"{ROLE}_{os.getpid()}"
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "a long secret")
    run(other, "CREATE TABLE django_migrations (id int)")
    try:
        outcomes = all_at_once([partial(said, name, login=f"{group}_desk") for name in names * CLIENTS])
        assert errors(outcomes) == []
        assert sum(f"{group} is made" in outcome for outcome in outcomes) == 1
        assert sum(f"{group}_desk is made" in outcome for outcome in outcomes) == 1
        # Each database has given its own rights.
        assert run(usual, "SELECT has_table_privilege(%s, 'redemption_code', 'UPDATE')", group) == [(True,)]
        assert run(other, "SELECT has_table_privilege(%s, 'django_migrations', 'SELECT')", group) == [(True,)]
    finally:
        # Whoever may make roles is not yet one of them.
        run(usual, f"GRANT {group}, {group}_desk TO CURRENT_USER")
        for name in names:
            run(name, f"DROP OWNED BY {group}, {group}_desk")
        run(usual, f"DROP ROLE {group}, {group}_desk")
        # The wall's policies went with the group: they are the tests' own application's again.
        settings.DATABASE_APP_ROLE = ROLE
        database_rights.grant()


def test_a_database_without_tables_is_said(names):
    _, other = names
    with pytest.raises(CommandError, match=r"There are no tables yet: run `manage.py migrate` first"):
        said(other)
    with working_on(other):
        database_rights.grant_after_migrating(using="default")
