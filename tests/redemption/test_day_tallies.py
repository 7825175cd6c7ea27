"""Days of the ledger and of tries: with what is not rolled up yet they are always all that was written, whoever writes
at the same time."""

import random
from collections import Counter
from datetime import UTC, timedelta

import pytest
from django.db import connection, transaction

from redemption import day_tallies, tallies
from redemption.models import (
    Attempt,
    AttemptDay,
    AttemptOutcome,
    Book,
    Channel,
    LedgerDay,
    TallyMark,
    Transfer,
    TransferKind,
)
from redemption.refusals import RefusalReason
from tests import factories
from tests.simulation.crowd import all_at_once, errors
from tests.support.sealed_world import settle

pytestmark = pytest.mark.django_db(transaction=True)

_WAYS = [
    (TransferKind.ACTIVATE, Book.RECEIVABLE, Book.LIABILITY),
    (TransferKind.REDEEM, Book.LIABILITY, Book.REVENUE),
    (TransferKind.BREAKAGE, Book.LIABILITY, Book.BREAKAGE),
]


def write(program, number, chance, *, on=factories.NOON):
    kind, debit, credit = chance.choice(_WAYS)
    Transfer.objects.create(
        debit=debit,
        credit=credit,
        amount=chance.randint(1, 10**6),
        currency=chance.choice(["GBP", "USD"]),
        kind=kind,
        source=f"test:{number}",
        program=program,
        effective_at=on - timedelta(hours=chance.randint(0, 24 * 400)),
        recorded_at=on,
    )


def try_once(account, chance, *, on=factories.NOON):
    reason = chance.choice(["", RefusalReason.UNKNOWN, RefusalReason.EXPIRED])
    Attempt.objects.create(
        account=account,
        program=account.program,
        outcome=AttemptOutcome.REFUSED if reason else AttemptOutcome.REDEEMED,
        reason=reason,
        channel=Channel.WEB,
        at=on - timedelta(hours=chance.randint(0, 24 * 40)),
    )


def ledger():
    """As figures read it: {(day, program, currency, kind, debit, credit): (count, amount)}"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day, program_id, currency, kind, debit, credit, sum(count), sum(amount) "
            f"FROM {day_tallies.LEDGER} GROUP BY 1, 2, 3, 4, 5, 6"
        )
        return {tuple(row[:6]): (int(row[6]), int(row[7])) for row in cursor.fetchall()}


def tries():
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT day, program_id, outcome, reason, sum(count) FROM {day_tallies.TRIES} GROUP BY 1, 2, 3, 4"
        )
        return {tuple(row[:4]): int(row[4]) for row in cursor.fetchall()}


def plain_ledger():
    """The same in Python, from every transfer."""
    counts, amounts = Counter(), Counter()
    for row in Transfer.objects.all():
        key = (row.effective_at.astimezone(UTC).date(), row.program_id, row.currency, row.kind, row.debit, row.credit)
        counts[key] += 1
        amounts[key] += row.amount
    return {key: (counts[key], amounts[key]) for key in counts}


def plain_tries():
    return dict(
        Counter(
            (row.at.astimezone(UTC).date(), row.program_id, row.outcome, row.reason) for row in Attempt.objects.all()
        )
    )


def test_days_are_all_that_was_written_after_every_roll_up_and_between():
    chance = random.Random(1)
    programs = [factories.program(), factories.program()]
    account = factories.account(programs[0])
    for step in range(12):
        for number in range(chance.randint(0, 8)):
            write(chance.choice(programs), f"{step}:{number}", chance)
            try_once(account, chance)
        if chance.random() < 0.6:
            day_tallies.roll_up()
        assert ledger() == plain_ledger()
        assert tries() == plain_tries()
    # A roll-up may have taken nothing while another test's transaction was open: its horizon is the server's.
    settle()
    day_tallies.roll_up()
    assert ledger() == plain_ledger()
    assert tries() == plain_tries()
    assert LedgerDay.objects.exists()
    assert AttemptDay.objects.exists()


def test_a_transaction_that_ends_after_a_later_one_was_rolled_up_is_not_lost():
    """Ids and transaction ids are given in one order, and become visible in another."""
    program, chance = factories.program(), random.Random(2)
    write(program, "before", chance)
    slow = connection.copy()
    try:
        slow.set_autocommit(False)
        with slow.cursor() as cursor:
            cursor.execute(
                "INSERT INTO redemption_transfer (debit, credit, amount, currency, kind, source, program_id, "
                "effective_at, recorded_at) VALUES ('receivable', 'liability', 7, 'GBP', 'activate', 'slow', %s, "
                "now(), now())",
                [program.pk],
            )
        write(program, "after", chance)
        day_tallies.roll_up()
        assert ledger() == plain_ledger()
        assert sum(count for count, _ in ledger().values()) == 2
        slow.commit()
    finally:
        slow.close()
    assert sum(count for count, _ in ledger().values()) == 3
    day_tallies.roll_up()
    assert ledger() == plain_ledger()


def test_many_writers_beside_several_roll_ups_lose_nothing_and_count_nothing_twice():
    program = factories.program()
    account = factories.account(program)
    seen = []

    def writer(number):
        def work():
            chance = random.Random(number)
            for step in range(6):
                with transaction.atomic():
                    for place in range(chance.randint(1, 5)):
                        write(program, f"{number}:{step}:{place}", chance)
                        try_once(account, chance)

        return work

    def roller():
        for _ in range(5):
            day_tallies.roll_up()
            seen.append(sum(count for count, _ in ledger().values()))

    outcomes = all_at_once([*[writer(number) for number in range(4)], roller, roller], clients=6)
    assert errors(outcomes) == []
    assert ledger() == plain_ledger()
    assert tries() == plain_tries()
    day_tallies.roll_up()
    assert ledger() == plain_ledger()
    assert tries() == plain_tries()
    assert max(seen) <= Transfer.objects.count()


def test_the_marks_of_batches_and_of_days_stand_beside_each_other():
    tallies.roll_up()
    first = TallyMark.objects.get(pk=1).xact
    write(factories.program(), "one", random.Random(3))
    day_tallies.roll_up()
    assert TallyMark.objects.get(pk=1).xact == first
    assert TallyMark.objects.get(pk=day_tallies.MARK).xact >= first
    before = TallyMark.objects.get(pk=day_tallies.MARK).xact
    factories.program()
    tallies.roll_up()
    assert TallyMark.objects.get(pk=day_tallies.MARK).xact == before
    assert ledger() == plain_ledger()
