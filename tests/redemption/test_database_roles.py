"""`manage.py database_roles`, migrate's giving of rights, and what is said where the guards do not hold."""

import io
import logging
import sys
import threading

import pytest
from django.conf import settings
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command, get_commands
from django.db import connection

from redemption import checks, database_rights, portal_wall
from redemption.database_rights import RightsError
from tests import owner
from tests.owner import owner_cursor

pytestmark = pytest.mark.django_db

ROLE = settings.DATABASE_APP_ROLE
MIGHTY = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"


def run(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def said(**options):
    out = io.StringIO()
    call_command("database_roles", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def group(settings, worker_id):
    """The name of a group that nobody has made yet; roles are all databases'."""
    settings.DATABASE_APP_ROLE = f"{ROLE}_{worker_id}"
    return settings.DATABASE_APP_ROLE


# --- The command


@pytest.mark.as_owner
def test_it_makes_the_group_and_a_login_once_and_says_what_they_may(group, monkeypatch):
    login = f"{group}_desk"
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "a long secret")
    first, second = said(login=login), said(login=login)
    every = len([table for table in found() if table.kind != "S"])
    kept = len([table for table in found() if table.is_append_only])
    assert first.splitlines() == [
        f"{group} is made and may use {every} tables; to {kept} of them it may only add.",
        f"{login} is made and has these rights: name it in the DATABASE_URL of what serves, and the owner in that of "
        "migrate.",
    ]
    assert second == first.replace("is made and ", "")
    assert run(
        f"SELECT rolname, rolcanlogin, {MIGHTY} FROM pg_roles WHERE rolname IN (%s, %s) ORDER BY 1", group, login
    ) == [
        (group, False, False),
        (login, True, False),
    ]
    rights = (
        "SELECT relname, privilege_type FROM pg_class, aclexplode(relacl) WHERE grantee = %s::regrole ORDER BY 1, 2"
    )
    assert run(rights, group) == run(rights, ROLE)


def found():
    with connection.cursor() as cursor:
        return database_rights.tables(cursor)


@pytest.mark.as_owner
def test_a_role_that_cannot_sign_in_yet_becomes_a_login(group, monkeypatch):
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "")
    run(f"CREATE ROLE {group}_desk NOLOGIN")
    assert f"{group}_desk has these rights" in said(login=f"{group}_desk")
    look = "SELECT rolcanlogin, pg_has_role(oid, %s::name, 'USAGE') FROM pg_roles WHERE rolname = %s"
    assert run(look, group, f"{group}_desk") == [(True, True)]


@pytest.mark.as_owner
def test_who_may_make_no_roles_gives_the_rights_of_roles_that_are_there(group, monkeypatch):
    """As in production: an administrator made them, the owner migrates and gives."""
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "")
    said(login=f"{group}_desk")
    run(f"CREATE ROLE {group}_owner")
    # Who makes a role is its member by himself only from PostgreSQL 16 on.
    run(f"GRANT {group}_owner TO CURRENT_USER")
    run(f"GRANT CREATE ON SCHEMA public TO {group}_owner")
    for (name,) in run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"):
        run(f"ALTER TABLE {name} OWNER TO {group}_owner")
    run(f"REVOKE ALL ON redemption_batch FROM {group}")
    run(f"GRANT UPDATE ON redemption_transfer TO {group}")
    run(f"SET LOCAL ROLE {group}_owner")
    assert f"{group} may use" in said(login=f"{group}_desk")
    with pytest.raises(CommandError, match="may not create roles: run this once as an administrator"):
        said(login=f"{group}_other")
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "another secret")
    with pytest.raises(CommandError, match="The database refused it, so an administrator must run this: "):
        said(login=f"{group}_desk")
    run("RESET ROLE")
    assert run("SELECT has_table_privilege(%s, 'redemption_batch', 'UPDATE')", group) == [(True,)]
    assert run("SELECT has_table_privilege(%s, 'redemption_transfer', 'UPDATE')", group) == [(False,)]


