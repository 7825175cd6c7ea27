"""The database's own wall between retailers: every table is read as the portal's role, whatever a page might ask.

What each retailer owns is said here once more, by the models, and compared with what the database shows it.
"""

import re
from contextlib import suppress

import pytest
from django.apps import apps
from django.conf import settings
from django.db import DataError, IntegrityError, ProgrammingError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from redemption.database_rights import tables
from redemption.models import (
    ApiKey,
    ApiScope,
    Batch,
    BatchStatus,
    BatchTally,
    MemberRole,
    Product,
    Program,
    Retailer,
    RetailerInvitation,
    RetailerMember,
    User,
)
from redemption.portal_wall import WINDOWS, WallError, inside
from redemption.roles import Role
from support.actions.messages import add_customer_message, write_staff_message
from support.models import (
    Attachment,
    AttachmentPage,
    CompromiseReport,
    Message,
    MessageKind,
    ReportedCard,
    Ticket,
)
from tests import factories
from tests.owner import owner_cursor

pytestmark = pytest.mark.django_db

ROLE = settings.DATABASE_PORTAL_ROLE

# By table: the model, and which of its rows a retailer may see.
OWN = {
    "redemption_retailer": (Retailer, lambda of: Q(pk=of.pk)),
    "redemption_retailermember": (RetailerMember, lambda of: Q(retailer=of)),
    "redemption_retailerinvitation": (RetailerInvitation, lambda of: Q(retailer=of)),
    "redemption_user": (User, lambda of: Q(memberships__retailer=of)),
    "redemption_batch": (Batch, lambda of: Q(retailer=of) & ~Q(status="draft")),
    "redemption_batchtally": (BatchTally, lambda of: Q(batch__retailer=of) & ~Q(batch__status="draft")),
    "redemption_product": (Product, lambda of: Q(pk__in=_batches(of).values("product"))),
    "redemption_program": (Program, lambda of: Q(pk__in=_batches(of).values("product__program"))),
    "redemption_apikey": (ApiKey, lambda of: Q(retailer=of)),
    "support_compromisereport": (CompromiseReport, lambda of: Q(retailer=of)),
    "support_reportedcard": (ReportedCard, lambda of: Q(report__retailer=of)),
    "support_ticket": (Ticket, lambda of: Q(report__retailer=of)),
    "support_message": (
        Message,
        lambda of: Q(ticket__report__retailer=of, kind__in=["customer", "reply"], undo_until=None),
    ),
    "support_attachment": (Attachment, lambda of: Q(message__in=_messages(of))),
    "support_attachmentpage": (AttachmentPage, lambda of: Q(attachment__message__in=_messages(of))),
}  # fmt: skip


def _batches(of):
    return Batch.objects.filter(retailer=of).exclude(status=BatchStatus.DRAFT)


def _messages(of):
    return Message.objects.filter(OWN["support_message"][1](of))


def run(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def refused(table):
    return pytest.raises(
        ProgrammingError, match=f"permission denied for (table|sequence|view|materialized view) {table}"
    )


def attached(message, name):
    made = Attachment.objects.create(ticket=message.ticket, message=message, name=name, size=1, digest=b"d" * 32)
    AttachmentPage.objects.create(attachment=made, number=1, file=f"{made.pk}-{name}", width=1, height=1)


def furnished(name):
    """A retailer with rows in every table, and beside each of its own one that it must not see."""
    of = factories.retailer(name=name)
    agent = factories.user(Role.AGENT)
    clerk, manager = factories.member(of), factories.member(of, MemberRole.MANAGER)
    now = timezone.now()
    RetailerInvitation.objects.create(
        retailer=of, email=f"{of.slug}@example.com", by=manager, at=now, expires_at=now + timezone.timedelta(days=7)
    )
    ApiKey.objects.create(
        retailer=of, name="tills", prefix=of.slug[:16], digest=b"d" * 32, scopes=[ApiScope.REPORT], created_by=manager,
        created_at=now,
    )  # fmt: skip
    batch = factories.batch(retailer_id=of.pk)
    factories.batch(retailer_id=of.pk, status=BatchStatus.DRAFT)
    report = factories.report(*factories.cards(2, batch), by=clerk)
    for ticket in (report.ticket, factories.ticket(retailer=of, account=factories.account(), body="My card is empty.")):
        asked = add_customer_message(ticket=ticket, body="Any news?", author=clerk)
        note = write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="He redeemed it himself.", by=agent)
        reply = write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="We look into it.", by=agent)
        Message.objects.filter(pk=reply.pk).update(undo_until=None)
        undone = write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="It was Ada.", by=agent)
        Message.objects.filter(pk=undone.pk).update(undo_until=now + timezone.timedelta(hours=1))
        for message in (asked, note, reply, undone):
            attached(message, "receipt.png")
    return of


