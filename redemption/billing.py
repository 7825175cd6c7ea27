"""The billing month: credit pays a plan's month before anything else does.

Due are accounts that the service itself bills, on a plan that has a price in their currency, whose running month is
over in the program's time zone. Credit covers the price; the payment method on file is asked for what it does not; with
neither the account falls to Free, and its credit stays. A month that premium time covers costs nothing.
"""

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from redemption import ledger, trail
from redemption.code_format import CROCKFORD
from redemption.models import (
    Account,
    BillingProvider,
    Invoice,
    InvoiceStatus,
    Plan,
    Program,
    Transfer,
    TransferKind,
    User,
)

_SYMBOLS = bytes(ord(CROCKFORD[byte & 31]) for byte in range(256))

# Accounts in a transaction: fewer cost more round trips, and a redemption of one of them waits for them all.
CHUNK = 2_000


class BillingError(Exception):
    """It cannot be done; the text says why."""


class SettledOtherwiseError(BillingError):
    """The invoice was settled before, and not like that."""


@dataclass(slots=True)
class Renewed:
    """What a run did, in months: paid by credit alone, partly or wholly due, covered by premium time, invoiced before;
    and accounts that fell to Free."""

    paid: int = 0
    due: int = 0
    covered: int = 0
    known: int = 0
    fallen: int = 0
    # By currency, in minor units.
    from_credit: Counter[str] = field(default_factory=Counter)

    def add(self, billed: Iterable[tuple[str, str, int, int]]) -> None:
        for outcome, currency, months, credit in billed:
            setattr(self, outcome, getattr(self, outcome) + months)
            self.from_credit[currency] += credit


# Whose month is over, by its first day; each is ours until the end of the transaction. Whoever is redeeming at this
# moment, or billed by another run, is left for later: nobody waits here while holding others.
_LOCK = """
    SELECT a.id, a.renews_on FROM redemption_account a
    JOIN unnest(%(programs)s::bigint[], %(todays)s::date[]) AS p (id, today) ON p.id = a.program_id
    WHERE a.renews_on <= p.today AND a.renews_on <= %(latest)s::date
        AND a.billing_provider = 'direct' AND a.plan <> 'free'
        AND (a.renews_on, a.id) > (%(day)s::date, %(account)s::bigint)
        AND EXISTS (SELECT FROM redemption_planprice r
            WHERE r.program_id = a.program_id AND r.plan = a.plan AND r.currency = a.currency)
    ORDER BY a.renews_on, a.id LIMIT %(chunk)s::int
    FOR NO KEY UPDATE OF a {skip}
"""


def _anchor(day: str, kept: str) -> str:
    """SQL: the day of the month that months are counted from. The one kept is longer than a short month; where the date
    is neither on it nor a month's last day, somebody set the date, and counting begins anew there."""
    return (
        f"CASE WHEN {kept} > extract(day FROM {day}) AND extract(day FROM {day} + 1) = 1"
        f" THEN {kept} ELSE extract(day FROM {day}) END::smallint"
    )


# premium_time.add_months() of one month, in SQL; a test holds both together.
_NEXT = """least((date_trunc('month', starts_on::timestamp) + interval '1 month')::date + anchor - 1,
            (date_trunc('month', starts_on::timestamp) + interval '2 months')::date - 1)"""

