"""`manage.py reconcile` finds whatever credits say and the ledger does not, or the other way round."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from redemption import ledger, premium
from redemption.models import Book, Channel, Redemption, TransferKind
from redemption.reconcile import prove
from redemption.redeem import redeem
from redemption.roles import Role
from support import credit_proof
from support.actions import credits, decisions, reversals
from support.models import DAYS, CreditLimit
from tests import factories
from tests.redemption.test_reconcile import LIFT_THE_GUARDS

pytestmark = [pytest.mark.django_db, pytest.mark.as_owner]

NOW = factories.NOON


@pytest.fixture
def world():
    """Money and days: granted, approved, taken back, and moved from one account to another."""
    policy = factories.credit_policy(Role.AGENT, Role.MANAGER, single=500, approves=10**6)
    for limit in CreditLimit.objects.filter(policy=policy):
        limit.pk, limit.unit = None, DAYS
        limit.save()
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    program = factories.program()
    to, other = factories.account(program), factories.account(program)
    for unit, amount in (("GBP", 900), (DAYS, 10)):
        for _ in range(2):
            credit = credits.grant(factories.wanted(to, unit=unit, amount=amount // 9), by=agent, now=NOW)
        approve(reversals.request_reversal(credit, why="mistake", by=agent, now=NOW), manager)
    above = factories.wanted(to, amount=900)
    approve(credits.request(above, why="He lost an evening.", by=agent, now=NOW), manager)
    for months in (0, 1):
        card = factories.card(factories.batch(factories.product(program, months=months)))
        assert redeem(account=other, text=card.text, channel=Channel.WEB, now=NOW).is_redeemed
        redemption = Redemption.objects.get(code=card.serial)
        ticket = factories.ticket(program)
        move = reversals.request_move(redemption, to=to, ticket=ticket, why="His other one.", by=agent, now=NOW)
        approve(move, manager, now=NOW + timedelta(days=months))
    return to


def approve(asked, manager, now=NOW):
    decisions.approve(asked, by=manager, now=now)


def disagreeing():
    return {line.what for line in credit_proof.lines() if not line.agrees}


def plant(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(LIFT_THE_GUARDS)
        cursor.execute(sql)
        assert cursor.rowcount > 0


def test_an_honest_world_agrees_throughout(world):
    assert [line for line in prove() if not line.agrees] == []
    sums = {line.what: line.found for line in credit_proof.lines() if line.currency}
    assert sums == {
        "credits granted": 2 * 100 + 900,
        "credits taken back": 100,
        "taken back to be moved": 3000,
        "moved": 3000,
    }


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "UPDATE support_manualcredit SET amount = amount + 1 WHERE unit = 'GBP' AND approval_id IS NULL",
            {"credits granted", "credits whose transfer is another"},
        ),
        (
            "UPDATE support_manualcredit SET amount = amount + 1 WHERE unit = 'days' AND approval_id IS NULL",
            {"credits whose premium time is another"},
        ),
        (
            "UPDATE redemption_transfer SET debit = 'receivable' WHERE kind = 'manual_credit' AND debit = 'goodwill'",
            {"credits granted", "credits whose transfer is another"},
        ),
        (
            "UPDATE support_manualcredit SET account_id = account_id + 1 WHERE unit = 'GBP' AND approval_id IS NULL",
            {"credits whose transfer is another"},
        ),
        (
            "UPDATE support_creditreversal SET amount = amount - 1 WHERE unit = 'GBP' AND credit_id IS NOT NULL",
            {"credits taken back", "reversals whose transfer is another"},
        ),
        (
            "UPDATE support_creditreversal SET amount = amount - 1 WHERE unit = 'GBP' AND redemption_id IS NOT NULL",
            {
                "taken back to be moved",
                "reversals whose transfer is another",
                "moves that gave another amount than they took",
            },
        ),
        (
            "UPDATE support_creditreversal SET amount = amount + 1 WHERE unit = 'days' AND credit_id IS NOT NULL",
            {"premium time taken back that nobody says"},
        ),
        (
            "UPDATE redemption_premiumgrant SET taken_back = 1 WHERE taken_back = 0",
            {"premium time taken back that nobody says"},
        ),
        (
            "UPDATE support_manualcredit SET moves_id = NULL WHERE unit = 'GBP' AND moves_id IS NOT NULL",
            {
                "credits granted",
                "moved",
                "credits whose transfer is another",
                "cards taken back and not moved",
                "credits that are not what was approved",
            },
        ),
        (
            "UPDATE redemption_approvalrequest SET payload = jsonb_set(payload, '{amount}', '901')"
            " WHERE action = 'credit'",
            {"credits that are not what was approved"},
        ),
        (
            "UPDATE redemption_approval SET decision = 'rejected' WHERE action = 'credit'",
            {"credits that are not what was approved"},
        ),
        (
            "UPDATE support_manualcredit SET approval_id = NULL WHERE moves_id IS NULL AND approval_id IS NOT NULL",
            {"approved credits that were never granted"},
        ),
        (
            "DELETE FROM support_creditreversal WHERE unit = 'GBP' AND credit_id IS NOT NULL",
            {"credits taken back", "approved reversals that never were"},
        ),
        (
            "UPDATE support_manualcredit c SET customers = ARRAY[a.decided_by_id] FROM redemption_approval a"
            " WHERE a.id = c.approval_id",
            {"credits to whoever granted or approved them"},
        ),
    ],
)
def test_what_was_altered_is_found(sql, found, world):
    plant(sql)
    assert disagreeing() == found


def test_money_that_no_credit_says_is_found(world):
    ledger.post(
        debit=Book.GOODWILL, credit=Book.CUSTOMER_CREDIT, amount=1, currency="GBP", kind=TransferKind.MANUAL_CREDIT,
        source="from nowhere", program_id=world.program_id, wallet=ledger.wallet_of(world, "GBP"),
    )  # fmt: skip
    assert disagreeing() == {"credits granted"}
    with pytest.raises(CommandError, match="1 of"):
        call_command("reconcile", stdout=(out := StringIO()))
    assert "DIFFERS  credits granted: £11.01, expected £11.00" in out.getvalue()
    # What was is told by the ledger alone.
    call_command("reconcile", as_of="2026-01-01", stdout=StringIO())


def test_time_that_was_taken_back_behind_the_desk_is_found(world):
    grant = world.premium_grants.filter(redemption=None, taken_back=0).first()
    premium.take_back(grant, now=NOW)
    assert disagreeing() == {"premium time taken back that nobody says"}
