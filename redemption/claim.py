"""The statements of redeem(): what stands in for the ORM where every round trip counts.

They write redemption_attempt, _redemption, _transfer, _wallet, _premiumgrant, _account, _code, _idempotencykey and
_throttle; tests/redemption/test_redeem.py holds what they write to what the models say.
"""

from functools import cache

from redemption.models import ThrottleScope
from redemption.throttle import Limit, give_back, upsert


def _one_line(sql: str) -> str:
    """psycopg parses a statement once only if it is shorter than 4096 characters."""
    return " ".join(sql.split())


# The first statement: takes the key's lease and counts the try. A key whose lease ran out runs again,
# uncounted. No row: the key is finished, running, or belongs to another request.
@cache
def begin(account: Limit, address: Limit, program: Limit) -> str:
    is_new = "(SELECT is_new FROM lease)"
    return _one_line(f"""
        WITH lease AS (
            INSERT INTO redemption_idempotencykey AS k (scope, key, request_hash, lease_until, created_at)
            VALUES (%(scope)s::text, %(key)s::text, %(request_hash)s::bytea, %(lease_until)s::timestamptz,
                %(now)s::timestamptz)
            ON CONFLICT (scope, key) DO UPDATE SET lease_until = EXCLUDED.lease_until
                WHERE k.attempt_id IS NULL AND k.lease_until <= %(now)s::timestamptz
                    AND k.request_hash = EXCLUDED.request_hash
            RETURNING id, created_at, xmax = 0 AS is_new
        ), account AS ({upsert(ThrottleScope.ACCOUNT, account, is_new)}
        ), address AS ({upsert(ThrottleScope.ADDRESS, address, is_new)}
        ), program AS ({upsert(ThrottleScope.PROGRAM, program, is_new)}
        )
        SELECT lease.id, lease.created_at, account.admitted, account.blocked_until, address.admitted,
            address.blocked_until, program.admitted, program.blocked_until
        FROM lease LEFT JOIN account ON true LEFT JOIN address ON true LEFT JOIN program ON true
    """)


# The counters of a try; of the account, how many previews of the code go with it.
_COUNTERS = """(VALUES ('account', %(account)s::bigint::text, %(previews)s::int),
    ('address', %(address_key)s::text, 0), ('program', %(program_key)s::text, 0))"""

# The moments of those previews that still count: another confirmation may have taken the place of one, and nothing is
# given back twice, nor another code's preview for this one's.
_STILL_COUNTED = """CASE WHEN k.extra = 0 THEN '{}' ELSE ARRAY(SELECT v.at FROM redemption_attempt AS v
    WHERE v.account_id = %(account)s::bigint AND v.code_id = %(serial)s::bigint AND v.outcome = 'previewed'
        AND v.at = ANY(l.recent)) END"""