@pytest.mark.as_owner
def test_a_second_time_takes_what_was_given_beyond(group):
    said()
    for right in (
        "UPDATE, DELETE, TRUNCATE ON redemption_transfer",
        "TRIGGER ON redemption_code",
        "ALL ON django_migrations",
    ):
        run(f"GRANT {right} TO {group}, PUBLIC")
    run(f"GRANT UPDATE (amount) ON redemption_transfer TO {group}")
    run(f"GRANT CREATE ON SCHEMA public TO {group}, PUBLIC")
    said()
    assert run("SELECT has_any_column_privilege(%s, 'redemption_transfer', 'UPDATE')", group) == [(False,)]
    assert run("SELECT has_table_privilege(%s, 'redemption_transfer', 'DELETE, TRUNCATE')", group) == [(False,)]
    assert run("SELECT has_table_privilege(%s, 'redemption_code', 'TRIGGER')", group) == [(False,)]
    assert run("SELECT has_table_privilege(%s, 'django_migrations', 'INSERT, UPDATE, DELETE')", group) == [(False,)]
    assert run("SELECT has_schema_privilege(%s, 'public', 'CREATE')", group) == [(False,)]


@pytest.mark.as_owner
def test_a_password_comes_from_standard_input_and_leaves_hashed(group, monkeypatch):
    monkeypatch.delenv("DATABASE_APP_PASSWORD", raising=False)
    statements = []

    def note(execute, sql, params, many, context):
        statements.append(sql.as_string(connection.connection) if hasattr(sql, "as_string") else sql)
        return execute(sql, params, many, context)

    monkeypatch.setattr(sys, "stdin", io.StringIO("a long secret\n"))
    with connection.execute_wrapper(note):
        said(login=f"{group}_desk")
    (sent,) = [statement for statement in statements if "PASSWORD" in statement]
    assert sent.startswith(f'ALTER ROLE "{group}_desk" PASSWORD \'SCRAM-SHA-256$')
    assert not [statement for statement in statements if "a long secret" in statement]
    # Nothing leaves it as it is.
    statements.clear()
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with connection.execute_wrapper(note):
        said(login=f"{group}_desk")
    assert not [statement for statement in statements if "PASSWORD" in statement]


@pytest.mark.as_owner
def test_what_cannot_be_is_refused_in_a_sentence(group, monkeypatch, settings):
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "")
    with pytest.raises(CommandError, match="is the group that holds the rights: give the login another name"):
        said(login=group)
    monkeypatch.delenv("DATABASE_APP_PASSWORD")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\0b\n"))
    with pytest.raises(CommandError, match="no zero bytes"):
        said(login=f"{group}_desk")
    monkeypatch.setenv("DATABASE_APP_PASSWORD", "")
    ((me,),) = run("SELECT current_user")
    with pytest.raises(CommandError, match=f"The role {me} has rights over the whole server: choose another name"):
        said(login=me)
    run(f"CREATE ROLE {group}_deputy LOGIN")
    run(f"GRANT {me} TO {group}_deputy")
    with pytest.raises(CommandError, match=f"{group}_deputy owns tables here"):
        said(login=f"{group}_deputy")
    settings.DATABASE_APP_ROLE = f"{group}_deputy"
    with pytest.raises(CommandError, match=f"{group}_deputy owns tables here"):
        said()


def test_only_the_owner_gives_rights(group):
    ((tables_owner,),) = run("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'redemption_code'::regclass")
    with pytest.raises(CommandError, match=f"The role {group} is missing, and .* may not create roles"):
        said()
    with pytest.raises(RightsError, match=f"The tables belong to {tables_owner}: run this as {tables_owner}"):
        database_rights.grant()
    # migrate as the application says what is wrong by itself; the rights add nothing to it.
    database_rights.grant_after_migrating(using="default")


# --- After migrate


