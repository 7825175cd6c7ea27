"""The proof that money is right: transfers, wallets, liability and cards tell the same, now and on any past date."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison; amounts in minor units. `what` names the program, wallet or book."""

    what: str
    currency: str
    expected: int
    found: int

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


# Comparisons of what is built on the ledger, which add themselves: prove() makes them as well.
MORE: list[Callable[[], Iterable[Line]]] = []

_NET = "CASE WHEN credit = %(book)s THEN amount ELSE -amount END"

_LIABILITY = f"""
    SELECT p.name, t.currency, sum({_NET}) FROM redemption_transfer t JOIN redemption_program p ON p.id = t.program_id
    WHERE %(book)s IN (t.debit, t.credit) AND t.effective_at <= %(as_of)s
    GROUP BY p.name, t.currency
"""

# What the cards say was owed at a moment: each card that was sold by then, not redeemed, not ended, and not past the
# expiry that was in force then. Read from statuses, redemptions, events and expiries, never from transfers.
_CARDS = """
    WITH held AS (
        SELECT serial, batch_id FROM redemption_code WHERE activated_at <= %(as_of)s
        UNION ALL
        -- Sold then, and taken back at the till since.
        SELECT first_serial, batch_id FROM redemption_cardevent
        WHERE kind = 'deactivated' AND (details ->> 'activated_at')::timestamptz <= %(as_of)s AND at > %(as_of)s
    ), sold AS (
        SELECT c.serial, c.batch_id, p.id AS program_id, p.name, p.time_zone, b.currency,
            CASE WHEN b.purpose = 'replacements' THEN i.value ELSE b.value END AS value,
            coalesce(
                (SELECT (e.details ->> 'from')::date FROM redemption_cardevent e
                    WHERE e.batch_id = b.id AND e.kind = 'extended' AND e.at > %(as_of)s
                        AND c.serial BETWEEN e.first_serial AND e.last_serial ORDER BY e.at, e.id LIMIT 1),
                CASE WHEN b.purpose = 'replacements' THEN i.expires_on ELSE b.expires_on END) AS expires_on
        FROM held c JOIN redemption_batch b ON b.id = c.batch_id
        JOIN redemption_product d ON d.id = b.product_id JOIN redemption_program p ON p.id = d.program_id
        LEFT JOIN redemption_replacement i ON i.successor_id = c.serial
    ), gone AS (
        SELECT code_id AS serial FROM redemption_redemption WHERE at <= %(as_of)s
        UNION
        SELECT original_id FROM redemption_replacement WHERE at <= %(as_of)s
        UNION
        SELECT c.serial FROM redemption_cardevent e
        JOIN redemption_code c ON c.serial BETWEEN e.first_serial AND e.last_serial
        WHERE e.kind = 'voided' AND e.at <= %(as_of)s
    ), broken AS (
        -- Breakage waits for its nightly run: until then an expired card still counts as owed.
        SELECT t.code_id AS serial FROM redemption_transfer t
        WHERE t.kind = 'breakage' AND t.effective_at <= %(as_of)s
            AND NOT EXISTS (
                SELECT FROM redemption_transfer r WHERE r.reverses_id = t.id AND r.effective_at <= %(as_of)s)
    )
    SELECT sold.name, sold.currency, sum(sold.value) FILTER (WHERE broken.serial IS NULL),
        count(*) FILTER (WHERE broken.serial IS NOT NULL AND (sold.expires_on IS NULL
            OR (sold.expires_on + 1)::timestamp AT TIME ZONE sold.time_zone > %(as_of)s))
    FROM sold LEFT JOIN gone ON gone.serial = sold.serial LEFT JOIN broken ON broken.serial = sold.serial
    WHERE gone.serial IS NULL
    GROUP BY sold.name, sold.currency
"""

