"""The billing month: credit first, then the payment method on file, else Free; each month once."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from redemption import billing, jobs
from redemption.models import (
    Account,
    BillingProvider,
    Book,
    Channel,
    Invoice,
    InvoiceStatus,
    Plan,
    PremiumGrant,
    Transfer,
    TransferKind,
    User,
)
from redemption.premium_time import add_months
from redemption.redeem import redeem
from redemption.roles import Role
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.billing_world import (
    PRICE,
    balance,
    disagreeing,
    give,
    months,
    paid_from_credit,
    program,
    subscriber,
)

pytestmark = pytest.mark.django_db

NOON, TODAY = factories.NOON, factories.NOON.date()
NEXT_MONTH = date(2026, 7, 15)


def renew(now=NOON, **options):
    return billing.renew(now=now, **options)


def state(account):
    account.refresh_from_db()
    return account.plan, account.billing_provider, account.renews_on, account.renewal_anchor_day


def at(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


# --- What pays a month


def test_credit_that_covers_the_price_pays_the_month():
    account = subscriber(credit=2500)
    done = renew()
    assert (done.paid, done.due, done.covered, done.known, done.fallen) == (1, 0, 0, 0, 0)
    assert done.from_credit == {"GBP": PRICE}
    assert months(account) == [(TODAY, NEXT_MONTH, PRICE, 0, "paid")]
    assert state(account) == (Plan.INDIVIDUAL, BillingProvider.DIRECT, NEXT_MONTH, 15)
    assert account.had_premium
    assert balance(account) == 1500
    transfer = Transfer.objects.get(kind=TransferKind.RENEWAL)
    assert (transfer.debit, transfer.credit, transfer.amount) == (Book.CUSTOMER_CREDIT, Book.REVENUE, PRICE)
    assert transfer.source == f"invoice:{account.pk}:2026-06-15"
    assert (transfer.program, transfer.wallet.account, transfer.effective_at) == (account.program, account, NOON)
    invoice = Invoice.objects.get()
    assert (invoice.plan, invoice.currency, invoice.price) == (Plan.INDIVIDUAL, "GBP", PRICE)
    assert (invoice.at, invoice.settled_at) == (NOON, NOON)
    assert disagreeing() == []


def test_the_payment_method_on_file_is_asked_for_the_rest_only():
    account = subscriber(credit=300, has_payment_method=True)
    done = renew()
    assert (done.paid, done.due, done.fallen) == (0, 1, 0)
    assert months(account) == [(TODAY, NEXT_MONTH, 300, 700, "due")]
    assert paid_from_credit(account) == [(f"invoice:{account.pk}:2026-06-15", 300)]
    assert balance(account) == 0
    assert state(account) == (Plan.INDIVIDUAL, BillingProvider.DIRECT, NEXT_MONTH, 15)
    assert Invoice.objects.get().settled_at is None
    assert disagreeing() == []


@pytest.mark.parametrize("credit", [0, 400])
def test_without_a_payment_method_the_account_falls_to_free_and_keeps_its_credit(credit):
    account = subscriber(credit=credit)
    done = renew()
    assert (done.paid, done.due, done.fallen) == (0, 0, 1)
    assert state(account) == (Plan.FREE, BillingProvider.NONE, None, None)
    assert balance(account) == credit
    assert paid_from_credit(account) == []
    # For support: the month that nobody paid, and that nobody was asked for.
    assert months(account) == [(TODAY, NEXT_MONTH, 0, PRICE, "failed")]
    invoice = Invoice.objects.get()
    assert invoice.settled_at == invoice.at == NOON
    assert disagreeing() == []


def test_without_any_credit_all_of_it_is_due_and_nothing_moves():
    account = subscriber(has_payment_method=True)
    renew()
    assert months(account) == [(TODAY, NEXT_MONTH, 0, PRICE, "due")]
    assert not Transfer.objects.exists()


def test_credit_in_another_currency_pays_nothing():
    account = subscriber(has_payment_method=True)
    euros = subscriber(account.program, currency="EUR", credit=5000)
    renew()
    assert months(account) == [(TODAY, NEXT_MONTH, 0, PRICE, "due")]
    # Nor has a plan a price where only another currency's is known.
    assert months(euros) == []
    assert billing.without_price(now=NOON) == 1


# --- Whose month it is


@pytest.mark.parametrize(
    "fields",
    [
        {"renews_on": TODAY + timedelta(days=1)},
        {"plan": Plan.FREE},
        {"plan": Plan.FAMILY},
        *({"billing_provider": provider} for provider in BillingProvider if provider != BillingProvider.DIRECT),
    ],
    ids=str,
)
def test_others_are_left_alone(fields):
    account = subscriber(credit=5000, has_payment_method=True, **fields)
    before = state(account)
    renew()
    assert months(account) == []
    assert (state(account), balance(account)) == (before, 5000)


def test_accounts_without_a_renewal_are_left_alone():
    account = subscriber(credit=5000)
    Account.objects.filter(pk=account.pk).update(renews_on=None)
    renew()
    assert months(account) == []


def test_the_month_ends_with_the_day_of_the_programs_time_zone():
    here, there = program(), program()
    type(there).objects.filter(pk=there.pk).update(time_zone="Pacific/Kiritimati")
    tomorrow = TODAY + timedelta(days=1)
    ours, theirs = (subscriber(of, credit=PRICE, renews_on=tomorrow) for of in (here, there))
    renew()
    assert (months(ours), [row[0] for row in months(theirs)]) == ([], [tomorrow])


# --- Premium time


def premium(account, until, anchor_day):
    PremiumGrant.objects.create(
        account=account, period=DateRange(date(2026, 1, 1), until), months=1, anchor_day=anchor_day, at=NOON
    )
    Account.objects.filter(pk=account.pk).update(premium_until=until, premium_anchor_day=anchor_day)


def test_a_month_that_premium_time_covers_costs_nothing():
    account = subscriber(credit=PRICE)
    premium(account, date(2026, 9, 30), 31)
    done = renew()
    assert (done.covered, done.paid) == (1, 0)
    # The chain of months goes on from where premium time ends.
    assert state(account)[2:] == (date(2026, 9, 30), 31)
    assert (months(account), balance(account)) == ([], PRICE)
    renew(at(date(2026, 9, 30)))
    assert [row[:2] for row in months(account)] == [(date(2026, 9, 30), date(2026, 10, 31))]


def test_premium_time_that_ended_before_covers_nothing():
    account = subscriber(credit=PRICE)
    premium(account, TODAY, 15)
    renew()
    assert [row[4] for row in months(account)] == ["paid"]


def test_missed_months_are_billed_from_where_premium_time_ended():
    account = subscriber(credit=5 * PRICE, renews_on=date(2026, 2, 10))
    premium(account, date(2026, 4, 20), 20)
    renew()
    assert [row[0] for row in months(account)] == [date(2026, 4, 20), date(2026, 5, 20)]
    assert state(account)[2:] == (date(2026, 6, 20), 20)


def test_redeeming_leaves_the_renewal_where_it_is():
    account = subscriber(renews_on=NEXT_MONTH, last_seen_country="GB")
    card = factories.card(factories.batch(factories.product(account.program, months=3)))
    assert redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON).is_redeemed
    assert state(account)[2:] == (NEXT_MONTH, None)


# --- The calendar


def test_months_keep_their_day_through_short_ones():
    account = subscriber(credit=9 * PRICE, renews_on=date(2026, 1, 31))
    renew(at(date(2026, 5, 31)))
    assert [row[:2] for row in months(account)] == [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 2, 28), date(2026, 3, 31)),
        (date(2026, 3, 31), date(2026, 4, 30)),
        (date(2026, 4, 30), date(2026, 5, 31)),
        (date(2026, 5, 31), date(2026, 6, 30)),
    ]
    assert balance(account) == 4 * PRICE


def test_missed_nights_are_made_up_for_until_credit_runs_out():
    account = subscriber(credit=2500, renews_on=date(2026, 2, 15))
    done = renew()
    assert [row[0] for row in months(account)] == [date(2026, 2, 15), date(2026, 3, 15), date(2026, 4, 15)]
    assert [row[4] for row in months(account)] == ["paid", "paid", "failed"]
    assert (done.paid, done.fallen, balance(account)) == (2, 1, 500)
    assert state(account) == (Plan.FREE, BillingProvider.NONE, None, None)


def test_a_date_that_somebody_set_begins_a_new_chain():
    account = subscriber(credit=5 * PRICE, renews_on=date(2026, 4, 10), renewal_anchor_day=31)
    renew(at(date(2026, 4, 10)))
    assert state(account)[2:] == (date(2026, 5, 10), 10)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 31))
def test_the_database_counts_months_as_premium_time_does(start, anchor):
    start = add_months(start, 0, anchor)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT anchor, {billing._NEXT} FROM (SELECT starts_on, {billing._anchor('starts_on', 'kept')} AS anchor"
            " FROM (VALUES (%s::date, %s::smallint)) AS given (starts_on, kept)) AS counted",
            [start, anchor],
        )
        found, end = cursor.fetchone()
    assert (found, end) == (anchor, add_months(start, 1, anchor))


# --- Once


def test_a_month_is_billed_once_however_often_it_is_asked_for():
    account = subscriber(credit=2500)
    for _ in range(3):
        renew()
    assert [row[4] for row in months(account)] == ["paid"]
    assert balance(account) == 1500


@pytest.mark.parametrize("status", ["paid", "due"])
def test_a_date_set_back_to_a_month_that_was_billed_bills_nothing_again(status):
    account = subscriber(credit=PRICE if status == "paid" else 0, has_payment_method=True)
    renew()
    Account.objects.filter(pk=account.pk).update(renews_on=TODAY)
    give(account, 5 * PRICE, "more")
    assert renew().known == 1
    assert [row[4] for row in months(account)] == [status]
    assert state(account)[2:] == (NEXT_MONTH, 15)
    assert balance(account) == 5 * PRICE


def test_whoever_comes_back_on_the_day_of_a_failed_month_is_billed_from_the_day_after():
    account = subscriber()
    renew()
    back = {"plan": Plan.INDIVIDUAL, "billing_provider": BillingProvider.DIRECT, "renews_on": TODAY}
    Account.objects.filter(pk=account.pk).update(**back)
    give(account, PRICE)
    assert renew().known == 1
    tomorrow = TODAY + timedelta(days=1)
    assert state(account)[2:] == (tomorrow, None)
    renew(at(tomorrow))
    assert [(row[0], row[4]) for row in months(account)] == [(TODAY, "failed"), (tomorrow, "paid")]


def test_as_many_queries_for_three_accounts_as_for_one():
    """Set by set, not account by account."""

    def queries():
        with CaptureQueriesContext(connection) as found:
            renew()
        return len(found)

    of = program()
    subscriber(of, credit=PRICE)
    one = queries()
    for credit in (PRICE, 0, 300):
        subscriber(of, credit=credit)
    assert queries() == one


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_chunks_bill_what_one_does(chunk):
    of = program()
    accounts = [subscriber(of, credit=number * 700, renews_on=TODAY - timedelta(days=number)) for number in range(7)]
    renew(chunk=chunk)
    assert [[row[4] for row in months(account)] for account in accounts] == [["failed"]] * 2 + [["paid"]] * 5
    assert disagreeing() == []


# --- Settling


def due(credit=300):
    account = subscriber(credit=credit, has_payment_method=True)
    renew()
    return account, Invoice.objects.get(account=account)


def settle(invoice, is_paid, by=None, now=NOON + timedelta(hours=1)):
    return billing.settle(invoice=invoice, is_paid=is_paid, by=by or User.objects.system(), now=now)


def test_a_due_invoice_is_paid():
    account, invoice = due()
    by = factories.user(Role.ADMINISTRATOR)
    settled = settle(invoice, is_paid=True, by=by)
    assert (settled.status, settled.settled_at) == (InvoiceStatus.PAID, NOON + timedelta(hours=1))
    assert Invoice.objects.get().status == InvoiceStatus.PAID
    assert state(account) == (Plan.INDIVIDUAL, BillingProvider.DIRECT, NEXT_MONTH, 15)
    assert (account.had_premium, balance(account)) == (True, 0)
    event = AuditEvent.objects.get(action=AuditAction.INVOICE_SETTLED)
    assert (event.actor_id, event.target) == (by.pk, f"invoice:{invoice.pk}")
    assert event.details == {"account": account.pk, "status": "paid"}
    assert disagreeing() == []


def test_an_invoice_that_was_not_paid_gives_credit_back_and_the_account_falls_to_free():
    account, invoice = due(credit=300)
    assert settle(invoice, is_paid=False).status == InvoiceStatus.FAILED
    assert state(account) == (Plan.FREE, BillingProvider.NONE, None, None)
    assert (account.had_premium, balance(account)) == (False, 300)
    back = Transfer.objects.get(kind=TransferKind.REVERSAL)
    assert (back.debit, back.credit, back.amount, back.reverses.kind) == ("revenue", "customer_credit", 300, "renewal")
    assert AuditEvent.objects.get(action=AuditAction.INVOICE_SETTLED).details["status"] == "failed"
    assert disagreeing() == []


def test_an_invoice_without_credit_gives_nothing_back():
    account, invoice = due(credit=0)
    settle(invoice, is_paid=False)
    assert state(account)[0] == Plan.FREE
    assert not Transfer.objects.exists()


@pytest.mark.parametrize("is_paid", [True, False])
def test_the_same_said_again_changes_nothing(is_paid):
    account, invoice = due()
    first = settle(invoice, is_paid=is_paid)
    again = settle(invoice, is_paid=is_paid, now=NOON + timedelta(days=1))
    assert again.settled_at == first.settled_at
    assert AuditEvent.objects.filter(action=AuditAction.INVOICE_SETTLED).count() == 1
    assert balance(account) == (0 if is_paid else 300)
    with pytest.raises(billing.SettledOtherwiseError, match="settled before"):
        settle(invoice, is_paid=not is_paid)


def test_a_month_paid_by_credit_alone_cannot_fail():
    account = subscriber(credit=PRICE)
    renew()
    with pytest.raises(billing.SettledOtherwiseError, match="before: paid"):
        settle(Invoice.objects.get(), is_paid=False)
    assert balance(account) == 0


def test_a_later_month_that_is_paid_keeps_the_plan():
    account, invoice = due(credit=0)
    give(account, PRICE)
    renew(at(NEXT_MONTH))
    assert [row[4] for row in months(account)] == ["due", "paid"]
    settle(invoice, is_paid=False)
    assert state(account)[:3] == (Plan.INDIVIDUAL, BillingProvider.DIRECT, date(2026, 8, 15))


def test_of_two_months_that_are_due_the_last_to_be_settled_decides():
    account, invoice = due(credit=0)
    renew(at(NEXT_MONTH))
    later = Invoice.objects.exclude(pk=invoice.pk).get()
    settle(invoice, is_paid=False)
    assert state(account)[0] == Plan.INDIVIDUAL
    settle(later, is_paid=False)
    assert state(account)[:2] == (Plan.FREE, BillingProvider.NONE)


def test_who_bills_by_now_keeps_the_plan():
    account, invoice = due(credit=0)
    Account.objects.filter(pk=account.pk).update(billing_provider=BillingProvider.APPLE)
    settle(invoice, is_paid=False)
    assert state(account)[:2] == (Plan.INDIVIDUAL, BillingProvider.APPLE)


# --- Proofs, the command and the job


def test_reconcile_finds_an_invoice_whose_credit_did_not_move():
    account = subscriber()
    Invoice.objects.create(
        account=account, starts_on=TODAY, ends_on=NEXT_MONTH, plan=Plan.INDIVIDUAL, currency="GBP", price=PRICE,
        from_credit=PRICE, due=0, status=InvoiceStatus.PAID, at=NOON, settled_at=NOON,
    )  # fmt: skip
    assert [line.what for line in disagreeing()] == ["invoices whose credit did not move as they say"]


def test_reconcile_finds_a_month_paid_without_an_invoice():
    account = subscriber(credit=PRICE)
    billing.ledger.post(
        debit=Book.CUSTOMER_CREDIT, credit=Book.REVENUE, amount=PRICE, currency="GBP", kind=TransferKind.RENEWAL,
        source=f"invoice:{account.pk}:2026-06-15", program_id=account.program_id,
        wallet=billing.ledger.wallet_of(account, "GBP"),
    )  # fmt: skip
    assert [line.what for line in disagreeing()] == ["months paid from credit without their invoice"]


def test_the_command_says_what_it_did_and_what_nobody_bills():
    of, today = program(), timezone.now().date()
    subscriber(of, credit=PRICE, renews_on=today)
    subscriber(of, credit=300, has_payment_method=True, renews_on=today)
    subscriber(of, renews_on=today)
    subscriber(of, plan=Plan.FAMILY, renews_on=today)
    out, err = StringIO(), StringIO()
    call_command("renew_subscriptions", stdout=out, stderr=err)
    assert out.getvalue() == (
        "1 months paid by credit, 1 due from payment methods, 0 covered by premium time; 1 accounts fell to Free. "
        "Taken from credit: £13.00.\n"
    )
    assert err.getvalue().startswith("1 accounts are due on a plan that has no price")


def test_the_job_bills():
    account = subscriber(credit=PRICE, renews_on=timezone.now().date())
    jobs.renew_subscriptions.func(timestamp=0)
    assert [row[4] for row in months(account)] == ["paid"]
