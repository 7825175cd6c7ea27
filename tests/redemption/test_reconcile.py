"""reconcile finds each way in which the figures can be wrong: planted by lifting the guards as the tables' owner."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from redemption import approvals, ledger
from redemption.batches import extend_batch
from redemption.cards import activate_cards, freeze_cards, void_cards, void_payload
from redemption.models import ApprovalAction, Book, Channel, CodeStatus, PremiumGrant, TransferKind, User, Wallet
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from tests import factories

# What disagrees is planted by the owner: the application could not.
pytestmark = [pytest.mark.django_db, pytest.mark.as_owner]


class World:
    """A small honest world: cards of credit and of time, sold, redeemed, frozen, expired; credit granted and spent."""

    def __init__(self):
        self.program = factories.program()
        self.account = factories.account(self.program)
        self.batch = factories.batch(factories.product(self.program))
        self.cards = factories.cards(6, self.batch)
        self.months = factories.cards(2, factories.batch(factories.product(self.program, months=1, value=999)))
        self.old = factories.batch(factories.product(self.program), expires_on=factories.last_day(10))
        unsold = factories.cards(2, self.old, status=CodeStatus.INACTIVE)
        activate_cards(
            first=unsold[0].serial,
            last=unsold[1].serial,
            by=User.objects.system(),
            now=timezone.now() - timedelta(days=20),
        )
        factories.card(self.batch, status=CodeStatus.INACTIVE)
        for card in (*self.cards[:2], self.months[0]):
            assert redeem(account=self.account, text=card.text, channel=Channel.WEB).is_redeemed
        freeze_cards(first=self.cards[2].serial, by=factories.user(Role.AGENT), reason="report")
        ledger.post_breakage()
        self.wallet = Wallet.objects.get(account=self.account)
        factories.credit(self.account, amount=500)
        self.post(Book.CUSTOMER_CREDIT, Book.REVENUE, 999, TransferKind.RENEWAL)

    def post(self, debit, credit, amount, kind):
        ledger.post(
            debit=debit,
            credit=credit,
            amount=amount,
            currency="GBP",
            kind=kind,
            source=f"test:{kind}",
            program_id=self.program.pk,
            wallet=self.wallet,
        )


@pytest.fixture
def world(db):
    return World()


def disagreeing(**more):
    return {(line.what, line.expected, line.found) for line in reconcile(**more) if not line.agrees}


# No superuser's switch: the suite runs as a role that owns the tables and no more.
LIFT_THE_GUARDS = """
    DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
            WHERE contype = 'f' AND connamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.of, found.conname);
        END LOOP;
        FOR found IN SELECT DISTINCT tgrelid::regclass AS of FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
            WHERE NOT tgisinternal AND c.relname ~ '^(redemption|support)_' LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', found.of);
        END LOOP;
    END $$
"""


def plant(sql, *params):
    """Writes past every guard, as only the owner can; the test's rollback puts the guards back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(LIFT_THE_GUARDS)
        cursor.execute(sql, params)
        assert cursor.rowcount


def test_an_honest_world_agrees_now_and_at_every_past_moment(world):
    assert disagreeing() == set()
    now = timezone.now()
    for days in (0, 1, 9, 10, 11, 12, 19, 20, 21, 400):
        assert disagreeing(as_of=now - timedelta(days=days)) == set()
    sums = {line.what: line.found for line in reconcile() if line.currency}
    # Three active and one frozen card of £30, one month card of £9.99.
    assert sums == {f"liability of {world.program}": 4 * 3000 + 999, "all wallets": 2 * 3000 + 500 - 999}


def test_an_altered_balance(world):
    plant("UPDATE redemption_wallet SET balance = balance + 1")
    assert disagreeing() == {("all wallets", 5501, 5502), (f"wallet {world.wallet.pk}", 5501, 5502)}


