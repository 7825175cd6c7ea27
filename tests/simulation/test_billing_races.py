"""Billing beside itself, redemptions, credits and answers of payment methods, on real connections; and killed."""

import time
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction

from redemption import billing
from redemption.ledger import NotEnoughCreditError, post, wallet_of
from redemption.models import (
    Account,
    Book,
    Channel,
    Invoice,
    InvoiceStatus,
    Plan,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.redeem import redeem
from tests import factories
from tests.redemption.billing_world import PRICE, balance, disagreeing, give, months, program, subscriber
from tests.simulation.crowd import all_at_once, errors
from tests.simulation.dying import Biller

pytestmark = pytest.mark.django_db(transaction=True)

NOON, TODAY = factories.NOON, factories.NOON.date()
NEXT_MONTH = date(2026, 7, 15)


def renew(now=NOON, **options):
    return billing.renew(now=now, **options)


def statuses(accounts):
    return [[row[4] for row in months(account)] for account in accounts]


def test_runs_at_once_bill_each_month_once(crowd):
    of = program()
    accounts = [
        subscriber(of, credit=3 * PRICE, renews_on=TODAY - timedelta(days=40 + number % 5)) for number in range(60)
    ]
    outcomes = all_at_once([partial(renew, chunk=7) for _ in range(6)])
    assert errors(outcomes) == []
    assert sum(done.paid for done in outcomes) == 120
    assert statuses(accounts) == [["paid", "paid"]] * 60
    assert {balance(account) for account in accounts} == {PRICE}
    assert disagreeing() == []


def test_credit_redeemed_beside_the_billing_is_spent_once_or_kept(crowd, no_limits):
    """Whoever redeems in time is billed from credit; whoever comes later finds his account on Free, and his credit."""
    of = program()
    batch = factories.batch(factories.product(of, value=PRICE))
    accounts = [subscriber(of, last_seen_country="GB") for _ in range(24)]
    cards = factories.cards(24, batch)
    outcomes = all_at_once(
        [
            call
            for account, card in zip(accounts, cards, strict=True)
            for call in (
                partial(redeem, account=account, text=card.text, channel=Channel.WEB, now=NOON),
                partial(renew, chunk=5),
            )
        ],
        clients=12,
    )
    assert errors(outcomes) == []
    assert all(outcome.is_redeemed for outcome in outcomes[::2])
    for account in accounts:
        account.refresh_from_db()
        (month,) = months(account)
        paid = month[4] == "paid"
        assert (account.plan, balance(account)) == ((Plan.INDIVIDUAL, 0) if paid else (Plan.FREE, PRICE))
    assert disagreeing() == []


def test_premium_time_redeemed_beside_the_billing_covers_the_month_or_follows_it(crowd, no_limits):
    of = program()
    batch = factories.batch(factories.product(of, months=1, value=999))
    accounts = [subscriber(of, credit=PRICE, last_seen_country="GB") for _ in range(24)]
    cards = factories.cards(24, batch)
    outcomes = all_at_once(
        [
            call
            for account, card in zip(accounts, cards, strict=True)
            for call in (
                partial(redeem, account=account, text=card.text, channel=Channel.WEB, now=NOON),
                partial(renew, chunk=5),
            )
        ],
        clients=12,
    )
    assert errors(outcomes) == []
    for account in accounts:
        account.refresh_from_db()
        assert account.premium_until == account.renews_on == NEXT_MONTH
        assert balance(account) == (0 if months(account) else PRICE)
    assert disagreeing() == []


def spend(account, amount, number):
    with transaction.atomic():
        return post(
            debit=Book.CUSTOMER_CREDIT, credit=Book.GOODWILL, amount=amount, currency="GBP",
            kind=TransferKind.MANUAL_CREDIT, source=f"taken:{number}", program_id=account.program_id,
            wallet=wallet_of(account, "GBP"), now=NOON,
        )  # fmt: skip


def test_credit_taken_back_beside_the_billing_is_never_spent_twice(crowd):
    of = program()
    accounts = [subscriber(of, credit=PRICE, has_payment_method=True) for _ in range(20)]
    outcomes = all_at_once(
        [
            call
            for number, account in enumerate(accounts)
            for call in (partial(spend, account, 400, number), partial(renew, chunk=6))
        ],
        clients=10,
    )
    assert all(not isinstance(outcome, Exception) for outcome in outcomes[1::2])
    for account, taken in zip(accounts, outcomes[::2], strict=True):
        refused = isinstance(taken, NotEnoughCreditError)
        assert refused or isinstance(taken, Transfer)
        ((_, _, credit, due, _),) = months(account)
        assert (credit, due) == ((PRICE, 0) if refused else (600, 400))
        assert balance(account) == 0
    assert disagreeing() == []


def test_a_wallet_in_use_is_waited_for_and_holds_up_nobody_else(crowd):
    """Somebody's credit is being changed: the others are billed at once, and he from what he has then."""
    of = program()
    slow, quick = subscriber(of, credit=300, has_payment_method=True), subscriber(of, credit=PRICE)

    def change():
        deadline = time.monotonic() + 30
        with transaction.atomic():
            give(slow, 700, "more")
            while not Invoice.objects.filter(account=quick).exists():
                assert time.monotonic() < deadline, "the others wait too"

    outcomes = all_at_once([change, renew])
    assert errors(outcomes) == []
    assert statuses([slow, quick]) == [["paid"], ["paid"]]
    assert (balance(slow), balance(quick)) == (0, 0)


def test_answers_of_a_payment_method_at_once_settle_once(crowd):
    account = subscriber(credit=300, has_payment_method=True)
    renew()
    invoice, by = Invoice.objects.get(), User.objects.system()
    calls = [partial(billing.settle, invoice=invoice, is_paid=bool(number % 2), by=by, now=NOON) for number in range(8)]
    outcomes = all_at_once(calls)
    settled = Invoice.objects.get()
    agreeing = outcomes[1::2] if settled.status == InvoiceStatus.PAID else outcomes[::2]
    others = outcomes[::2] if settled.status == InvoiceStatus.PAID else outcomes[1::2]
    assert [type(outcome) for outcome in agreeing] == [Invoice] * 4
    assert [type(outcome) for outcome in others] == [billing.SettledOtherwiseError] * 4
    assert balance(account) == (0 if settled.status == InvoiceStatus.PAID else 300)
    assert Transfer.objects.filter(kind=TransferKind.REVERSAL).count() == (settled.status == InvoiceStatus.FAILED)
    assert disagreeing() == []


# --- Killed


def test_a_run_killed_after_any_statement_is_gone_on_with(crowd):
    of = program()
    for step in range(1, 40):
        accounts = [
            subscriber(of, credit=credit, renews_on=TODAY - timedelta(days=35), has_payment_method=method)
            for credit, method in ((2 * PRICE, False), (PRICE, False), (300, True), (0, False))
        ]
        came_through = Biller(NOON, chunk=3, dies_after=step).join() == 0
        renew(chunk=3)
        assert statuses(accounts) == [["paid", "paid"], ["paid", "failed"], ["due", "due"], ["failed"]]
        assert [balance(account) for account in accounts] == [0, 0, 0, 0]
        if came_through:
            break
    else:
        raise AssertionError("no run came through")
    # Programs read; then accounts locked and billed, chunk by chunk, each in a transaction.
    assert step > 6
    assert Invoice.objects.count() == 7 * step
    assert Wallet.objects.filter(balance__gt=0).count() == 0
    assert disagreeing() == []


def test_what_was_billed_stays_billed_when_a_later_run_comes(crowd):
    account = subscriber(credit=2 * PRICE)
    renew()
    renew(datetime(2026, 7, 15, 12, tzinfo=UTC))
    assert [row[:2] for row in months(account)] == [(TODAY, NEXT_MONTH), (NEXT_MONTH, date(2026, 8, 15))]
    assert Account.objects.get().renews_on == date(2026, 8, 15)