# Everything that a month brings, at once, for accounts that are ours. In a statement of its own, whose snapshot is
# taken after the locks: what redeem() gave while we were looking is seen. A wallet that is in use is left for later
# with its account, unless {skip} is empty.
_BILL = f"""
    WITH held AS MATERIALIZED (
        SELECT w.id, w.account_id, w.balance FROM redemption_wallet w
        JOIN redemption_account a ON a.id = w.account_id AND a.currency = w.currency
        WHERE a.id = ANY(%(accounts)s::bigint[])
        ORDER BY w.id FOR NO KEY UPDATE OF w {{skip}}
    ), found AS (
        SELECT a.id, a.program_id, a.renews_on AS starts_on, a.plan, a.currency, a.has_payment_method, a.premium_until,
            {_anchor("a.premium_until", "a.premium_anchor_day")} AS premium_anchor,
            {_anchor("a.renews_on", "a.renewal_anchor_day")} AS anchor,
            r.price, held.id AS wallet_id, least(coalesce(held.balance, 0), r.price) AS credit,
            i.status AS known, i.ends_on AS known_until
        FROM redemption_account a
        JOIN redemption_planprice r ON r.program_id = a.program_id AND r.plan = a.plan AND r.currency = a.currency
        LEFT JOIN redemption_wallet w ON w.account_id = a.id AND w.currency = a.currency
        LEFT JOIN held ON held.id = w.id
        -- One by one, by its index: the planner would read every invoice there is for a few thousand.
        LEFT JOIN LATERAL (SELECT status, ends_on FROM redemption_invoice
            WHERE account_id = a.id AND starts_on = a.renews_on LIMIT 1) AS i ON true
        WHERE a.id = ANY(%(accounts)s::bigint[]) AND (w.id IS NULL OR held.id IS NOT NULL)
    ), reckoned AS MATERIALIZED (
        SELECT id, program_id, starts_on, {_NEXT} AS ends_on, anchor, plan, currency, premium_until, premium_anchor,
            price, wallet_id, known, known_until, row_number() OVER () AS number,
            CASE WHEN premium_until > starts_on THEN 'covered'
                WHEN known IS NOT NULL THEN 'known'
                WHEN credit = price THEN 'paid'
                WHEN has_payment_method THEN 'due'
                ELSE 'fallen' END AS outcome,
            CASE WHEN premium_until > starts_on OR known IS NOT NULL OR credit < price AND NOT has_payment_method
                THEN 0 ELSE credit END AS credit
        FROM found
    ), invoiced AS (
        INSERT INTO redemption_invoice (account_id, reference, starts_on, ends_on, plan, currency, price, from_credit,
            due, status, at, settled_at)
        SELECT r.id, made.reference, r.starts_on, r.ends_on, r.plan, r.currency, r.price, r.credit, r.price - r.credit,
            CASE r.outcome WHEN 'fallen' THEN 'failed' ELSE r.outcome END, %(now)s::timestamptz,
            CASE WHEN r.outcome <> 'due' THEN %(now)s::timestamptz END
        FROM reckoned r
        JOIN unnest(%(references)s::text[]) WITH ORDINALITY AS made (reference, number) ON made.number = r.number
        WHERE r.outcome IN ('paid', 'due', 'fallen')
    ), lowered AS (
        UPDATE redemption_wallet w SET balance = w.balance - r.credit FROM reckoned r
        WHERE w.id = r.wallet_id AND r.credit > 0
    ), posted AS (
        INSERT INTO redemption_transfer (debit, credit, wallet_id, amount, currency, kind, source, program_id,
            effective_at, recorded_at)
        SELECT 'customer_credit', 'revenue', wallet_id, credit, currency, 'renewal',
            'invoice:' || id || ':' || starts_on, program_id, %(now)s::timestamptz, %(now)s::timestamptz
        FROM reckoned WHERE credit > 0
    ), moved AS (
        UPDATE redemption_account a SET version = a.version + 1,
            renews_on = CASE r.outcome WHEN 'covered' THEN r.premium_until WHEN 'fallen' THEN NULL
                -- A month that failed is not billed again: whoever is back since begins the day after.
                WHEN 'known' THEN CASE r.known WHEN 'failed' THEN r.starts_on + 1 ELSE r.known_until END
                ELSE r.ends_on END,
            renewal_anchor_day = CASE r.outcome WHEN 'covered' THEN r.premium_anchor WHEN 'fallen' THEN NULL
                WHEN 'known' THEN CASE r.known WHEN 'failed' THEN NULL ELSE r.anchor END
                ELSE r.anchor END,
            plan = CASE r.outcome WHEN 'fallen' THEN 'free' ELSE a.plan END,
            billing_provider = CASE r.outcome WHEN 'fallen' THEN 'none' ELSE a.billing_provider END,
            had_premium = a.had_premium OR r.outcome = 'paid'
        FROM reckoned r WHERE a.id = r.id
    )
    SELECT outcome, currency, count(*), sum(credit)::bigint FROM reckoned GROUP BY outcome, currency
"""

_WITHOUT_PRICE = """
    SELECT count(*) FROM redemption_account a
    JOIN unnest(%(programs)s::bigint[], %(todays)s::date[]) AS p (id, today) ON p.id = a.program_id
    WHERE a.renews_on <= p.today AND a.billing_provider = 'direct' AND a.plan <> 'free'
        AND NOT EXISTS (SELECT FROM redemption_planprice r
            WHERE r.program_id = a.program_id AND r.plan = a.plan AND r.currency = a.currency)
"""