@pytest.fixture
def two():
    return furnished("Saturn"), furnished("Jupiter")


# --- Every table


def test_every_table_has_its_window_tested_here():
    assert set(OWN) == set(WINDOWS)


def test_each_table_shows_a_retailer_its_own_rows_and_no_others(two):
    saturn, jupiter = two
    for table, (model, own) in OWN.items():
        key = model._meta.pk.column
        expected = {of: set(model.objects.filter(own(of)).values_list("pk", flat=True)) for of in two}
        # Both have rows, of which none is the other's, or nothing would be proved.
        assert expected[saturn], table
        assert expected[jupiter], table
        assert expected[saturn].isdisjoint(expected[jupiter]), table
        for named, seen in (
            ([], set()),
            ([saturn.pk], expected[saturn]),
            ([jupiter.pk], expected[jupiter]),
            ([saturn.pk, jupiter.pk], expected[saturn] | expected[jupiter]),
            ([0, -1, 2**62], set()),
        ):
            with inside(named):
                assert {found for (found,) in run(f"SELECT {key} FROM {table}")} == seen, (table, named)
                assert run(f"SELECT count({key}) FROM {table}") == [(len(seen),)], (table, named)
        if table not in {"redemption_product", "redemption_program", "redemption_user"}:
            assert model.objects.exclude(own(saturn) | own(jupiter)).exists() or table in ALL_SEEN, table


# Of these, each row is somebody's to see.
ALL_SEEN = {
    "redemption_retailer",
    "redemption_retailermember",
    "redemption_retailerinvitation",
    "redemption_apikey",
    "support_compromisereport",
    "support_reportedcard",
}


def test_without_its_setting_the_role_sees_nothing(two):
    for table, (model, _) in OWN.items():
        for setting in (None, "", "{}"):
            with transaction.atomic():
                run(f"SET LOCAL ROLE {ROLE}")
                if setting is not None:
                    run("SELECT set_config('app.retailers', %s, true)", setting)
                assert run(f"SELECT {model._meta.pk.column} FROM {table}") == [], (table, setting)
                transaction.set_rollback(True)


@pytest.mark.parametrize("setting", ["all", "{1", "1 OR true", "0){", "{NULL}"])
def test_a_setting_that_is_no_list_of_retailers_shows_nothing(two, setting):
    run(f"SET LOCAL ROLE {ROLE}")
    run("SELECT set_config('app.retailers', %s, true)", setting)
    seen = []
    with suppress(DataError), transaction.atomic():
        seen = run("SELECT id FROM redemption_batch")
    run("RESET ROLE")
    assert seen == []


def test_what_has_no_window_is_refused(two):
    with connection.cursor() as cursor:
        others = [table for table in tables(cursor) if table.name not in WINDOWS]
    assert len(others) > 60
    with inside([two[0].pk]):
        for table in others:
            with refused(table.name), transaction.atomic():
                run(f"SELECT 1 FROM {table.name}")


def test_every_table_with_a_retailer_has_its_window_or_is_closed():
    """Found from the models: whatever leads to a retailer. A table made later is closed, and stands here."""
    found, more = set(), {Retailer}
    while more:
        found |= more
        more = {
            model
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if field.is_relation and field.related_model in found
        } - found
    closed = {model._meta.db_table for model in found} - set(WINDOWS)
    assert closed >= {"redemption_code", "redemption_redemption", "redemption_transfer"}
    for table in closed:
        held = run("SELECT has_table_privilege(%s, %s, 'SELECT'), has_any_column_privilege(%s, %s, 'SELECT')",
                   ROLE, table, ROLE, table)  # fmt: skip
        assert held == [(False, False)], table


# --- Columns

SECRET = re.compile(
    "digest|secret|hash|password|token|salt|payload|account|redeem.*by|decided_by|code|quarters|original|mail_id|send_key"
)


def test_windows_show_columns_that_are_there_and_no_secret():
    for table, window in WINDOWS.items():
        types = dict(
            run(
                "SELECT attname, atttypid::regtype::text FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                table,
            )
        )
        assert set(window.columns) <= set(types), table
        assert [name for name in window.columns if SECRET.search(name) or types[name] == "bytea"] == [], table
        # What is granted is what is said, and nothing of the whole table.
        granted = run(
            "SELECT attname FROM pg_attribute, aclexplode(attacl) a WHERE attrelid = %s::regclass"
            " AND a.grantee = %s::regrole AND a.privilege_type = 'SELECT'",
            table,
            ROLE,
        )
        assert {name for (name,) in granted} == set(window.columns), table
        assert run("SELECT has_table_privilege(%s, %s, 'SELECT')", ROLE, table) == [(False,)]


