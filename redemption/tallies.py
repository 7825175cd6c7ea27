"""Batches' figures, rolled up from the append-only records, so that no page counts codes.

Rows are taken by the id of the transaction that wrote them, below the oldest one still running: ids from sequences
commit out of order, and would lose some.
"""

from django.db import connection, transaction

_ROLL_UP = """
    WITH bounds AS (
        SELECT xact AS low, pg_snapshot_xmin(pg_current_snapshot()) AS high FROM redemption_tallymark
        WHERE id = 1
    ), happened AS (
        SELECT e.batch_id, e.kind, e.first_serial, e.last_serial - e.first_serial + 1 AS cards, e.at
        FROM redemption_cardevent e, bounds WHERE e.xact >= low AND e.xact < high
    ), made AS (
        -- Standing batches grow card by card; printed ones were counted when they were issued.
        SELECT batch_id, sum(cards) AS cards FROM happened WHERE kind IN ('succeeded', 'sent') GROUP BY batch_id
    ), activated AS (
        SELECT batch_id, sum(CASE WHEN kind = 'activated' THEN cards ELSE -cards END) AS cards
        FROM happened WHERE kind IN ('activated', 'deactivated') GROUP BY batch_id
    ), handed_on AS (
        -- A replacement posts nothing, but what is owed moves from the card's batch to its successor's, if it was sold.
        SELECT h.batch_id, sum(CASE WHEN h.kind = 'succeeded' THEN i.value ELSE -i.value END) AS amount,
            count(*) FILTER (WHERE h.kind = 'succeeded') AS cards
        FROM happened h
        JOIN redemption_replacement i
            ON h.first_serial = CASE WHEN h.kind = 'succeeded' THEN i.successor_id ELSE i.original_id END
        JOIN redemption_code s ON s.serial = i.successor_id AND s.activated_at = i.at
        WHERE h.kind IN ('succeeded', 'replaced') GROUP BY h.batch_id
    ), tried AS (
        SELECT c.batch_id, count(*) FILTER (WHERE outcome = 'redeemed') AS redeemed,
            count(*) FILTER (WHERE outcome = 'refused') AS refused
        FROM redemption_attempt a JOIN redemption_code c ON c.serial = a.code_id, bounds
        WHERE a.xact >= low AND a.xact < high GROUP BY c.batch_id
    ), moved AS (
        SELECT batch_id, sum(CASE WHEN credit = 'liability' THEN amount ELSE -amount END) AS amount
        FROM redemption_transfer, bounds
        WHERE xact >= low AND xact < high AND batch_id IS NOT NULL AND 'liability' IN (debit, credit) GROUP BY batch_id
    ), added AS (
        SELECT b.id, coalesce(made.cards, 0) AS made,
            coalesce(activated.cards, 0) + coalesce(handed_on.cards, 0) AS activated,
            coalesce(tried.redeemed, 0) AS redeemed, coalesce(tried.refused, 0) AS refused,
            coalesce(moved.amount, 0) + coalesce(handed_on.amount, 0) AS amount
        FROM redemption_batch b LEFT JOIN made ON made.batch_id = b.id
        LEFT JOIN activated ON activated.batch_id = b.id LEFT JOIN handed_on ON handed_on.batch_id = b.id
        LEFT JOIN tried ON tried.batch_id = b.id LEFT JOIN moved ON moved.batch_id = b.id
        WHERE coalesce(made.batch_id, activated.batch_id, handed_on.batch_id, tried.batch_id, moved.batch_id)
            IS NOT NULL
    ), counted AS (
        -- A sale that was taken back counts down; the row to insert, which is checked first, must not go below none.
        INSERT INTO redemption_batchtally AS t (batch_id, issued, activated, redeemed, refused, outstanding)
        SELECT id, made, greatest(activated, 0), redeemed, refused, amount FROM added
        ON CONFLICT (batch_id) DO UPDATE SET issued = t.issued + EXCLUDED.issued,
            activated = t.activated + (SELECT activated FROM added WHERE added.id = t.batch_id),
            redeemed = t.redeemed + EXCLUDED.redeemed,
            refused = t.refused + EXCLUDED.refused, outstanding = t.outstanding + EXCLUDED.outstanding
    )
    UPDATE redemption_tallymark SET xact = bounds.high, at = now() FROM bounds WHERE id = 1
"""


def roll_up() -> None:
    """Adds what was written since the last time. Each minute; two at once do it one after the other."""
    with transaction.atomic(), connection.cursor() as cursor:
        # The lock comes in a statement of its own: the bounds must be read in a snapshot taken after it.
        # The mark exists before it is locked: a missing row locks nothing.
        cursor.execute("INSERT INTO redemption_tallymark (id, xact, at) VALUES (1, '0', now()) ON CONFLICT DO NOTHING")
        cursor.execute("SELECT FROM redemption_tallymark WHERE id = 1 FOR UPDATE")
        cursor.execute(_ROLL_UP)
