"""Sealing: every row once, whatever the order in which transactions commit, and however often or on whatever server."""

import threading
from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, models, transaction
from django.utils import timezone

from support import audit, sealing
from support.leaves import TABLES, VERSIONS
from support.merkle import Tree
from support.models import AuditAction, AuditEvent, CreditPolicy, Seal, SealedKind, SealedRow, SealMark
from support.sealing import age, raise_alarm, seal, standing
from support.signing import NOTHING, is_signed, public_key, seal_hash, sign
from tests import factories
from tests.support.sealed_world import change, seal_now, sentences, verify, write_some

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
    INSERT INTO support_auditevent (at, actor_id, actor_role, action, target, details)
    VALUES (now(), 1, 'agent', 'looked_up', %s, '{}') RETURNING id
"""


@pytest.fixture(autouse=True)
def _without_what_comes_with_the_product():
    """Only the first transactional test finds the policy that migrations make."""
    if CreditPolicy.objects.exists():
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def writer():
    """Connections of other people, which end with the test."""
    opened = []

    def connect():
        opened.append(psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


def sealed(kind=SealedKind.EVENT):
    """{row: the number of its seal}"""
    return dict(SealedRow.objects.filter(kind=kind).values_list("row", "seal"))


def record(target="code:1"):
    return audit.record(AuditAction.LOOKED_UP, by=factories.user("agent"), target=target)


# --- What a seal is


def test_a_seal_counts_its_rows_and_is_chained_and_signed():
    write_some()
    first, second = seal_now(), (record(), seal_now())[1]
    assert (first.number, first.previous, second.number, second.previous) == (1, NOTHING, 2, first.hash)
    assert second.counts == {"1": 1}
    assert first.count == sum(first.counts.values()) == SealedRow.objects.filter(seal=1).count()
    assert {int(kind) for kind in first.counts} == set(SealedKind)
    for made in Seal.objects.all():
        assert is_signed(made, public_key())
        assert bytes(made.hash) == seal_hash(made)
        tree = Tree()
        for member in SealedRow.objects.filter(seal=made.number).order_by("kind", "row"):
            tree.add(bytes(member.leaf))
        assert tree.root == bytes(made.root)


def test_every_row_is_sealed_and_nothing_new_makes_no_seal():
    write_some()
    assert seal_now()
    for kind, columns in TABLES.items():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {columns.table}")
            assert set(sealed(kind)) == {row for (row,) in cursor.fetchall()} != set()
    assert seal_now() is None
    assert SealMark.objects.get().looked_at > Seal.objects.get().at
    assert sentences() == []


def test_the_leaves_name_every_column_of_every_table():
    """A new column needs a new version of the leaves: here it says so."""
    for kind, columns in TABLES.items():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = current_schema()",
                [columns.table],
            )
            assert {name for (name,) in cursor.fetchall()} == set(columns.columns), kind


def test_a_version_once_used_stays_as_it_is():
    """Seals are out there that were made by it."""
    event = VERSIONS[1][SealedKind.EVENT].leaf(SealedKind.EVENT)
    assert event == (
        r"sha256('\x00'::bytea || convert_to(json_build_array(1, t."
        "" + '"id", '
        'trunc(extract(epoch FROM t."at") * 1000000), t."actor_id", t."actor_role", t."action", t."target", '
        """t."details"::text, encode(t."personal_hash", 'hex'), t."xact"::text)::text, 'UTF8'))"""
    )


def test_the_leaf_does_not_depend_on_the_settings_of_a_session():
    write_some()
    seal_now()
    with transaction.atomic(), connection.cursor() as cursor:
        for setting in (
            "TimeZone = 'Asia/Tokyo'", "DateStyle = 'German'", "bytea_output = 'escape'", "extra_float_digits = -15",
            "IntervalStyle = 'iso_8601'",
        ):  # fmt: skip
            cursor.execute(f"SET LOCAL {setting}")
        for kind, columns in TABLES.items():
            cursor.execute(
                f"SELECT count(*), count(*) FILTER (WHERE s.leaf = {columns.leaf(kind)}) FROM {columns.table} t"
                f" JOIN support_sealedrow s ON s.kind = {kind.value} AND s.row = t.id"
            )
            rows, alike = cursor.fetchone()
            assert rows == alike > 0, kind


# --- Transactions


def test_a_row_of_a_transaction_that_commits_late_is_not_lost(writer):
    """The trap of `id >`: the smaller id commits after the greater one was sealed."""
    before = record()
    seal_now()
    slow, quick = writer(), writer()
    (late,) = slow.execute(INSERT, ["code:1"]).fetchone()
    (early,) = quick.execute(INSERT, ["code:2"]).fetchone()
    quick.commit()
    assert late < early
    # Below the slow one's transaction id there is nothing new.
    assert seal_now() is None
    slow.commit()
    assert seal_now().counts == {"1": 2}
    assert sealed() == {before.pk: 1, late: 2, early: 2}
    assert sentences() == []


def test_the_first_seal_takes_what_is_there_and_the_second_what_was_running(writer):
    """Nothing of it was ever sealed, so all that is committed may be taken, whatever its transaction id."""
    slow, quick = writer(), writer()
    (late,) = slow.execute(INSERT, ["code:1"]).fetchone()
    (early,) = quick.execute(INSERT, ["code:2"]).fetchone()
    quick.commit()
    assert seal_now().counts == {"1": 1}
    slow.commit()
    assert seal_now().counts == {"1": 1}
    assert sealed() == {early: 1, late: 2}
    assert sentences() == []


def test_what_is_older_than_a_running_transaction_is_sealed_meanwhile(writer):
    before = record()
    seal_now()
    done = record()
    slow = writer()
    (late,) = slow.execute(INSERT, ["code:1"]).fetchone()
    later = record()
    assert seal_now().counts == {"1": 1}
    assert sealed() == {before.pk: 1, done.pk: 2}
    slow.commit()
    seal_now()
    assert sealed() == {before.pk: 1, done.pk: 2, late: 3, later.pk: 3}
    assert sentences() == []


def test_what_was_rolled_back_is_missed_by_nobody(writer):
    gone, kept = writer(), writer()
    gone.execute(INSERT, ["code:1"])
    (row,) = kept.execute(INSERT, ["code:2"]).fetchone()
    gone.rollback()
    kept.commit()
    assert seal_now().counts == {"1": 1}
    assert sealed() == {row: 1}


def test_rows_of_savepoints_are_sealed_with_their_transaction(writer):
    record()
    seal_now()
    one = writer()
    one.execute("SELECT")
    with one.transaction(), one.transaction():
        (row,) = one.execute(INSERT, ["code:1"]).fetchone()
        assert seal_now() is None
    one.commit()
    seal_now()
    assert sealed()[row] == 2


def test_of_two_sealers_the_second_leaves_it_to_the_first(writer):
    record()
    with writer() as first:
        first.execute("SELECT pg_advisory_xact_lock(%s, 0)", [sealing.locks.SEALING])
        assert seal_now() is None
    assert seal_now().count == 1


def test_several_sealers_and_writers_at_once_seal_each_row_once(writer):
    """Rows are written all the while; five seal as fast as they can."""
    ended, failed = threading.Event(), []

    def write(number):
        mine = writer()
        for row in range(40):
            mine.execute(INSERT, [f"code:{number * 1000 + row}"])
            mine.execute("SELECT pg_sleep(random() * 0.01)")
            mine.rollback() if row % 7 == 3 else mine.commit()

    def keep_sealing():
        try:
            while not ended.is_set():
                seal()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    sealers = [threading.Thread(target=keep_sealing) for _ in range(5)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in (*sealers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in sealers:
        thread.join()
    seal_now()
    assert failed == []
    assert set(sealed()) == set(AuditEvent.objects.values_list("pk", flat=True))
    assert AuditEvent.objects.count() == 8 * 34
    assert Seal.objects.count() > 3
    assert sentences() == []


def test_a_first_seal_of_many_rows_goes_in_pieces(monkeypatch):
    """Read and written by turns, nine rows at once."""
    monkeypatch.setattr(sealing, "_CHUNK", 9)
    factories.cards(100)
    by = factories.user("agent")
    AuditEvent.objects.bulk_create(
        AuditEvent(at=timezone.now(), actor_id=by.pk, actor_role=by.role, action="looked_up", target=f"code:{number}")
        for number in range(1000)
    )
    made = seal_now()
    assert (made.counts["1"], made.counts["2"]) == (1000, 100)
    assert sentences() == []


def test_only_what_is_new_is_read(django_assert_max_num_queries):
    """By the index of transaction ids and the primary key of what is sealed, never the whole of either table."""
    by = factories.user("agent")
    AuditEvent.objects.bulk_create(
        AuditEvent(at=timezone.now(), actor_id=by.pk, actor_role=by.role, action="looked_up") for _ in range(5000)
    )
    last = seal_now()
    record()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(
            "EXPLAIN SELECT t.id FROM support_auditevent t WHERE t.xact >= %s::xid8 AND t.xact < %s::xid8 AND "
            + sealing.UNSEALED.format(1),
            [str(last.horizon), str(sealing.bounds()[0])],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "audit_xact" in plan
    assert "Seq Scan" not in plan
    assert "Hash" not in plan


# --- Another server


def came_from(cluster, number=1):
    """As if the database had been restored here from another server: the last seal is that one's."""
    made = Seal.objects.get(number=number)
    made.cluster = cluster
    sign(made)
    change(
        "UPDATE support_seal SET cluster = %s, hash = %s, signature = %s WHERE number = %s",
        cluster, made.hash, made.signature, number,
    )  # fmt: skip