@pytest.mark.as_owner
def test_migrate_gives_the_rights_again():
    run(f"REVOKE ALL ON redemption_batch FROM {ROLE}")
    run("CREATE TABLE redemption_new (id bigint PRIMARY KEY, note text)")
    may = "SELECT has_table_privilege(%s, 'redemption_new', right_) FROM unnest(%s::text[]) AS right_"
    rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"]
    # At once it can be read and added to, and after migrate it has all of its rights.
    assert run(may, ROLE, rights) == [(True,), (True,), (False,), (False,), (False,)]
    call_command("migrate", verbosity=0, interactive=False)
    assert run(may, ROLE, rights) == [(True,), (True,), (True,), (True,), (False,)]
    assert run("SELECT has_table_privilege(%s, 'redemption_batch', 'UPDATE')", ROLE) == [(True,)]


@pytest.mark.as_owner
def test_a_new_table_of_history_is_only_added_to_before_and_after_migrate():
    from redemption.append_only import append_only

    run("CREATE TABLE redemption_news (id bigint PRIMARY KEY, xact xid8)")
    run(append_only("redemption_news").sql)
    for _ in range(2):
        held = "SELECT privilege_type FROM pg_class, aclexplode(relacl) WHERE relname = 'redemption_news'"
        assert run(f"{held} AND grantee = %s::regrole ORDER BY 1", ROLE) == [("INSERT",), ("SELECT",)]
        call_command("migrate", verbosity=0, interactive=False)


@pytest.mark.as_owner
def test_without_the_group_migrate_gives_nothing(group, monkeypatch):
    # The embedded server is of one user, and gets its groups at once.
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.postgresql")
    call_command("migrate", verbosity=0, interactive=False)
    assert run("SELECT rolname FROM pg_roles WHERE rolname = %s", group) == []


# --- Looking whether the guards hold


def weakness():
    with connection.cursor() as cursor:
        return checks.weakness(cursor)


def serve_from_elsewhere(monkeypatch):
    """The embedded server is of one user, and nothing is said of it."""
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.postgresql")


def test_of_the_application_nothing_is_said(monkeypatch, caplog):
    serve_from_elsewhere(monkeypatch)
    assert weakness() is None
    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    checks._look_and_say()
    assert caplog.messages == []


@pytest.mark.as_owner
def test_of_the_owner_it_is_said_what_to_do(monkeypatch, caplog):
    ((name, is_superuser),) = run("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
    expected = (
        f"The database is used as {name}, who is a superuser: neither rights nor triggers keep the history as it was "
        "written."
        if is_superuser
        else f"The database is used as {name}, who owns its tables or their schema, and so could switch off what keeps "
        "the history as it was written."
    )
    assert weakness() == expected
    assert run_checks(tags=[Tags.database], databases=["default"]) == [] or not checks._is_embedded(connection)
    serve_from_elsewhere(monkeypatch)
    (found,) = run_checks(tags=[Tags.database], databases=["default"])
    assert (found.id, found.msg) == ("redemption.W001", expected)
    assert "manage.py database_roles --login NAME" in found.hint
    checks._look_and_say()
    assert caplog.record_tuples == [("redemption.checks", logging.WARNING, f"{expected} {found.hint}")]


@pytest.mark.django_db(transaction=True)
def test_of_a_right_too_many_the_tables_are_said():
    with owner_cursor() as cursor:
        try:
            cursor.execute(f"GRANT UPDATE (amount) ON redemption_transfer TO {ROLE}")
            cursor.execute(f"GRANT DELETE ON redemption_code, support_auditevent TO {ROLE}")
            cursor.execute(f"GRANT TRIGGER ON support_seal TO {ROLE}")
            assert weakness() == (
                f"The database is used as {settings.DATABASE_APPLICATION['USER']}, who may change redemption_code, "
                "redemption_transfer, support_auditevent and support_seal, to which one may only add."
            )
        finally:
            for table in ("redemption_transfer", "redemption_code", "support_auditevent", "support_seal"):
                cursor.execute(f"REVOKE UPDATE, DELETE, TRIGGER ON {table} FROM {ROLE}")
                cursor.execute(f"GRANT SELECT, INSERT ON {table} TO {ROLE}")
            cursor.execute(f"GRANT UPDATE ON redemption_code TO {ROLE}")
    assert weakness() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("attributes", "membership", "words"),
    [
        ("NOSUPERUSER", "{owner}", "who owns its tables or their schema"),
        ("CREATEROLE", "{group}", "who may make roles, and so take any other's rights"),
    ],
)
def test_of_who_could_become_more_it_is_said(group, attributes, membership, words, settings):
    login = {"USER": f"{group}_deputy", "PASSWORD": settings.DATABASE_APPLICATION["PASSWORD"]}
    with owner_cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner_name,) = cursor.fetchone()
        cursor.execute(f"CREATE ROLE {login['USER']} LOGIN {attributes} PASSWORD '{login['PASSWORD']}'")
        try:
            cursor.execute(f"GRANT {membership.format(owner=owner_name, group=ROLE)} TO {login['USER']}")
            before = owner.be(login)
            try:
                assert words in weakness()
            finally:
                owner.be(before)
        finally:
            cursor.execute(f"DROP ROLE {login['USER']}")


