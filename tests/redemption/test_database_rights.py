"""What the application's role may not do, whichever way it tries. Rights come before triggers: each refusal here is for
want of a right, and none of it needs the triggers, which an owner could switch off."""

from contextlib import contextmanager, suppress

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import ProgrammingError, connection, transaction
from django.db.models import F, ProtectedError

from redemption import approvals
from redemption.checks import weakness
from redemption.database_rights import tables
from redemption.models import ApprovalAction, ApprovalRequest, Code, CodeFormat, RequestStatus
from redemption.roles import Role
from tests import factories
from tests.redemption.test_guards import APPEND_ONLY, SEALS, history

pytestmark = pytest.mark.django_db

__all__ = ["history"]

KEPT = [*APPEND_ONLY, *SEALS]
MODELS = {model._meta.db_table: model for model in apps.get_models() if model._meta.db_table in KEPT}


def run(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@contextmanager
def refused(*words):
    """For want of a right, said by the database in one of these words."""
    with pytest.raises(ProgrammingError) as caught, transaction.atomic():
        yield
    assert caught.value.__cause__.sqlstate == "42501"
    assert any(word in str(caught.value) for word in words), str(caught.value)


def no_right_to(table):
    return refused(f"permission denied for table {table}")


# --- Who the tests are


def test_the_tests_run_as_the_application_and_neither_as_a_superuser_nor_as_the_owner():
    login = settings.DATABASE_APPLICATION["USER"]
    assert run("SELECT session_user, current_user") == [(login, login)]
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    assert run(f"SELECT {attributes} FROM pg_roles WHERE rolname = current_user") == [(False,) * 5]
    assert run("SELECT relname FROM pg_class WHERE pg_has_role(session_user, relowner, 'MEMBER')") == []
    assert run("SELECT rolname FROM pg_roles WHERE pg_has_role(rolname, 'MEMBER') ORDER BY rolname") == [
        (settings.DATABASE_APP_ROLE,),
        (login,),
        (settings.DATABASE_PORTAL_ROLE,),
    ]
    with connection.cursor() as cursor:
        assert weakness(cursor) is None


def test_what_can_only_be_added_to_is_read_from_the_guards_and_is_all_of_the_history():
    with connection.cursor() as cursor:
        found = {table.name for table in tables(cursor) if table.is_append_only}
    # Printed cards keep the format they were made with.
    assert found == {*KEPT, "redemption_codeformat"}
    assert set(MODELS) == set(KEPT)


# --- Every way to change history


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {table} SET {key} = {key}",
        "UPDATE {table} SET {key} = {key} WHERE false",
        "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({keys}) DO UPDATE SET {key} = EXCLUDED.{key}",
        "MERGE INTO {table} t USING {table} s ON t.{key} = s.{key} WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT count(*) FROM gone",
        "DELETE FROM {table}",
        "TRUNCATE {table}",
        "TRUNCATE {table} CASCADE",
        "SELECT FROM {table} FOR UPDATE",
        "SELECT FROM {table} FOR KEY SHARE",
        "LOCK TABLE {table} IN EXCLUSIVE MODE",
        "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION redemption_undo()",
    ],
)
def test_no_statement_changes_history(sql):
    for table in (*KEPT, "redemption_codeformat"):
        keys = {"support_sealedrow": "kind, row"}.get(table, SEALS.get(table, "id"))
        with no_right_to(table):
            run(sql.format(table=table, key=SEALS.get(table, "id"), keys=keys))


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE {table} DISABLE TRIGGER append_only_rows",
        "ALTER TABLE {table} DISABLE TRIGGER USER",
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        "ALTER TABLE {table} ADD COLUMN note text",
        "ALTER TABLE {table} RENAME TO forgotten",
        "ALTER TABLE {table} OWNER TO CURRENT_USER",
        "DROP TRIGGER append_only_rows ON {table}",
        "DROP TRIGGER append_only_table ON {table}",
        "CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
        "CREATE INDEX ON {table} (({table} IS NULL))",
        "DROP TABLE {table} CASCADE",
        "COMMENT ON TABLE {table} IS 'mine'",
    ],
)
def test_no_guard_of_history_is_taken_away(sql):
    for table in KEPT:
        with refused(f"must be owner of table {table}", f"must be owner of relation {table}"):
            run(sql.format(table=table))


