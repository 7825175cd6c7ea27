"""renew() over many accounts against raw statements that write the same rows: one each for invoices, wallets, transfers
and accounts, from a table that has every value ready.

Of ten accounts, five are paid by credit, three wholly or partly due, one is covered by premium time, one falls to Free.
A round is one month of them all on either side; before the next one, whoever fell is back, and credit is as it was.
"""

import argparse
import statistics
import sys
import time
from datetime import UTC, date, datetime

from django.db import connection, transaction

from redemption import billing
from redemption.models import Plan, PlanPrice, Program
from redemption.premium_time import add_months
from tests.bench.report import Row

ACCOUNTS = 1_000_000
PRICE = 999
FIRST = date(2026, 6, 1)


def run(args: argparse.Namespace) -> list[Row]:
    count = args.codes or ACCOUNTS
    ours_program, limit_program = (
        Program.objects.create(name=name, slug=name, digest_name=name, time_zone="UTC") for name in ("ours", "limit")
    )
    # The other has no price: nobody bills its accounts but the raw statements.
    PlanPrice.objects.create(program=ours_program, plan=Plan.INDIVIDUAL, currency="GBP", price=PRICE)
    _prepare(
        *((_ACCOUNTS, {"program": program.pk, "count": count}) for program in (ours_program, limit_program)),
        (_WALLETS, {}),
    )
    ours, limit = [], []
    for number in range(args.runs):
        day = add_months(FIRST, number, FIRST.day)
        _prepare(*((statement, {"day": day}) for statement in _NEXT_MONTH))
        began = time.perf_counter()
        done = billing.renew(now=datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        ours.append(count / (time.perf_counter() - began))
        assert (done.paid, done.due, done.covered, done.fallen) == tuple(
            count * tenths // 10 for tenths in (5, 3, 1, 1)
        )
        limit.append(count / _raw(limit_program, day))
        sys.stderr.write(f"{count:,} accounts: {ours[-1]:,.0f}/s, raw {limit[-1]:,.0f}/s\n")
    return [
        Row.of(
            f"{count:,} accounts billed; raw statements",
            statistics.median(ours),
            statistics.median(limit),
            "accounts/s",
        )
    ]


def _prepare(*statements: tuple[str, dict[str, object]]) -> None:
    """Runs them unmeasured, and leaves nothing of it to whoever is measured next."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for statement, values in statements:
            cursor.execute(statement, values)
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _raw(program: Program, day: date) -> float:
    """Seconds that the statements take, for one day's accounts."""
    known = {"program": program.pk, "day": day, "price": PRICE, "now": datetime.now(UTC)}
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_month")
        cursor.execute(_MONTH, known)
        cursor.execute("ANALYZE bench_month")
        began = time.perf_counter()
        with transaction.atomic():
            for statement in _RAW:
                cursor.execute(statement, known)
        return time.perf_counter() - began


_ACCOUNTS = """
INSERT INTO redemption_account (program_id, reference, email, email_verified, country, currency, plan, billing_provider,
    restriction, had_premium, last_seen_country, has_payment_method, premium_until, premium_anchor_day, version,
    created_at)
SELECT %(program)s::bigint, 'AC-' || upper(substr(md5(%(program)s::bigint || ' ' || n), 1, 14)),
    'customer-' || n || '@example.com', true, 'GB', 'GBP', 'free', 'none', 'none', true, '',
    mod(n, 10) IN (5, 6, 7), CASE WHEN mod(n, 10) = 8 THEN current_date END, CASE WHEN mod(n, 10) = 8 THEN 1 END, 1,
    now()
FROM generate_series(0, %(count)s::bigint - 1) AS n"""

# Five have enough, two something; one who asks for a card and whoever falls have none.
_WALLETS = """
INSERT INTO redemption_wallet (account_id, currency, balance)
SELECT id, 'GBP', 0 FROM redemption_account
WHERE premium_until IS NULL AND mod(split_part(split_part(email, '@', 1), '-', 2)::bigint, 10) < 7"""

_NEXT_MONTH = [
    """UPDATE redemption_account SET plan = 'individual', billing_provider = 'direct', renews_on = %(day)s::date,
        renewal_anchor_day = 1,
        premium_until = CASE WHEN premium_until IS NOT NULL THEN (%(day)s::date + interval '1 month')::date END""",
    """UPDATE redemption_wallet w SET balance = CASE WHEN a.has_payment_method THEN 500 ELSE 5000 END
    FROM redemption_account a WHERE a.id = w.account_id""",
]

_MONTH = """
CREATE UNLOGGED TABLE bench_month AS
SELECT a.id AS account, w.id AS wallet, a.plan, a.currency, a.renews_on AS starts_on,
    'IN-' || upper(substr(md5(a.id || ' ' || a.renews_on), 1, 14)) AS reference,
    coalesce(a.premium_until, (a.renews_on + interval '1 month')::date) AS ends_on,
    CASE WHEN a.premium_until IS NOT NULL THEN NULL WHEN w.balance >= %(price)s THEN 'paid'
        WHEN a.has_payment_method THEN 'due' ELSE 'failed' END AS status,
    CASE WHEN a.premium_until IS NULL THEN least(coalesce(w.balance, 0), %(price)s) ELSE 0 END AS credit,
    coalesce(w.balance, 0) AS balance
FROM redemption_account a LEFT JOIN redemption_wallet w ON w.account_id = a.id
WHERE a.program_id = %(program)s::bigint AND a.renews_on = %(day)s::date"""

_RAW = [
    """INSERT INTO redemption_invoice (account_id, reference, starts_on, ends_on, plan, currency, price, from_credit,
        due, status, at, settled_at)
    SELECT account, reference, starts_on, ends_on, plan, currency, %(price)s, credit, %(price)s - credit, status,
        %(now)s, CASE WHEN status <> 'due' THEN %(now)s END
    FROM bench_month WHERE status IS NOT NULL""",
    """UPDATE redemption_wallet w SET balance = m.balance - m.credit FROM bench_month m
    WHERE w.id = m.wallet AND credit > 0""",
    """INSERT INTO redemption_transfer (debit, credit, wallet_id, amount, currency, kind, source, program_id,
        effective_at, recorded_at)
    SELECT 'customer_credit', 'revenue', wallet, credit, currency, 'renewal', 'invoice:' || account || ':' || starts_on,
        %(program)s, %(now)s, %(now)s
    FROM bench_month WHERE credit > 0""",
    """UPDATE redemption_account a SET version = a.version + 1,
        renews_on = CASE WHEN m.status = 'failed' THEN NULL ELSE m.ends_on END,
        plan = CASE WHEN m.status = 'failed' THEN 'free' ELSE a.plan END,
        billing_provider = CASE WHEN m.status = 'failed' THEN 'none' ELSE a.billing_provider END
    FROM bench_month m WHERE a.id = m.account""",
]