@pytest.mark.as_owner
def test_what_starts_says_it_in_the_log_and_waits_for_nothing(caplog):
    checks.say_at_start()
    for thread in looking():
        thread.join(60)
    expected = set() if checks._is_embedded(connection) else {f"The database is used as {me()},"}
    assert {message.partition(" who ")[0] for message in caplog.messages} == expected


def looking():
    return [thread for thread in threading.enumerate() if thread.name == "database rights"]


def me():
    return run("SELECT current_user")[0][0]


@pytest.mark.as_owner
def test_migrating_is_the_owners_work_and_is_not_warned_of(monkeypatch):
    serve_from_elsewhere(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
    assert run_checks(tags=[Tags.database], databases=["default"]) == []


def test_a_database_that_is_away_keeps_nothing_from_starting(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(connection.settings_dict, "USER", f"{ROLE}_nobody")
    checks._look_and_say()
    assert caplog.messages == ["The database's rights could not be looked at (OperationalError)."]


def test_the_worker_is_ours_that_looks_first():
    assert get_commands()["procrastinate"] == "redemption"


# --- The wall between retailers


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("ALTER ROLE {portal} LOGIN", "may more than to read them"),
        ("GRANT {me} TO {portal}", "may more than to read them"),
        ("ALTER TABLE support_reportedcard DISABLE ROW LEVEL SECURITY", "does not see exactly what it should"),
        ("REVOKE ALL ({columns}) ON redemption_batch FROM {portal}", "does not see exactly what it should"),
    ],
)
@pytest.mark.as_owner
def test_of_a_wall_with_a_hole_it_is_said_what_to_do(spoil, words, monkeypatch):
    serve_from_elsewhere(monkeypatch)
    portal, columns = settings.DATABASE_PORTAL_ROLE, ", ".join(portal_wall.WINDOWS["redemption_batch"].columns)
    # Nothing of it stays: the test's transaction is taken back.
    run(spoil.format(portal=portal, me=me(), columns=columns))
    found = [message for message in run_checks(tags=[Tags.database], databases=["default"]) if message.id[-1] == "2"]
    assert [words in message.msg for message in found] == [True]
    assert "manage.py database_roles" in found[0].hint


def test_of_a_missing_portals_role_it_is_said_too(monkeypatch, caplog, settings):
    serve_from_elsewhere(monkeypatch)
    settings.DATABASE_PORTAL_ROLE = f"{ROLE}_nobody"
    checks._look_and_say()
    assert caplog.messages == [
        f"The role {ROLE}_nobody, as which retailers' pages are read, is missing. {checks._WALL}"
    ]
