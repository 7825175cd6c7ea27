"""What `manage.py reconcile` proves of credits: each moved what it says, and nothing was moved that no credit says."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from redemption.reconcile import Line

# By currency: what the rows of the desk say, and what the ledger has moved.
_SUMS = {
    "credits granted": (
        "SELECT unit, sum(amount) FROM support_manualcredit WHERE unit <> 'days' AND moves_id IS NULL GROUP BY unit",
        "SELECT currency, sum(amount) FROM redemption_transfer"
        " WHERE kind = 'manual_credit' AND debit = 'goodwill' GROUP BY currency",
    ),
    "credits taken back": (
        "SELECT unit, sum(amount) FROM support_creditreversal"
        " WHERE unit <> 'days' AND credit_id IS NOT NULL GROUP BY unit",
        "SELECT t.currency, sum(t.amount) FROM redemption_transfer t JOIN redemption_transfer o ON o.id = t.reverses_id"
        " WHERE o.kind = 'manual_credit' GROUP BY t.currency",
    ),
    "taken back to be moved": (
        "SELECT unit, sum(amount) FROM support_creditreversal"
        " WHERE unit <> 'days' AND redemption_id IS NOT NULL GROUP BY unit",
        "SELECT t.currency, sum(t.amount) FROM redemption_transfer t JOIN redemption_transfer o ON o.id = t.reverses_id"
        " WHERE o.kind = 'redeem' GROUP BY t.currency",
    ),
    "moved": (
        "SELECT unit, sum(amount) FROM support_manualcredit"
        " WHERE unit <> 'days' AND moves_id IS NOT NULL GROUP BY unit",
        "SELECT currency, sum(amount) FROM redemption_transfer"
        " WHERE kind = 'manual_credit' AND debit = 'liability' GROUP BY currency",
    ),
}

# Facts that must never be, each with the number of its cases.
_IMPOSSIBLE = {
    "credits whose transfer is another": """
        SELECT count(*) FROM support_manualcredit c JOIN redemption_transfer t ON t.id = c.transfer_id
        LEFT JOIN redemption_wallet w ON w.id = t.wallet_id
        WHERE (t.kind, t.credit, t.amount, t.currency, t.program_id, w.account_id, t.debit)
            IS DISTINCT FROM ('manual_credit', 'customer_credit', c.amount, c.unit, c.program_id, c.account_id,
                CASE WHEN c.moves_id IS NULL THEN 'goodwill' ELSE 'liability' END)""",
    "credits whose premium time is another": """
        SELECT count(*) FROM support_manualcredit c JOIN redemption_premiumgrant g ON g.id = c.premium_grant_id
        WHERE (g.days, g.account_id) IS DISTINCT FROM (c.amount, c.account_id)""",
    "reversals whose transfer is another": """
        SELECT count(*) FROM support_creditreversal r JOIN redemption_transfer t ON t.id = r.transfer_id
        LEFT JOIN support_manualcredit c ON c.id = r.credit_id
        LEFT JOIN redemption_redemption d ON d.id = r.redemption_id
        LEFT JOIN redemption_transfer given ON given.kind = 'redeem' AND given.source = 'code:' || d.code_id
        WHERE (t.amount, t.currency, t.reverses_id) IS DISTINCT FROM
            (r.amount, r.unit, coalesce(c.transfer_id, given.id))""",
    "premium time taken back that nobody says": """
        SELECT count(*) FROM redemption_premiumgrant g
        LEFT JOIN support_manualcredit c ON c.premium_grant_id = g.id
        LEFT JOIN support_creditreversal r ON r.unit = 'days'
            AND (r.credit_id = c.id OR r.redemption_id = g.redemption_id)
        WHERE g.taken_back <> coalesce(r.amount, 0)""",
    "moves that gave another amount than they took": """
        SELECT count(*) FROM support_manualcredit c JOIN support_creditreversal r ON r.id = c.moves_id
        WHERE (c.amount, c.unit, c.approval_id) IS DISTINCT FROM (r.amount, r.unit, r.approval_id)""",
    "cards taken back and not moved": """
        SELECT count(*) FROM support_creditreversal r LEFT JOIN support_manualcredit c ON c.moves_id = r.id
        WHERE r.redemption_id IS NOT NULL AND c.id IS NULL""",
    "credits that are not what was approved": """
        SELECT count(*) FROM support_manualcredit c JOIN redemption_approval a ON a.id = c.approval_id
        JOIN redemption_approvalrequest q ON q.id = a.request_id
        WHERE a.decision <> 'approved' OR a.requested_by_id <> c.granted_by_id OR a.payload_hash <> q.payload_hash
            OR a.action <> CASE WHEN c.moves_id IS NULL THEN 'credit' ELSE 'move' END
            OR a.action = 'credit' AND (q.payload ->> 'amount', q.payload ->> 'unit', q.payload ->> 'account')
                IS DISTINCT FROM (c.amount::text, c.unit::text, c.account_id::text)""",
    "approved credits that were never granted": """
        SELECT count(*) FROM redemption_approval a LEFT JOIN support_manualcredit c ON c.approval_id = a.id
        WHERE a.action IN ('credit', 'move') AND a.decision = 'approved' AND c.id IS NULL""",
    "approved reversals that never were": """
        SELECT count(*) FROM redemption_approval a LEFT JOIN support_creditreversal r ON r.approval_id = a.id
        WHERE a.action IN ('reversal', 'move') AND a.decision = 'approved' AND r.id IS NULL""",
    "credits to whoever granted or approved them": """
        SELECT count(*) FROM support_manualcredit c LEFT JOIN redemption_approval a ON a.id = c.approval_id
        WHERE c.granted_by_id = ANY(c.customers) OR a.decided_by_id = ANY(c.customers)
            OR a.decided_by_id = c.granted_by_id""",
}


def lines() -> Iterator[Line]:
    """Every comparison, agreeing or not, as of now."""
    with connection.cursor() as cursor:
        for what, queries in _SUMS.items():
            said, moved = ({unit: int(total) for unit, total in _rows(cursor, sql)} for sql in queries)
            for currency in sorted({*said, *moved}):
                yield Line(what, currency, said.get(currency, 0), moved.get(currency, 0))
        for what, sql in _IMPOSSIBLE.items():
            yield Line(what, "", 0, _rows(cursor, sql)[0][0])


def _rows(cursor: CursorWrapper, sql: str) -> list[Any]:
    cursor.execute(sql)
    rows: list[Any] = cursor.fetchall()
    return rows