def test_two_balances_altered_so_that_their_sum_is_right(world):
    other = factories.account(world.program)
    assert redeem(account=other, text=world.cards[3].text, channel=Channel.WEB).is_redeemed
    plant("UPDATE redemption_wallet SET balance = balance - 5 WHERE account_id = %s", world.account.pk)
    plant("UPDATE redemption_wallet SET balance = balance + 5 WHERE account_id = %s", other.pk)
    second = Wallet.objects.get(account=other).pk
    assert disagreeing() == {(f"wallet {world.wallet.pk}", 5501, 5496), (f"wallet {second}", 3000, 3005)}


def liability(world, expected, found):
    return (f"liability of {world.program}", expected, found)


def test_a_missing_redemption_transfer(world):
    plant("DELETE FROM redemption_transfer WHERE kind = 'redeem' AND code_id = %s", world.cards[0].serial)
    assert disagreeing() == {
        liability(world, 12_999, 15_999),
        ("all wallets", 2501, 5501),
        (f"wallet {world.wallet.pk}", 2501, 5501),
        ("redemptions without their transfer", 0, 1),
    }


def test_a_missing_sale(world):
    plant("DELETE FROM redemption_transfer WHERE kind = 'activate' AND code_id = %s", world.cards[3].serial)
    assert disagreeing() == {liability(world, 12_999, 9_999), ("sold cards without their transfer", 0, 1)}


def test_a_missing_breakage_is_owed_until_the_nightly_run_that_will_not_come(world):
    plant("DELETE FROM redemption_transfer WHERE kind = 'breakage'")
    assert ledger.post_breakage().cards == 0
    assert disagreeing() == {("expired cards without their breakage", 0, 2)}


def test_an_extra_transfer(world):
    plant(
        "INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, effective_at,"
        " recorded_at) VALUES ('liability', 'receivable', 7, 'GBP', 'void', 'code:1', %s, now(), now())",
        world.program.pk,
    )
    assert disagreeing() == {liability(world, 12_999, 12_992)}
    assert disagreeing(as_of=timezone.now() - timedelta(days=1)) == set()


def test_an_altered_amount(world):
    plant("UPDATE redemption_transfer SET amount = 2999 WHERE kind = 'redeem' AND code_id = %s", world.cards[0].serial)
    assert disagreeing() == {
        liability(world, 12_999, 13_000),
        ("all wallets", 5500, 5501),
        (f"wallet {world.wallet.pk}", 5500, 5501),
        ("redemptions without their transfer", 0, 1),
    }


def test_a_transfer_moved_to_another_program(world):
    other = factories.program("Another")
    plant(
        "UPDATE redemption_transfer SET program_id = %s WHERE kind = 'activate' AND code_id = %s",
        other.pk,
        world.cards[3].serial,
    )
    assert disagreeing() == {liability(world, 12_999, 9_999), (f"liability of {other}", 0, 3_000)}


def test_a_transfer_moved_to_another_day(world):
    plant("UPDATE redemption_transfer SET effective_at = effective_at - interval '3 days' WHERE kind = 'redeem'")
    assert disagreeing() == set()
    assert disagreeing(as_of=timezone.now() - timedelta(days=2)) == {liability(world, 0, -6_999)}


def test_a_card_changed_to_redeemed(world):
    plant("UPDATE redemption_code SET status = 2 WHERE serial = %s", world.cards[3].serial)
    assert disagreeing() == {("redeemed cards without a redemption", 0, 1)}


def test_a_redeemed_card_brought_back_to_life(world):
    plant("UPDATE redemption_code SET status = 1 WHERE serial = %s", world.cards[0].serial)
    assert disagreeing() == {("redemptions of cards that are not redeemed", 0, 1)}


def test_a_card_changed_to_void(world):
    plant("UPDATE redemption_code SET status = 4 WHERE serial = %s", world.cards[3].serial)
    assert disagreeing() == {("void cards that nobody voided", 0, 1)}