def test_nobody_gives_himself_a_right():
    """Who holds no right that he may pass on is refused; who holds others of the table's, told so by a warning."""
    for table in KEPT:
        for right in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "ALL"):
            with suppress(ProgrammingError), transaction.atomic():
                run(f"GRANT {right} ON {table} TO CURRENT_USER")
    held = run(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE has_any_column_privilege(name, 'UPDATE')"
        " OR has_table_privilege(name, 'UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES')",
        KEPT,
    )
    assert held == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SET session_replication_role = replica", "permission denied to set parameter"),
        ("SET ROLE {owner}", "permission denied to set role"),
        ("SET SESSION AUTHORIZATION {owner}", "permission denied to set session authorization"),
        ("REASSIGN OWNED BY {owner} TO CURRENT_USER", "permission denied to reassign objects"),
        ("ALTER ROLE CURRENT_USER SUPERUSER", "permission denied|must be superuser"),
        ("GRANT {owner} TO CURRENT_USER", "permission denied|must have admin option"),
        ("CREATE ROLE mine", "permission denied to create role"),
        ("CREATE TABLE mine ()", "permission denied for schema"),
        ("CREATE TEMPORARY TABLE redemption_batch ()", "permission denied to create temporary tables"),
        ("CREATE SCHEMA mine", "permission denied for database"),
        ("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "permission denied for schema"),
        (
            "CREATE OR REPLACE FUNCTION redemption_refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'",
            "permission denied for schema",
        ),
        ("ALTER FUNCTION redemption_refuse_change() RENAME TO mine", "must be owner of function"),
        ("DROP FUNCTION redemption_refuse_change() CASCADE", "must be owner of function"),
        ("DROP SCHEMA public CASCADE", "must be owner of schema"),
        ("UPDATE django_migrations SET name = name", "permission denied for table django_migrations"),
        ("INSERT INTO django_migrations VALUES (0, '', '', now())", "permission denied for table django_migrations"),
        ("SELECT setval('redemption_transfer_id_seq', 1)", "permission denied for sequence"),
        ("COPY redemption_transfer TO PROGRAM 'cat'", "permission denied|must be superuser"),
        ("UPDATE pg_trigger SET tgenabled = 'D'", "permission denied for table pg_trigger"),
        ("SELECT * FROM pg_authid", "permission denied for table pg_authid"),
    ],
)
def test_no_right_reaches_beyond_the_tables(sql, words):
    ((owner,),) = run("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'redemption_transfer'::regclass")
    with refused(*words.split("|")):
        run(sql.format(owner=owner))


@pytest.mark.parametrize("table", KEPT)
def test_the_models_change_no_history(table, history):
    model = MODELS[table]
    row = model.objects.all()[0]
    keys = {field.name for field in model._meta.pk_fields}
    field = next(field.name for field in model._meta.concrete_fields if field.name not in keys)
    with no_right_to(table):
        model.objects.update(**{field: F(field)})
    with no_right_to(table):
        model.objects.bulk_update([row], [field])
    with no_right_to(table):
        row.save()
    with no_right_to(table):
        row.save(force_update=True)
    with no_right_to(table):
        model.objects.all()._raw_delete(using="default")
    assert_not_deleted(table, row.delete)
    assert_not_deleted(table, model.objects.filter(pk=row.pk).delete)


def assert_not_deleted(table, delete, *args):
    """Django keeps what others refer to before it asks the database, which keeps the rest."""
    with pytest.raises((ProgrammingError, ProtectedError)) as caught, transaction.atomic():
        delete(*args)
    if isinstance(caught.value, ProgrammingError):
        assert f"permission denied for table {table}" in str(caught.value)
        assert caught.value.__cause__.sqlstate == "42501"
    else:
        assert caught.value.protected_objects


