"""The ledger and the tries by days (UTC). What was rolled up is read together with what has been written since, in one
statement: figures are exact at any moment, and no page reads millions of records.

Rows are taken as redemption.tallies takes them, below the oldest transaction still running.
"""

from django.db import connection, transaction

# Of the tally marks, the one that says how far days are rolled up.
MARK = 2

# The comparison with the last number there is makes the planner expect few rows: without statistics of what the mark
# will be, one alone would count as a third of the table.
_SINCE = f"""xact >= coalesce((SELECT xact FROM redemption_tallymark WHERE id = {MARK}), '0'::xid8)
    AND xact < '18446744073709551615'::xid8"""

# Relations to select from: (day, program_id, currency, kind, debit, credit, count, amount), several rows a day ...
LEDGER = f"""(
    SELECT day, program_id, currency, kind, debit, credit, count, amount FROM redemption_ledgerday
    UNION ALL
    SELECT (effective_at AT TIME ZONE 'UTC')::date, program_id, currency, kind, debit, credit, 1, amount
    FROM redemption_transfer WHERE {_SINCE}
) AS ledger"""
# ... and (day, program_id, outcome, reason, count).
TRIES = f"""(
    SELECT day, program_id, outcome, reason, count FROM redemption_attemptday
    UNION ALL
    SELECT (at AT TIME ZONE 'UTC')::date, program_id, outcome, reason, 1 FROM redemption_attempt WHERE {_SINCE}
) AS tries"""

_ROLL_UP = f"""
    WITH bounds AS (
        SELECT xact AS low, pg_snapshot_xmin(pg_current_snapshot()) AS high FROM redemption_tallymark WHERE id = {MARK}
    ), moved AS (
        INSERT INTO redemption_ledgerday AS t (day, program_id, currency, kind, debit, credit, count, amount)
        SELECT (effective_at AT TIME ZONE 'UTC')::date, program_id, currency, kind, debit, credit, count(*), sum(amount)
        FROM redemption_transfer, bounds WHERE xact >= low AND xact < high
        GROUP BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (day, program_id, currency, kind, debit, credit)
            DO UPDATE SET count = t.count + EXCLUDED.count, amount = t.amount + EXCLUDED.amount
    ), tried AS (
        INSERT INTO redemption_attemptday AS t (day, program_id, outcome, reason, count)
        SELECT (a.at AT TIME ZONE 'UTC')::date, program_id, outcome, reason, count(*)
        FROM redemption_attempt a, bounds WHERE xact >= low AND xact < high
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (day, program_id, outcome, reason) DO UPDATE SET count = t.count + EXCLUDED.count
    )
    UPDATE redemption_tallymark SET xact = bounds.high, at = now() FROM bounds WHERE id = {MARK}
"""


def roll_up() -> None:
    """Adds what was written since the last time. Each minute; two at once do it one after the other."""
    with transaction.atomic(), connection.cursor() as cursor:
        # As in redemption.tallies: the row exists before it is locked, and is locked before the bounds are read.
        cursor.execute(
            "INSERT INTO redemption_tallymark (id, xact, at) VALUES (%s, '0', now()) ON CONFLICT DO NOTHING", [MARK]
        )
        cursor.execute("SELECT FROM redemption_tallymark WHERE id = %s FOR UPDATE", [MARK])
        cursor.execute(_ROLL_UP)