_WALLETS = """
    SELECT w.id, w.currency, w.balance,
        coalesce(sum(CASE WHEN t.credit = 'customer_credit' THEN t.amount ELSE -t.amount END), 0)
    FROM redemption_wallet w LEFT JOIN redemption_transfer t ON t.wallet_id = w.id
    GROUP BY w.id, w.currency, w.balance
    HAVING w.balance <> coalesce(sum(CASE WHEN t.credit = 'customer_credit' THEN t.amount ELSE -t.amount END), 0)
    ORDER BY w.id
"""
_WALLET_TOTALS = "SELECT currency, sum(balance) FROM redemption_wallet GROUP BY currency"
_CREDIT_TOTALS = f"""
    SELECT currency, sum({_NET}) FROM redemption_transfer WHERE %(book)s IN (debit, credit) GROUP BY currency
"""

_VOIDED = """SELECT v.serial FROM redemption_cardevent e
            JOIN redemption_code v ON v.serial BETWEEN e.first_serial AND e.last_serial WHERE e.kind = 'voided'"""

# Facts that must never be, each with the number of its cases.
_IMPOSSIBLE = {
    "redeemed cards without a redemption": """
        SELECT count(*) FROM redemption_code c LEFT JOIN redemption_redemption r ON r.code_id = c.serial
        WHERE c.status = 2 AND r.id IS NULL""",
    "redemptions of cards that are not redeemed": """
        SELECT count(*) FROM redemption_redemption r JOIN redemption_code c ON c.serial = r.code_id
        WHERE c.status <> 2""",
    "redemptions without their transfer": """
        SELECT count(*) FROM redemption_redemption r
        LEFT JOIN redemption_transfer t ON t.kind = 'redeem' AND t.source = 'code:' || r.code_id
        WHERE r.value > 0 AND (t.id IS NULL OR t.amount <> r.value)""",
    "sold cards without their transfer": """
        SELECT count(*) FROM redemption_code c JOIN redemption_batch b ON b.id = c.batch_id
        LEFT JOIN redemption_transfer t ON t.kind = 'activate' AND t.source = 'code:' || c.serial
        WHERE c.activated_at IS NOT NULL AND b.value > 0 AND b.purpose <> 'replacements' AND t.id IS NULL""",
    "premium redemptions without their grant": """
        SELECT count(*) FROM redemption_redemption r LEFT JOIN redemption_premiumgrant g ON g.redemption_id = r.id
        WHERE r.months + r.days > 0 AND g.id IS NULL""",
    "replaced cards without a successor": """
        SELECT count(*) FROM redemption_code c LEFT JOIN redemption_replacement i ON i.original_id = c.serial
        WHERE c.status = 5 AND i.id IS NULL""",
    "replacements of cards that are not replaced": """
        SELECT count(*) FROM redemption_replacement i JOIN redemption_code c ON c.serial = i.original_id
        WHERE c.status NOT IN (2, 5)""",
    "void cards that nobody voided": f"""
        SELECT count(*) FROM redemption_code c LEFT JOIN ({_VOIDED}) voided ON voided.serial = c.serial
        WHERE c.status = 4 AND voided.serial IS NULL""",
    "voided cards that are not void": f"""
        SELECT count(*) FROM redemption_code c JOIN ({_VOIDED}) voided ON voided.serial = c.serial
        WHERE c.status <> 4""",
    "expired cards without their breakage": """
        SELECT count(*) FROM redemption_code c JOIN redemption_batch b ON b.id = c.batch_id
        LEFT JOIN redemption_replacement i ON i.successor_id = c.serial
        WHERE c.status IN (1, 3) AND c.activated_at IS NOT NULL
            AND CASE WHEN b.purpose = 'replacements' THEN i.breakage_posted_for IS NOT NULL AND i.value > 0
                ELSE b.breakage_posted_for IS NOT NULL AND b.value > 0 END
            AND NOT EXISTS (SELECT FROM redemption_transfer t WHERE t.code_id = c.serial AND t.kind = 'breakage'
                AND NOT EXISTS (SELECT FROM redemption_transfer r WHERE r.reverses_id = t.id))""",
    "cards that left the liability twice": """
        SELECT count(*) FROM (
            SELECT t.code_id FROM redemption_transfer t
            WHERE 'liability' IN (t.debit, t.credit) AND t.code_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM redemption_replacement i WHERE i.successor_id = t.code_id)
            GROUP BY t.code_id HAVING sum(CASE WHEN t.credit = 'liability' THEN t.amount ELSE -t.amount END) < 0
        ) AS twice""",
    "accounts whose premium end is not their grants'": """
        SELECT count(*) FROM redemption_account a
        WHERE a.premium_until IS DISTINCT FROM
            (SELECT max(upper(period)) FROM redemption_premiumgrant g WHERE g.account_id = a.id)
            AND EXISTS (SELECT FROM redemption_premiumgrant g WHERE g.account_id = a.id)""",
    "invoices whose credit did not move as they say": """
        SELECT count(*) FROM redemption_invoice i
        LEFT JOIN redemption_transfer t ON t.kind = 'renewal'
            AND t.source = 'invoice:' || i.account_id || ':' || i.starts_on
        LEFT JOIN redemption_wallet w ON w.id = t.wallet_id
        LEFT JOIN redemption_transfer r ON r.reverses_id = t.id
        WHERE coalesce(t.amount, 0) <> i.from_credit
            OR (r.id IS NOT NULL) <> (i.status = 'failed' AND i.from_credit > 0)
            OR t.id IS NOT NULL AND (w.account_id, t.currency) IS DISTINCT FROM (i.account_id, i.currency)""",
    "months paid from credit without their invoice": """
        SELECT count(*) FROM redemption_transfer t WHERE t.kind = 'renewal' AND t.source LIKE 'invoice:%%'
            AND NOT EXISTS (SELECT FROM redemption_invoice i
                WHERE t.source = 'invoice:' || i.account_id || ':' || i.starts_on)""",
}