def test_on_another_server_everything_unsealed_is_sealed_once():
    """Its transaction ids begin anew: rows of the other server may be far above the horizon, or far below it."""
    old = record()
    seal_now()
    above, below = record("code:2"), record("code:3")
    change("UPDATE support_auditevent SET xact = '99999999999' WHERE id = %s", above.pk)
    change("UPDATE support_auditevent SET xact = '3' WHERE id = %s", below.pk)
    came_from("1234567890123456789")
    new = record("code:4")
    assert standing().has_moved
    assert seal_now().counts == {"1": 3}
    assert sealed() == {old.pk: 1, above.pk: 2, below.pk: 2, new.pk: 2}
    assert sentences() == []
    newer = record("code:5")
    assert seal_now().counts == {"1": 1}
    assert sealed()[newer.pk] == 3
    assert not standing().has_moved
    assert sentences() == []


def test_ids_of_another_server_that_come_round_again_are_not_sealed_twice():
    old = record()
    seal_now()
    came_from("1234567890123456789")
    record("code:2")
    second = seal_now()
    # In the range that the next seal takes.
    change("UPDATE support_auditevent SET xact = %s::text::xid8 WHERE id = %s", str(second.horizon), old.pk)
    new = record("code:3")
    assert seal_now().counts == {"1": 1}
    assert sealed()[new.pk] == 3
    assert sealed()[old.pk] == 1


