"""Workers that die in the middle of redeeming: nothing is lost, nothing is doubled, and the try was counted once.

A killed worker's database session lives on until it notices: a statement that it waits for is still carried out, and
a commit that it had asked for is a commit.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction

from redemption.admission import LEASE
from redemption.models import (
    Attempt,
    Channel,
    CodeStatus,
    IdempotencyKey,
    PremiumGrant,
    Redemption,
    Throttle,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.reconcile import reconcile
from redemption.redeem import KeyRunningError, redeem
from redemption.refusals import RefusalReason
from tests import factories
from tests.owner import owner_cursor
from tests.simulation.crowd import all_at_once
from tests.simulation.dying import Worker

pytestmark = pytest.mark.django_db(transaction=True)

# More statements than redeem() has: the worker that is to die after so many comes through.
TOO_MANY = 20


def disagreeing():
    return [line for line in reconcile() if not line.agrees]


def counted(account):
    """How many tries count against the account."""
    counter = Throttle.objects.filter(scope="account", key=str(account.pk)).first()
    return len(counter.recent) if counter else 0


def rerun(account, text, now, key="k"):
    return redeem(account=account, text=text, channel=Channel.WEB, key=key, now=now)


def kill_at_every_step(account_of, text_of, check):
    """Kills a worker after its first statement, the next one after its second …, until one comes through."""
    for step in range(1, TOO_MANY):
        account, text, now = account_of(step), text_of(step), factories.NOON
        worker = Worker(account.pk, text, f"key {step}", now, dies_after=step)
        if worker.join() == 0:
            return step
        check(account, text, now, f"key {step}")
    raise AssertionError("no worker came through")


def test_a_worker_killed_after_any_statement_leaves_a_request_that_can_be_repeated(crowd):
    program = factories.program()
    batch = factories.batch(factories.product(program, value=500))
    cards = factories.cards(TOO_MANY, batch)
    seen = []

    def check(account, text, now, key):
        stored = IdempotencyKey.objects.filter(key=key).first()
        has_run = bool(stored and stored.attempt_id)
        seen.append((bool(stored), has_run))
        assert counted(account) == (bool(stored) and not has_run)
        assert account.redemptions.exists() == has_run
        if stored and not has_run:
            with pytest.raises(KeyRunningError):
                rerun(account, text, now, key)
        assert rerun(account, text, now + LEASE, key).is_redeemed
        again = rerun(account, text, now + LEASE, key)
        assert again.is_redeemed
        assert Attempt.objects.filter(account=account).count() == 1
        assert Wallet.objects.get(account=account).balance == 500
        assert counted(account) == 0

    steps = kill_at_every_step(lambda step: factories.account(program), lambda step: cards[step].text, check)
    # Formats read; counted; facts read; claimed. Each of the four is a transaction of its own.
    assert seen == [(False, False), (True, False), (True, False), (True, True)]
    assert Redemption.objects.count() == steps
    assert Transfer.objects.filter(kind=TransferKind.REDEEM).count() == steps
    assert disagreeing() == []


def test_a_worker_killed_while_it_refuses_counts_the_try_once(crowd):
    program = factories.program()
    batch = factories.batch(factories.product(program), expires_on=factories.NOON.date() - timedelta(days=1))
    card = factories.card(batch)

    def check(account, text, now, key):
        result = rerun(account, text, now + LEASE, key)
        assert (result.reason, counted(account)) == (RefusalReason.EXPIRED, 1)
        assert rerun(account, text, now + LEASE, key).reference == result.reference
        assert Attempt.objects.filter(account=account).count() == counted(account) == 1

    kill_at_every_step(lambda step: factories.account(program), lambda step: card.text, check)
    assert card.row.status == CodeStatus.ACTIVE


@contextmanager
def held(sql, *params):
    """Holds the locks of a statement until the block ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        yield


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        threading.Event().wait(0.01)