# The last statement: everything that a redemption writes. Batch first, then account, then code: whoever
# redeems locks in this order. The versions are those that the facts were read at. If either has moved on, if the card
# is no longer unspent, or if another run of the key was faster, the statement fails and leaves nothing.
CLAIM = _one_line(f"""
    WITH held AS MATERIALIZED (
        SELECT redemption_hold_batch(%(batch)s::bigint, %(batch_version)s::bigint) AS is_unchanged
    ), advanced AS (
        UPDATE redemption_account SET version = version + 1,
            premium_until = coalesce(%(end)s::date, premium_until),
            premium_anchor_day = coalesce(%(anchor_day)s::int, premium_anchor_day),
            had_premium = had_premium OR %(end)s::date IS NOT NULL
        WHERE id = %(account)s::bigint AND version = %(account_version)s::bigint
            AND (SELECT is_unchanged FROM held)
        RETURNING id, program_id
    ), claimed AS (
        UPDATE redemption_code AS c SET status = 2
        FROM advanced, redemption_batch AS b
        WHERE c.serial = %(serial)s::bigint AND c.status = 1 AND b.id = c.batch_id
        RETURNING c.serial, b.id AS batch_id, b.retailer_id
    ), attempt AS (
        INSERT INTO redemption_attempt
            (reference, account_id, program_id, code_id, outcome, reason, channel, apparent_country, at)
        SELECT %(reference)s::text, advanced.id, advanced.program_id, claimed.serial, 'redeemed', '',
            %(channel)s::text, %(apparent_country)s::text, %(now)s::timestamptz
        FROM advanced, claimed
        RETURNING id
    ), redemption AS (
        INSERT INTO redemption_redemption (code_id, account_id, attempt_id, batch_id, value, currency, months, days, at)
        SELECT claimed.serial, advanced.id, attempt.id, claimed.batch_id, %(value)s::bigint, %(currency)s::text,
            %(months)s::int, %(days)s::int, %(now)s::timestamptz
        FROM advanced, claimed, attempt
        RETURNING id
    ), premium AS (
        INSERT INTO redemption_premiumgrant (account_id, period, months, days, anchor_day, redemption_id, at)
        SELECT advanced.id, daterange(%(start)s::date, %(end)s::date), %(months)s::int, %(days)s::int,
            %(anchor_day)s::int, redemption.id, %(now)s::timestamptz
        FROM advanced, redemption WHERE %(end)s::date IS NOT NULL
    ), wallet AS (
        INSERT INTO redemption_wallet AS w (account_id, currency, balance)
        SELECT advanced.id, %(currency)s::text, %(value)s::bigint
        FROM advanced, claimed WHERE %(end)s::date IS NULL
        ON CONFLICT (account_id, currency) DO UPDATE SET balance = w.balance + EXCLUDED.balance
        RETURNING id
    ), transfer AS (
        INSERT INTO redemption_transfer (debit, credit, wallet_id, amount, currency, kind, source, program_id,
            retailer_id, batch_id, code_id, effective_at, recorded_at)
        SELECT 'liability', CASE WHEN wallet.id IS NULL THEN 'revenue' ELSE 'customer_credit' END, wallet.id,
            %(value)s::bigint, %(currency)s::text, 'redeem', 'code:' || claimed.serial, advanced.program_id,
            claimed.retailer_id, claimed.batch_id, claimed.serial, %(now)s::timestamptz, %(now)s::timestamptz
        FROM advanced, claimed LEFT JOIN wallet ON true WHERE %(value)s::bigint > 0
    ), finished AS (
        UPDATE redemption_idempotencykey SET attempt_id = attempt.id
        FROM attempt WHERE redemption_idempotencykey.id = %(key_id)s::bigint AND attempt_id IS NULL
        RETURNING attempt_id
    ), given_back AS ({give_back("%(tried_at)s::timestamptz", _COUNTERS, others=_STILL_COUNTED)})
    SELECT coalesce((SELECT attempt_id FROM finished), redemption_undo())
""")

# The last statement of a try that lost, or of a preview.
REFUSE = _one_line(f"""
    WITH attempt AS (
        INSERT INTO redemption_attempt
            (reference, account_id, program_id, code_id, near_code_id, outcome, reason, channel, apparent_country, at)
        VALUES (%(reference)s::text, %(account)s::bigint, %(program)s::bigint, %(serial)s::bigint,
            %(near_serial)s::bigint, %(outcome)s::text, %(reason)s::text, %(channel)s::text,
            %(apparent_country)s::text, %(now)s::timestamptz)
        RETURNING id
    ), finished AS (
        UPDATE redemption_idempotencykey SET attempt_id = attempt.id
        FROM attempt WHERE redemption_idempotencykey.id = %(key_id)s::bigint AND attempt_id IS NULL
        RETURNING attempt_id
    ), given_back AS ({give_back("%(tried_at)s::timestamptz", _COUNTERS, "%(gives_back)s::bool")})
    SELECT coalesce((SELECT attempt_id FROM finished), redemption_undo())
""")