# --- How far it is


def test_standing_says_how_old_the_oldest_unsealed_row_is():
    assert (standing().lag, standing().alarm, standing().newest) == (timedelta(), "", None)
    record()
    event = AuditEvent.objects.get()
    now = standing(now=event.at + timedelta(seconds=12))
    assert (now.oldest, now.lag_text) == (event.at, "12 s")
    seal_now()
    assert standing().oldest is None
    later = record()
    factories.cards(1)
    assert standing().oldest == later.at


def test_alarm_rings_above_the_setting_and_names_the_likely_cause(settings, caplog):
    settings.SEAL_LAG_ALARM = 60
    event = record()
    assert standing(now=event.at + timedelta(seconds=60)).alarm == ""
    late = standing(now=event.at + timedelta(seconds=121))
    assert late.alarm == (
        "The oldest unsealed row is 2 minutes old. No worker has looked for rows to seal in the last minute. Is one "
        "running?"
    )
    SealMark.objects.create(pk=1, looked_at=event.at + timedelta(seconds=100))
    caplog.clear()
    held_up = standing(now=event.at + timedelta(seconds=121))
    assert held_up.alarm.endswith("A transaction that began before it still runs and holds it up.")
    raise_alarm(held_up)
    assert [(line.levelname, line.message) for line in caplog.records] == [("ERROR", f"Seals: {held_up.alarm}")]
    seal_now()
    SealMark.objects.update(exported=1)
    caplog.clear()
    raise_alarm(standing(now=event.at + timedelta(seconds=121)))
    assert caplog.records == []


def test_alarm_rings_where_seals_stay_in_the_database_or_left_it(settings):
    settings.SEAL_LAG_ALARM = 60
    record()
    made = seal_now()
    later = made.at + timedelta(seconds=61)
    assert standing(now=later).alarm == "Seals from number 1 on could not be written outside the database."
    SealMark.objects.update(exported=3)
    assert standing(now=later).alarm == "Seals are missing: 3 were written outside the database, and it has 1."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (12.9, "12 s"), (119, "119 s"), (120, "2 minutes"), (7199, "119 minutes"), (7200, "2 hours")],
)
def test_ages_are_read_at_a_glance(seconds, text):
    assert age(timedelta(seconds=seconds)) == text
    assert age(timedelta(days=2)) == "2 days"


def test_every_append_only_table_with_money_or_trail_is_sealed():
    """Tries, redemptions and card events are left to their transfers and to the trail; invoices, which are settled
    later, to the transfers that they are proved against."""
    from django.apps import apps

    from redemption.models.fields import TransactionIdField

    kept = {
        model._meta.db_table
        for model in apps.get_models()
        if any(isinstance(field, TransactionIdField) for field in model._meta.get_fields())
        and isinstance(model._meta.pk, models.BigAutoField)
    }
    left_out = {
        "redemption_attempt", "redemption_redemption", "redemption_cardevent", "redemption_tallymark",
        "redemption_webhookmark", "redemption_invoice", "support_ticketevent",
    }  # fmt: skip
    assert kept - left_out == {columns.table for columns in TABLES.values()}


def test_verifying_sees_one_moment_while_rows_are_written(writer):
    record()
    seal_now()
    findings, run = verify()
    assert (findings, run.seals, run.rows) == ([], 1, 1)