def test_other_columns_are_refused(two):
    for table, column in (
        ("redemption_user", "password"),
        ("redemption_retailer", "contact_email"),
        ("redemption_apikey", "digest"),
        ("support_ticket", "requester_email"),
        ("support_ticket", "subject"),
        ("support_reportedcard", "decided_by_id"),
        ("support_message", "author_id"),
        ("redemption_batch", "*"),
    ):
        with inside([two[0].pk]), refused(table), transaction.atomic():
            run(f"SELECT {column} FROM {table}")


# --- Writing


def test_the_role_writes_nothing_anywhere(two):
    with connection.cursor() as cursor:
        every = tables(cursor)
    assert run(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE has_table_privilege(%s, name, 'INSERT, UPDATE, DELETE,"
        " TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(%s, name, 'INSERT, UPDATE, REFERENCES')",
        [table.name for table in every if table.kind != "S"],
        ROLE,
        ROLE,
    ) == []  # fmt: skip
    sequences = [table.name for table in every if table.kind == "S"]
    held = "SELECT name FROM unnest(%s::text[]) AS name WHERE has_sequence_privilege(%s, name, 'USAGE, SELECT, UPDATE')"
    assert run(held, sequences, ROLE) == []
    for table, window in WINDOWS.items():
        for sql in (
            f"UPDATE {table} SET {window.columns[0]} = {window.columns[0]}",
            f"DELETE FROM {table}",
            f"INSERT INTO {table} DEFAULT VALUES",
            f"TRUNCATE {table}",
            f"SELECT {window.columns[0]} FROM {table} FOR UPDATE",
            f"LOCK TABLE {table} IN SHARE MODE",
        ):
            with inside([two[0].pk]), refused(table), transaction.atomic():
                run(sql)


def test_the_role_calls_nothing_of_ours_and_makes_nothing():
    assert run(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = current_schema()::regnamespace"
        " AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        ROLE,
    ) == []  # fmt: skip
    assert run("SELECT has_schema_privilege(%s, current_schema(), 'CREATE')", ROLE) == [(False,)]
    assert run("SELECT has_database_privilege(%s, current_database(), 'CREATE, TEMPORARY')", ROLE) == [(False,)]


def test_the_role_is_nobody_elses_and_nobody_mighty():
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin"
    assert run(f"SELECT {attributes} FROM pg_roles WHERE rolname = %s", ROLE) == [(False,) * 6]
    assert run("SELECT rolname FROM pg_roles WHERE pg_has_role(%s, oid, 'MEMBER')", ROLE) == [(ROLE,)]
    assert run("SELECT relname FROM pg_class WHERE pg_has_role(%s, relowner, 'MEMBER')", ROLE) == []
    assert run("SELECT pg_has_role(%s, %s, 'MEMBER')", settings.DATABASE_APP_ROLE, ROLE) == [(True,)]


# --- How long it holds


def who():
    return run("SELECT current_user, current_setting('role'), coalesce(current_setting('app.retailers', true), '')")[0]


def test_it_ends_with_the_block_however_that_ends(two):
    saturn, _ = two
    outside = who()
    assert outside[0] == settings.DATABASE_APPLICATION["USER"]
    with inside([saturn.pk]):
        assert who() == (ROLE, ROLE, f"{{{saturn.pk}}}")
    assert who() == outside
    with pytest.raises(LookupError), inside([saturn.pk]):
        raise LookupError
    assert who() == outside
    with pytest.raises(ProgrammingError), inside([saturn.pk]):
        run("SELECT * FROM redemption_code")
    assert who() == outside
    with pytest.raises(IntegrityError), inside([saturn.pk]):
        raise IntegrityError
    assert who() == outside
    with inside([saturn.pk]):
        transaction.set_rollback(True)
    assert who() == outside
    assert Batch.objects.count() == 4


def test_one_within_another_ends_where_it_began(two):
    saturn, jupiter = two
    with inside([saturn.pk]):
        with inside([jupiter.pk]):
            assert list(Retailer.objects.values_list("name", flat=True)) == ["Jupiter"]
        assert who() == (ROLE, ROLE, f"{{{saturn.pk}}}")
        assert list(Retailer.objects.values_list("name", flat=True)) == ["Saturn"]
        with suppress(LookupError), inside([]):
            assert list(Retailer.objects.values_list("name", flat=True)) == []
            raise LookupError
        assert list(Retailer.objects.values_list("name", flat=True)) == ["Saturn"]
    assert Retailer.objects.count() == 2


def test_what_was_prepared_before_shows_no_more_within(two):
    """Plans are kept by the connection: the same statement, again and again, on either side."""
    saturn, _ = two
    for _ in range(8):
        assert Retailer.objects.filter(pk__gt=0).order_by("pk").values_list("pk").count() == 2
        with inside([saturn.pk]):
            assert Retailer.objects.filter(pk__gt=0).order_by("pk").values_list("pk").count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_not_left_on_the_connection_that_goes_back_to_the_pool():
    saturn = furnished("Saturn")
    outside = who()
    with inside([saturn.pk]):
        ((process,),) = run("SELECT pg_backend_pid()")
    assert who() == outside
    with pytest.raises(LookupError), inside([saturn.pk]):
        raise LookupError
    assert who() == outside
    # The pool hands them out in turn, this one among them, or nothing is proved.
    processes = set()
    for _ in range(20):
        connection.close()
        assert who() == outside
        processes |= set(run("SELECT pg_backend_pid()"))
    assert (process,) in processes


# --- Where it does not stand


def test_a_role_that_is_missing_shows_nothing_and_says_what_to_do(two, settings):
    settings.DATABASE_PORTAL_ROLE = f"{ROLE}_nobody"
    outside = who()
    said = f"The role {ROLE}_nobody is missing.*manage.py database_roles"
    with pytest.raises(WallError, match=said), inside([two[0].pk]):
        pytest.fail("It stands.")
    assert who() == outside


def test_the_application_itself_is_no_role_for_it(two, settings):
    settings.DATABASE_PORTAL_ROLE = settings.DATABASE_APP_ROLE
    with pytest.raises(WallError, match="does not see exactly what it should"), inside([two[0].pk]):
        pytest.fail("It stands.")


LINES = ", ".join(WINDOWS["support_reportedcard"].columns)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        (
            "ALTER TABLE redemption_batch DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE redemption_batch ENABLE ROW LEVEL SECURITY",
        ),
        (
            f"REVOKE SELECT ({LINES}) ON support_reportedcard FROM {ROLE}",
            f"GRANT SELECT ({LINES}) ON support_reportedcard TO {ROLE}",
        ),
    ],
    ids=["without row-level security", "without its rights"],
)
def test_a_wall_with_a_hole_shows_nothing(spoil, mend):
    saturn = factories.retailer()
    with owner_cursor() as cursor:
        cursor.execute(spoil)
        try:
            with pytest.raises(WallError, match="does not see exactly what it should"), inside([saturn.pk]):
                pytest.fail("It stands.")
        finally:
            cursor.execute(mend)
    with inside([saturn.pk]):
        assert Retailer.objects.values_list("pk", flat=True).get() == saturn.pk


