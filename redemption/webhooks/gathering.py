"""What happened, read from the records that say so, and put on its way to whoever hears of it.

Nothing that redeems, credits or freezes knows of webhooks, waits for them or fails with them. Records are taken by the
id of the transaction that wrote them, below the oldest one still running, as redemption.tallies takes them: none is
missed, however late its transaction ended.
"""

from django.db import connection, transaction

from redemption.models import WebhookKind

_MARK = 1

# Each gives program_id, source, data and happened_at of what was written from one transaction id to another. What is
# told are references, serial numbers and amounts in minor units: no code, no name, no e-mail address, nobody's words.
_RECORDS = {
    WebhookKind.REDEEMED: """
        SELECT a.program_id, 'redemption:' || r.id AS source, r.at AS happened_at, jsonb_build_object(
            'account', c.reference, 'attempt', a.reference, 'serial', r.code_id, 'product', d.sku,
            'value', r.value, 'currency', r.currency, 'months', r.months, 'days', r.days, 'channel', a.channel) AS data
        FROM redemption_attempt a JOIN redemption_redemption r ON r.attempt_id = a.id
        JOIN redemption_account c ON c.id = r.account_id JOIN redemption_batch b ON b.id = r.batch_id
        JOIN redemption_product d ON d.id = b.product_id
        WHERE a.xact >= %(low)s::xid8 AND a.xact < %(high)s::xid8 AND a.outcome = 'redeemed'""",
    WebhookKind.CREDITED: """
        SELECT t.program_id, 'transfer:' || t.id AS source, t.recorded_at AS happened_at, jsonb_build_object(
            'account', c.reference, 'transfer', t.id, 'kind', t.kind, 'currency', t.currency,
            'amount', CASE WHEN t.credit = 'customer_credit' THEN t.amount ELSE -t.amount END,
            'reverses', t.reverses_id) AS data
        FROM redemption_transfer t JOIN redemption_wallet w ON w.id = t.wallet_id
        JOIN redemption_account c ON c.id = w.account_id
        WHERE t.xact >= %(low)s::xid8 AND t.xact < %(high)s::xid8
            AND t.kind IN ('manual_credit', 'reversal', 'replace')""",
    WebhookKind.FROZEN: """
        SELECT d.program_id, 'card_event:' || e.id AS source, e.at AS happened_at, jsonb_build_object(
            'first_serial', e.first_serial, 'last_serial', e.last_serial, 'batch', b.reference,
            'whole_batch', e.kind = 'batch_frozen') AS data
        FROM redemption_cardevent e JOIN redemption_batch b ON b.id = e.batch_id
        JOIN redemption_product d ON d.id = b.product_id
        WHERE e.xact >= %(low)s::xid8 AND e.xact < %(high)s::xid8 AND e.kind IN ('frozen', 'batch_frozen')""",
    WebhookKind.REPLACED: """
        SELECT d.program_id, 'card_event:' || e.id AS source, e.at AS happened_at, jsonb_build_object(
            'serial', i.original_id, 'successor', i.successor_id, 'value', i.value, 'currency', i.currency) AS data
        FROM redemption_cardevent e JOIN redemption_replacement i ON i.original_id = e.first_serial
        JOIN redemption_batch b ON b.id = e.batch_id JOIN redemption_product d ON d.id = b.product_id
        WHERE e.xact >= %(low)s::xid8 AND e.xact < %(high)s::xid8 AND e.kind = 'replaced'""",
    WebhookKind.INVOICE_DUE: """
        SELECT c.program_id, 'invoice:' || v.id AS source, v.at AS happened_at, jsonb_build_object(
            'account', c.reference, 'invoice', v.reference, 'plan', v.plan, 'starts_on', v.starts_on,
            'ends_on', v.ends_on, 'price', v.price, 'from_credit', v.from_credit, 'due', v.due,
            'currency', v.currency) AS data
        FROM redemption_invoice v JOIN redemption_account c ON c.id = v.account_id
        WHERE v.xact >= %(low)s::xid8 AND v.xact < %(high)s::xid8 AND v.status = 'due'""",
}

# Crockford's symbols and the bytes of a random UUID that are random altogether: a reference such as random_reference()
# makes, for each row.
_PLACES = (0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14)
_SYMBOLS = [f"substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(noise, {place}) & 31), 1)" for place in _PLACES]
_REFERENCE = " || '-' || ".join(["'WH'", *(" || ".join(_SYMBOLS[at : at + 4]) for at in (0, 4, 8))])

# One event for a record, and one delivery for everybody who hears of its kind: both at once, or neither.
_TELL = f"""
    WITH heard AS (
        SELECT id, program_id FROM redemption_webhookendpoint WHERE is_active AND %(kind)s::text = ANY(kinds)
    ), happened AS (
        SELECT h.*, p.slug, uuid_send(gen_random_uuid()) AS noise FROM ({{records}}) AS h
        JOIN redemption_program p ON p.id = h.program_id
        WHERE EXISTS (SELECT FROM heard WHERE heard.program_id = h.program_id)
    ), told AS (
        INSERT INTO redemption_webhookevent (program_id, kind, reference, source, data, happened_at)
        SELECT program_id, %(kind)s::text, {_REFERENCE}, source, jsonb_build_object('program', slug) || data,
            happened_at
        FROM happened ON CONFLICT (source) DO NOTHING
        RETURNING id, program_id
    )
    INSERT INTO redemption_webhookdelivery
        (event_id, endpoint_id, status, tries, waiting_since, not_before, last_answer)
    SELECT told.id, heard.id, 'waiting', 0, now(), now(), '' FROM told JOIN heard USING (program_id)
    ORDER BY told.id, heard.id
"""


def begin() -> None:
    """From now on it is looked what happens. Called before the first endpoint there is: what went before is told to
    nobody."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO redemption_webhookmark (id, xact, at) VALUES (%s, pg_snapshot_xmin(pg_current_snapshot()),"
            " now()) ON CONFLICT DO NOTHING",
            [_MARK],
        )


def gather() -> int:
    """Takes what was written since the last time, and returns how many deliveries that makes. Two at once do it one
    after the other."""
    with transaction.atomic(), connection.cursor() as cursor:
        # As in redemption.tallies: the row exists before it is locked, and is locked before the bounds are read.
        begin()
        cursor.execute("SELECT xact::text FROM redemption_webhookmark WHERE id = %s FOR UPDATE", [_MARK])
        (low,) = cursor.fetchone()
        # Later statements see more; what they read lies below this bound, where nothing can come to it.
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        (high,) = cursor.fetchone()
        made = 0
        for kind, records in _RECORDS.items():
            cursor.execute(_TELL.format(records=records), {"kind": kind.value, "low": low, "high": high})
            made += cursor.rowcount
        cursor.execute(
            "UPDATE redemption_webhookmark SET xact = %s::xid8, at = now() WHERE id = %s",
            [high, _MARK],
        )
    return made