def waiting():
    """How many sessions of this database wait for a lock."""
    with connection.cursor() as cursor:
        # Within a transaction the view would stay as it was first read.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


def test_a_worker_killed_in_the_middle_of_the_claim_has_redeemed(crowd):
    program = factories.program()
    card = factories.card(factories.batch(factories.product(program, months=1, value=999)))
    account = factories.account(program)
    with held("SELECT FROM redemption_account WHERE id = %s FOR NO KEY UPDATE", account.pk):
        worker = Worker(account.pk, card.text, "k", factories.NOON)
        wait_until(waiting)
        worker.kill()
    # Its session wakes up and finishes the statement, which commits by itself.
    wait_until(Redemption.objects.exists)
    assert rerun(account, card.text, factories.NOON + LEASE).is_redeemed
    assert (Attempt.objects.count(), PremiumGrant.objects.count(), counted(account)) == (1, 1, 0)
    assert disagreeing() == []


def test_a_worker_killed_while_its_try_is_being_counted_counts_it_once(crowd):
    card = factories.card()
    account = factories.account(card.batch.product.program)
    redeem(account=account, text=factories.card(factories.batch()).text, channel=Channel.WEB, now=factories.NOON)
    with held("SELECT FROM redemption_throttle WHERE scope = 'account' FOR NO KEY UPDATE"):
        worker = Worker(account.pk, card.text, "k", factories.NOON + timedelta(seconds=1))
        wait_until(waiting)
        worker.kill()
    # The statement was under way and commits by itself.
    wait_until(IdempotencyKey.objects.filter(key="k").exists)
    assert counted(account) == 2
    assert rerun(account, card.text, factories.NOON + timedelta(seconds=1) + LEASE).is_redeemed
    assert counted(account) == 1


@pytest.fixture
def commits_wait_for(crowd):
    """Every redemption's commit asks for this advisory lock: whoever holds it stops commits that are under way."""
    number = 7_007_007
    with owner_cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS"
            f" 'BEGIN PERFORM pg_advisory_xact_lock_shared({number}); RETURN NULL; END'"
        )
        cursor.execute(
            "CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON redemption_redemption"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_at_commit()"
        )
    yield number
    with owner_cursor() as cursor:
        cursor.execute("DROP TRIGGER wait_at_commit ON redemption_redemption")
        cursor.execute("DROP FUNCTION wait_at_commit()")


def test_a_worker_killed_while_it_commits_has_redeemed(commits_wait_for):
    card = factories.card()
    account = factories.account(card.batch.product.program)
    with held("SELECT pg_advisory_xact_lock(%s)", commits_wait_for):
        worker = Worker(account.pk, card.text, "k", factories.NOON)
        wait_until(waiting)
        worker.kill()
        assert not Redemption.objects.exists()
    wait_until(Redemption.objects.exists)
    result = rerun(account, card.text, factories.NOON + LEASE)
    assert (result.is_redeemed, result.benefit) == (True, "£30.00 credit")
    assert (Attempt.objects.count(), Wallet.objects.get().balance, counted(account)) == (1, 3000, 0)
    assert disagreeing() == []


def test_a_request_repeated_while_the_first_is_held_up_gets_the_one_answer(crowd):
    """The first is alive, only slower than its lease: both get to the claim, and the key has one answer."""
    card = factories.card()
    account = factories.account(card.batch.product.program)
    with ThreadPoolExecutor(2) as threads:

        def later(moment):
            return threads.submit(lambda: all_at_once([partial(rerun, account, card.text, moment)]))

        with held("SELECT FROM redemption_account WHERE id = %s FOR NO KEY UPDATE", account.pk):
            first = later(factories.NOON)
            wait_until(lambda: waiting() == 1)
            second = later(factories.NOON + LEASE)
            wait_until(lambda: waiting() == 2)
    results = first.result() + second.result()
    assert [result.is_redeemed for result in results] == [True, True]
    assert results[0].reference == results[1].reference
    assert Attempt.objects.count() == 1
    assert counted(account) == 0
