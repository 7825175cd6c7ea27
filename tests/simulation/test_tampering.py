"""The tamper drill: single changes, made as superuser with triggers, foreign keys and checks off. Each is found, and
the first thing that is said names the row.

Each is made in a copy of its own: a savepoint, in which the same connection verifies, and which is rolled back.
"""

import itertools
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from support.leaves import TABLES
from support.models import CreditPolicy, SealedKind
from support.seal_exports import export
from tests.support.sealed_world import sealed_world, verify

KINDS = {
    "events": ("support_auditevent", "id"),
    "transfers": ("redemption_transfer", "id"),
    "approvals": ("redemption_approval", "id"),
    "credits": ("support_manualcredit", "id"),
    "seals": ("support_seal", "number"),
    "memberships": ("support_sealedrow", None),
    "reversals": ("support_creditreversal", "id"),
    "policies": ("support_creditpolicy", "id"),
}
WAYS = ("update", "delete", "insert", "swap")
# Another value of the same type, whatever the value.
OTHER = {
    "bigint": "coalesce({0}, 0) + 1",
    "integer": "coalesce({0}, 0) + 1",
    "smallint": "coalesce({0}, 0) + 1",
    "text": "coalesce({0}, '') || 'x'",
    "character varying": "CASE WHEN left(coalesce({0}, ''), 1) = 'x' THEN 'y' ELSE 'x' END",
    "timestamp with time zone": "{0} + interval '1 microsecond'",
    "bytea": "sha256(coalesce({0}, ''))",
    "jsonb": """'{{"1": 77}}'""",
    "xid8": "(({0})::text::bigint - 1)::text::xid8",
    "uuid": "gen_random_uuid()",
    "boolean": "NOT {0}",
    "ARRAY": "{0} || 4711",
}


@dataclass(frozen=True)
class Drill:
    """One change, and what names it: any of these (table, row) or seal numbers."""

    kind: str
    way: str
    column: str
    named: frozenset[object]


class Tamperer:
    def __init__(self, cursor, chance):
        self.cursor = cursor
        self.chance = chance
        self.columns = {table: self._columns(table) for table, _ in KINDS.values()}
        # Every column comes up before one comes up again.
        self.turns = {table: itertools.cycle(sorted(columns)) for table, columns in self.columns.items()}

    def _rows(self, sql, *params):
        self.cursor.execute(sql, params)
        return self.cursor.fetchall()

    def _columns(self, table):
        return dict(
            self._rows(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = current_schema()",
                table,
            )
        )

    def lift_all(self):
        """No trigger, no foreign key, no check, no unique index but the primary keys."""
        self.cursor.execute("SET LOCAL session_replication_role = replica")
        for table, _ in KINDS.values():
            for (name,) in self._rows(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'u', 'f')"
                " ORDER BY conname",
                table,
            ):
                self.cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}" CASCADE')
            for (name,) in self._rows(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indisunique"
                " AND NOT indisprimary",
                table,
            ):
                self.cursor.execute(f"DROP INDEX {name}")

    def tamper(self, kind, way):
        """Changes one row, or two that change places; a Drill."""
        table, key = KINDS[kind]
        one, two = self.chance.sample(
            [ctid for (ctid,) in self._rows(f"SELECT ctid::text FROM {table} ORDER BY ctid")], 2
        )
        return getattr(self, f"_{way}")(kind, table, key, one, two)

    def _named(self, kind, table, key, ctid):
        """What a finding about this row says."""
        if kind == "seals":
            return {
                ("seal", number) for (number,) in self._rows(f"SELECT number FROM {table} WHERE ctid = %s::tid", ctid)
            }
        if kind == "memberships":
            ((member, row),) = self._rows(f'SELECT kind, "row" FROM {table} WHERE ctid = %s::tid', ctid)
            return {(TABLES[SealedKind(member)].table, row)}
        ((row,),) = self._rows(f"SELECT {key} FROM {table} WHERE ctid = %s::tid", ctid)
        return {(table, row)}

    def _update(self, kind, table, key, one, _):
        column = next(self.turns[table])
        named = self._named(kind, table, key, one)
        other = OTHER[self.columns[table][column]].format(f'"{column}"')
        if column in ("id", "number", "row", "kind"):
            # Where nothing is yet.
            other = f'(SELECT max("{column}") + 1 FROM {table})' if column != "kind" else "9"
        if (table, column) == ("support_sealedrow", "seal"):
            other = "CASE WHEN seal = 1 THEN 2 ELSE seal - 1 END"
        self.cursor.execute(f'UPDATE {table} SET "{column}" = {other} WHERE ctid = %s::tid', [one])
        assert self.cursor.rowcount == 1
        return Drill(kind, "update", column, frozenset(named))

    def _delete(self, kind, table, key, one, _):
        named = self._named(kind, table, key, one)
        self.cursor.execute(f"DELETE FROM {table} WHERE ctid = %s::tid", [one])
        assert self.cursor.rowcount == 1
        return Drill(kind, "delete", "", frozenset(named))

    def _insert(self, kind, table, key, one, _):
        """A copy of a row, under a number of its own; of a membership, for a row that is not there."""
        columns = sorted(self.columns[table])
        number = "row" if kind == "memberships" else key
        values = ", ".join(f"(SELECT max({number}) + 7 FROM {table})" if c == number else f'"{c}"' for c in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        self.cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE ctid = %s::tid RETURNING ctid::text",
            [one],
        )
        ((made,),) = self.cursor.fetchall()
        named = self._named(kind, table, key, made)
        if kind == "seals":
            # Between it and the one before it, seals are missing: the first is named.
            named |= {("seal", number - 6) for _, number in named}
        return Drill(kind, "insert", "", frozenset(named))

    def _swap(self, kind, table, key, one, two):
        """Two rows change places: each says what the other said, under its own number."""
        numbers = {"memberships": {"kind", "row"}}.get(kind, {key})
        columns = sorted(set(self.columns[table]) - numbers)
        named = self._named(kind, table, key, one) | self._named(kind, table, key, two)
        names = ", ".join(f'"{column}"' for column in columns)
        others = ", ".join(f'o."{column}"' for column in columns)
        self.cursor.execute(
            f"UPDATE {table} t SET ({names}) = (SELECT {others} FROM {table} o WHERE o.ctid ="
            " CASE t.ctid WHEN %(one)s::tid THEN %(two)s::tid ELSE %(one)s::tid END)"
            " WHERE t.ctid IN (%(one)s::tid, %(two)s::tid)",
            {"one": one, "two": two},
        )
        assert self.cursor.rowcount == 2
        return Drill(kind, "swap", "", frozenset(named))


