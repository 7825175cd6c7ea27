"""Rows of every sealed kind under a few seals, and the owner's ways to change them."""

from django.db import connection
from django.utils import timezone

from redemption.roles import Role
from support import audit
from support.actions import decisions
from support.actions.reversals import request_reversal
from support.leaves import TABLES
from support.models import AuditAction, CreditStop, Seal, SealedKind, SealedRow
from support.sealing import seal
from support.signing import by_id, public_key
from support.verifying import Verification
from tests import factories
from tests.owner import owner_cursor

GUARDED = [*(columns.table for columns in TABLES.values()), "support_seal", "support_sealedrow"]


def write_some(events=3):
    """Events with and without personal details, a sale, two credits, one of them taken back by two people."""
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    factories.cards(2)
    for number in range(events):
        audit.record(
            AuditAction.LOOKED_UP,
            by=agent,
            target=f"code:{number}",
            personal="typed ada@example.com" if number % 2 else "",
            found=number,
        )
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=499, approves=500)
    credit = factories.credit(by=agent, amount=200)
    factories.credit(by=agent, amount=300, note="He lost an evening.")
    decisions.approve(request_reversal(credit, why="It was the wrong account.", by=agent), by=manager)
    for is_on in (True, False):
        CreditStop.objects.create(is_on=is_on, reason="A drill.", by=manager, at=timezone.now())


# Transactions of other databases, which are other tests', with a smaller id than the one given.
_OLDER = """
    SELECT count(*) FROM pg_stat_activity WHERE datname <> current_database()
        AND backend_xid::text::bigint < mod(%s::bigint, 4294967296)
"""


def settle():
    """Waits until all that is committed here can be sealed. A seal's horizon is the server's: what other tests have
    begun earlier, in databases of their own, must have ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (ours,) = cursor.fetchone()
        cursor.execute(_OLDER, [ours])
        while cursor.fetchone()[0]:
            cursor.execute("SELECT pg_sleep(0.01)")
            cursor.execute(_OLDER, [ours])


def seal_now():
    settle()
    return seal()


def sealed_world(seals=3, events=3):
    """Everything under `seals` seals."""
    for _ in range(seals):
        write_some(events)
        assert seal_now()
    assert {row.kind for row in SealedRow.objects.all()} == set(SealedKind)
    return list(Seal.objects.order_by("number"))


def change(sql, *params):
    """As the tables' owner, past the triggers; how many rows."""
    with owner_cursor() as cursor, cursor.connection.transaction():
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, params)
        count = cursor.rowcount
        # Foreign keys are checked before the triggers can come back.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return count


def verify(*, against=None, keys=None):
    """(what was found, the run)"""
    run = Verification(keys or by_id([public_key()]), against=against)
    return list(run.findings()), run


def sentences(**where):
    return [found.sentence for found in verify(**where)[0]]