def _rows(sql: str, **parameters: Any) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: Sequence[Any] = cursor.fetchall()
    return rows


def ledger_liability(*, as_of: datetime) -> dict[tuple[str, str], int]:
    """What the transfers say was owed at a moment, in minor units by a program's name and a currency."""
    found = _rows(_LIABILITY, book="liability", as_of=as_of)
    return {(name, currency): int(total) for name, currency, total in found}


def reconcile(*, as_of: datetime | None = None) -> list[Line]:
    """Every comparison, agreeing or not. Liability is compared as of any moment; wallets and what must never be, as of
    now, because they keep no past."""
    moment = as_of or timezone.now()
    liability = ledger_liability(as_of=moment)
    cards = _rows(_CARDS, as_of=moment)
    owed = {(name, currency): total for name, currency, total, _ in cards if total}
    lines = [
        Line(
            f"liability of {name}",
            currency,
            int(owed.get((name, currency), 0)),
            liability.get((name, currency), 0),
        )
        for name, currency in sorted({*liability, *owed})
    ]
    lines.append(Line("cards broken before their expiry", "", 0, sum(row[3] for row in cards)))
    if as_of is None:
        credit = {currency: int(total) for currency, total in _rows(_CREDIT_TOTALS, book="customer_credit")}
        balances = {currency: int(total) for currency, total in _rows(_WALLET_TOTALS)}
        lines += [
            Line("all wallets", currency, credit.get(currency, 0), balances.get(currency, 0))
            for currency in sorted({*credit, *balances})
        ]
        lines += [
            Line(f"wallet {pk}", currency, int(moved), int(kept)) for pk, currency, kept, moved in _rows(_WALLETS)
        ]
        lines += [Line(what, "", 0, _rows(sql)[0][0]) for what, sql in _IMPOSSIBLE.items()]
    return lines


def prove(*, as_of: datetime | None = None) -> list[Line]:
    """reconcile(), and as of now whatever else says that it moved money."""
    more = [line for compare in MORE for line in compare()] if as_of is None else []
    return reconcile(as_of=as_of) + more