def names(found):
    return {("seal", found.seal), (found.table, found.row)}


def drill(changes, *, seed):
    """{(kind, way): how many were found and named}; every one, or it fails with those that were not."""
    found, missed, columns = Counter(), [], Counter()
    with transaction.atomic(), connection.cursor() as cursor:
        tamperer = Tamperer(cursor, random.Random(seed))
        tamperer.lift_all()
        for (kind, way), _ in zip(itertools.cycle(itertools.product(KINDS, WAYS)), range(changes), strict=False):
            copy = transaction.savepoint()
            made = tamperer.tamper(kind, way)
            findings, _ = verify()
            if findings and names(findings[0]) & made.named:
                found[kind, way] += 1
                columns.update([(KINDS[kind][0], made.column)] if made.column else [])
            else:
                missed.append((made, [finding.sentence for finding in findings[:3]]))
            transaction.savepoint_rollback(copy)
        assert verify()[0] == []
        transaction.set_rollback(True)
    assert missed == []
    return found, columns


@pytest.fixture
def sealed(settings, tmp_path):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("Triggers are switched off by superusers alone, and the tests' owner here is none.")
    if CreditPolicy.objects.exists():
        call_command("flush", verbosity=0, interactive=False)
    outside = tmp_path / "outside"
    seals = {**settings.STORAGES["seals"], "OPTIONS": {"location": str(outside)}}
    settings.STORAGES = {**settings.STORAGES, "seals": seals}
    sealed_world(seals=5, events=6)
    assert export() == 5
    return outside


@pytest.mark.as_owner
@pytest.mark.django_db(transaction=True)
def test_forty_changes_are_found_and_named(sealed):
    found, _ = drill(40, seed=1)
    assert sum(found.values()) == 40
    assert set(found) == set(itertools.product(KINDS, WAYS))


@pytest.mark.as_owner
@pytest.mark.heavy
@pytest.mark.django_db(transaction=True)
def test_a_thousand_changes_are_found_and_named(sealed, capsys):
    found, columns = drill(1_000, seed=2)
    with capsys.disabled():
        for kind in KINDS:
            counts = ", ".join(f"{way} {found[kind, way]}" for way in WAYS)
            print(f"\n{kind}: {counts}", end="")  # noqa: T201
        print(f"\n{sum(found.values())} of 1000 found and named.")  # noqa: T201
    assert sum(found.values()) == 1_000
    # Each column of each table was changed.
    with connection.cursor() as cursor:
        tables = Tamperer(cursor, random.Random(2)).columns
    assert set(columns) == {(table, column) for table in tables for column in tables[table]}


@pytest.mark.as_owner
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_rows", [True, False])
def test_the_removal_of_the_newest_seal_is_found_by_what_left(sealed, with_rows):
    with transaction.atomic(), connection.cursor() as cursor:
        Tamperer(cursor, random.Random(3)).lift_all()
        cursor.execute("DELETE FROM support_seal WHERE number = 5")
        if with_rows:
            cursor.execute("DELETE FROM support_sealedrow WHERE seal = 5")
            assert verify()[0] == []
        (*_, last) = verify(against=sealed)[0]
        assert (last.seal, last.sentence[:42]) == (5, "Seal 5 is missing: it was exported, of 202")
        transaction.set_rollback(True)