# --- What the application pays for it


def plan(cursor, sql):
    cursor.execute("SET enable_seqscan = off")
    cursor.execute(f"EXPLAIN (COSTS off) {sql}")
    found = [line for (line,) in cursor.fetchall()]
    cursor.execute("RESET enable_seqscan")
    return found


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM redemption_batch WHERE serials @> 1000000123::bigint", "batches_never_share_a_serial_number"),
        ("SELECT id FROM support_ticket WHERE reference = 'TK-0'", "support_ticket_reference"),
        ("SELECT id FROM support_message WHERE ticket_id = 7 ORDER BY id", "message_thread"),
        ("SELECT id FROM support_reportedcard WHERE report_id = 7 ORDER BY id LIMIT 9", "reported_in_turn"),
        (
            "SELECT b.id FROM redemption_code c JOIN redemption_batch b ON b.id = c.batch_id"
            " JOIN redemption_product d ON d.id = b.product_id WHERE c.serial = 1000000123",
            "redemption_code_pkey",
        ),
    ],
)
def test_the_application_sees_every_row_by_the_same_plan_as_without_it(sql, index):
    """Its policy is no condition: what the owner's plan does, for whom there are no policies, its own does."""
    with connection.cursor() as cursor, owner_cursor() as owners:
        assert plan(cursor, sql) == plan(owners, sql)
        assert index in "".join(plan(cursor, sql))


def test_nothing_is_copied_into_a_table_behind_the_wall():
    """The database refuses it: COPY FROM knows no row-level security."""
    copied = set()
    for folder in ("redemption", "support"):
        for path in (settings.BASE_DIR / folder).rglob("*.py"):
            copied |= set(re.findall(r"COPY\s+(\w+)\s*\(", path.read_text()))
    assert copied == {"redemption_code", "support_sealedrow"}
    assert not copied & set(WINDOWS)