def test_a_void_card_brought_back_to_life(world):
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    serial = world.cards[3].serial
    asked = approvals.request(
        action=ApprovalAction.VOID, target=f"code:{serial}", payload=void_payload(serial), reason="stolen", by=agent
    )
    void_cards(first=serial, by=agent, approval=approvals.approve(asked, by=manager), reason="stolen")
    assert disagreeing() == set()
    plant("UPDATE redemption_code SET status = 1 WHERE serial = %s", serial)
    assert disagreeing() == {("voided cards that are not void", 0, 1)}


def test_a_replaced_card_brought_back_to_life(world):
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    serial = world.cards[3].serial
    asked = approvals.request(
        action=ApprovalAction.REPLACE,
        target=f"code:{serial}",
        payload=replace_payload(serial),
        reason="damaged",
        by=agent,
    )
    replace_card(serial=serial, by=agent, approval=approvals.approve(asked, by=manager), reason="damaged")
    assert disagreeing() == set()
    plant("UPDATE redemption_code SET status = 1 WHERE serial = %s", serial)
    assert disagreeing() == {("replacements of cards that are not replaced", 0, 1)}


def test_a_card_changed_to_replaced(world):
    plant("UPDATE redemption_code SET status = 5 WHERE serial = %s", world.cards[3].serial)
    assert disagreeing() == {("replaced cards without a successor", 0, 1)}


def test_a_card_that_was_never_sold_made_active(world):
    plant("UPDATE redemption_code SET status = 1, activated_at = now() WHERE status = 0")
    assert disagreeing() == {liability(world, 15_999, 12_999), ("sold cards without their transfer", 0, 1)}


def test_a_redemption_that_is_gone(world):
    plant("DELETE FROM redemption_redemption WHERE code_id = %s", world.cards[0].serial)
    assert disagreeing() == {liability(world, 15_999, 12_999), ("redeemed cards without a redemption", 0, 1)}


def test_premium_time_that_is_gone_or_was_given_by_nobody(world):
    plant("DELETE FROM redemption_premiumgrant")
    assert disagreeing() == {
        ("premium redemptions without their grant", 0, 1),
    }


def test_a_premium_end_that_the_grants_do_not_give(world):
    plant("UPDATE redemption_account SET premium_until = premium_until + 30 WHERE id = %s", world.account.pk)
    assert PremiumGrant.objects.count() == 1
    assert disagreeing() == {("accounts whose premium end is not their grants'", 0, 1)}


def test_a_batchs_value_that_was_changed_afterwards(world):
    plant("UPDATE redemption_batch SET value = 3001 WHERE id = %s", world.batch.pk)
    assert liability(world, 13_003, 12_999) in disagreeing()


def test_breakage_before_its_day(world):
    plant("UPDATE redemption_transfer SET effective_at = effective_at - interval '2 days' WHERE kind = 'breakage'")
    assert disagreeing() == set()
    assert disagreeing(as_of=timezone.now() - timedelta(days=10.5)) == {("cards broken before their expiry", 0, 2)}


def test_an_extension_keeps_the_past_right(world):
    extend_batch(world.old, expires_on=factories.last_day(-30), by=factories.user(Role.MANAGER))
    for days in (0, 1, 9, 10, 11, 12, 21):
        assert disagreeing(as_of=timezone.now() - timedelta(days=days)) == set()
    assert disagreeing() == set()
    assert ledger.balance(Book.BREAKAGE) == {}


def test_the_command_says_what_differs_and_fails(world, capsys):
    call_command("reconcile")
    assert "DIFFERS" not in capsys.readouterr().out
    call_command("reconcile", as_of="2026-01-01")
    plant("UPDATE redemption_wallet SET balance = balance + 1")
    with pytest.raises(CommandError, match="2 of"):
        call_command("reconcile")
    assert "DIFFERS  all wallets: £55.02, expected £55.01" in capsys.readouterr().out
    assert User.objects.system().role == Role.SYSTEM