def renew(*, now: datetime | None = None, chunk: int = CHUNK) -> Renewed:
    """Bills each month that is over, once, also where nights were missed: month by month, oldest first.

    Runs again without harm, and beside another run, redemptions and credits: one transaction for each `chunk` of
    accounts, so that a night that was interrupted goes on where it stopped.
    """
    now = now or timezone.now()
    done = Renewed()
    while _pass(now, chunk, done):
        pass
    # Who is left was in use each time: now one after the other, and we wait for whoever uses it.
    while _pass(now, 1, done, skip=""):
        pass
    return done


def without_price(*, now: datetime | None = None) -> int:
    """How many accounts are due on a plan that has no price in their currency: nobody bills them."""
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_PRICE, _todays(now or timezone.now()))
        return int(cursor.fetchone()[0])


def _pass(now: datetime, chunk: int, done: Renewed, *, skip: str = "SKIP LOCKED") -> bool:
    """Once through what is due, from the oldest month on. Whether anybody was billed."""
    todays = _todays(now)
    after = (date.min, 0)
    has_billed = False
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LOCK.format(skip=skip), {**todays, "day": after[0], "account": after[1], "chunk": chunk})
            locked = [(day, account) for account, day in cursor.fetchall()]
            if not locked:
                return has_billed
            cursor.execute(
                _BILL.format(skip=skip),
                {"accounts": [account for _, account in locked], "references": _references(len(locked)), "now": now},
            )
            billed = cursor.fetchall()
        done.add(billed)
        has_billed |= bool(billed)
        after = max(locked)


def _todays(now: datetime) -> dict[str, Any]:
    """The day that it is in each program's time zone."""
    todays = {program.pk: program.today(now) for program in Program.objects.order_by("pk")}
    return {
        "programs": list(todays),
        "todays": list(todays.values()),
        "latest": max(todays.values(), default=date.min),
    }


def _references(count: int) -> list[str]:
    """As invoice_reference() makes them, many at once."""
    symbols = secrets.token_bytes(12 * count).translate(_SYMBOLS).decode()
    return [
        f"IN-{symbols[at : at + 4]}-{symbols[at + 4 : at + 8]}-{symbols[at + 8 : at + 12]}"
        for at in range(0, 12 * count, 12)
    ]


def settle(*, invoice: Invoice, is_paid: bool, by: User, now: datetime | None = None) -> Invoice:
    """The platform says what its payment method made of a due invoice, once; the same again changes nothing.

    Not paid: what credit had paid of it is given back, and the account falls to Free. Raises SettledOtherwiseError
    where the other was said before.
    """
    now = now or timezone.now()
    with transaction.atomic():
        # The account first, as renew() and redeem() lock it: of two answers at once, the second waits and finds it
        # settled.
        account = Account.objects.select_for_update(no_key=True).get(pk=invoice.account_id)
        due = Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
        if due.status != InvoiceStatus.DUE:
            if (due.status == InvoiceStatus.PAID) != is_paid:
                raise SettledOtherwiseError(f"This invoice was settled before: {due.get_status_display().lower()}.")
            return due
        due.status = InvoiceStatus.PAID if is_paid else InvoiceStatus.FAILED
        due.settled_at = now
        due.save(update_fields=["status", "settled_at"])
        if is_paid:
            account.had_premium = True
            account.save(update_fields=["had_premium"])
        else:
            _give_back(due, now)
            _fall(account, due)
        trail.tell("invoice_settled", by=by, target=f"invoice:{due.pk}", account=account.pk, status=str(due.status))
    return due


def _give_back(invoice: Invoice, now: datetime) -> None:
    if invoice.from_credit:
        paid = Transfer.objects.get(
            kind=TransferKind.RENEWAL, source=f"invoice:{invoice.account_id}:{invoice.starts_on}"
        )
        ledger.reverse(paid, now=now)


def _fall(account: Account, unpaid: Invoice) -> None:
    """To Free; not where a later month is paid or may still be, or somebody else bills the account by now: the last
    month that is settled decides."""
    open_or_paid = (InvoiceStatus.DUE, InvoiceStatus.PAID)
    later = Invoice.objects.filter(account=account, starts_on__gt=unpaid.starts_on, status__in=open_or_paid)
    if account.billing_provider != BillingProvider.DIRECT or later.exists():
        return
    account.plan, account.billing_provider = Plan.FREE, BillingProvider.NONE
    account.renews_on = account.renewal_anchor_day = None
    account.save(update_fields=["plan", "billing_provider", "renews_on", "renewal_anchor_day"])