@pytest.mark.parametrize("table", KEPT)
def test_the_admin_changes_no_history(table, history, rf):
    """None of it is in the admin; and a page that somebody adds there could neither."""
    model = MODELS[table]
    assert model not in admin.site._registry
    page, request, row = admin.ModelAdmin(model, admin.site), rf.post("/admin/"), model.objects.all()[0]
    with no_right_to(table):
        page.save_model(request, row, form=None, change=True)
    assert_not_deleted(table, page.delete_model, request, row)
    assert_not_deleted(table, page.delete_queryset, request, model.objects.all())


# --- What has rules of its own


def test_of_a_request_the_status_alone_moves(history):
    asked = ApprovalRequest.objects.latest("pk")
    for field in ("payload", "reason", "target", "requested_by", "customers", "expires_at"):
        with no_right_to("redemption_approvalrequest"):
            ApprovalRequest.objects.update(**{field: F(field)})
    with no_right_to("redemption_approvalrequest"):
        asked.save()
    with no_right_to("redemption_approvalrequest"):
        run("DELETE FROM redemption_approvalrequest")
    with no_right_to("redemption_approvalrequest"):
        run("TRUNCATE redemption_approvalrequest CASCADE")
    by = factories.user(Role.AGENT)
    waiting = approvals.request(action=ApprovalAction.VOID, target="code:1", payload={}, reason="stolen", by=by)
    with transaction.atomic():
        assert ApprovalRequest.objects.select_for_update().get(pk=waiting.pk) == waiting
        waiting.status = RequestStatus.WITHDRAWN
        waiting.save(update_fields=["status"])


def test_cards_and_their_formats_do_not_go():
    factories.card()
    with no_right_to("redemption_code"):
        run("DELETE FROM redemption_code")
    with no_right_to("redemption_code"):
        Code.objects.all()._raw_delete(using="default")
    with no_right_to("redemption_codeformat"):
        CodeFormat.objects.update(length=16)


def test_no_table_can_be_emptied_at_a_stroke_or_given_a_trigger():
    with connection.cursor() as cursor:
        every = [table.name for table in tables(cursor) if table.kind != "S"]
    assert len(every) > 60
    held = run(
        "SELECT relname FROM unnest(%s::text[]) AS name JOIN pg_class ON oid = name::regclass"
        " WHERE has_table_privilege(oid, 'TRUNCATE, TRIGGER, REFERENCES')",
        every,
    )
    assert held == []


def test_nothing_is_everybodys():
    """Neither a table nor a routine of ours is open to PUBLIC, nor is the schema for new ones."""
    assert (
        run(
            "SELECT relname FROM pg_class, aclexplode(relacl) a"
            " WHERE a.grantee = 0 AND relnamespace = current_schema()::regnamespace"
        )
        == []
    )
    assert (
        run(
            "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) a"
            " WHERE a.grantee = 0 AND pronamespace = current_schema()::regnamespace"
        )
        == []
    )
    assert (
        run(
            "SELECT nspname FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = current_schema() AND a.grantee = 0"
            " AND a.privilege_type = 'CREATE'"
        )
        == []
    )


def test_each_table_has_the_rights_that_are_said_and_no_others():
    with connection.cursor() as cursor:
        found = tables(cursor)
    for table in found:
        held = run(
            "SELECT string_agg(DISTINCT a.privilege_type, ',' ORDER BY a.privilege_type) FROM pg_class,"
            " aclexplode(relacl) a WHERE oid = %s::regclass AND a.grantee = %s::regrole",
            table.name,
            settings.DATABASE_APP_ROLE,
        )
        said = {right for right in table.rights if "(" not in right}
        assert set(held[0][0].split(",")) == said, table.name
    columns = run(
        "SELECT attrelid::regclass::text, attname, a.privilege_type FROM pg_attribute, aclexplode(attacl) a"
        " WHERE a.grantee = %s::regrole",
        settings.DATABASE_APP_ROLE,
    )
    assert columns == [("redemption_approvalrequest", "status", "UPDATE")]
