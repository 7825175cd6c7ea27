"""Three years of credits, transfers, tries and look-ups, written by the database itself, by chance with a fixed seed.

What an application would check for each row is left out: rows are right by how they are made. Only what figures read is
there; cards and grants of premium time are named and do not exist.
"""

import sys
import time
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from redemption.models import Program, Retailer, User
from redemption.roles import Role
from support.models import CreditPolicy
from tests.bench import tickets

ACCOUNTS, YEARS = 200_000, 3
# Beside each transfer: so many tries and look-ups.
TRIES, LOOK_UPS = 5, 5
_CURRENCIES = ["USD", "EUR", "GBP", "SEK", "JPY"]


def build(credits: int, transfers: int) -> None:
    """`transfers` of cards, and those of the credits."""
    tickets.people()
    _limits()
    known = {
        "credits": credits,
        "transfers": transfers,
        "tickets": max(1, credits // 4),
        "others": transfers,
        "now": datetime.now(UTC),
        "program": _first(Program),
        "retailer": _first(Retailer),
        "agent": User.objects.filter(role=Role.AGENT).order_by("pk").values_list("pk", flat=True)[0],
        "policy": CreditPolicy.objects.order_by("-pk").values_list("pk", flat=True)[0],
        "currencies": _CURRENCIES,
        "years": f"{YEARS} years",
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SET work_mem = '256MB'")
        cursor.execute("SELECT setseed(0.25)")
        for name, sql in _STEPS:
            began = time.perf_counter()
            table = sql.split("INSERT INTO ")[1].split()[0]
            indexes = _without_indexes(cursor, table)
            cursor.execute(sql, known)
            for definition in indexes:
                cursor.execute(definition)
            sys.stderr.write(f"{name}: {cursor_count(cursor, table):,} in {time.perf_counter() - began:.0f} s\n")
        for table in ("redemption_transfer", "support_manualcredit", "redemption_attempt", "support_ticket"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("RESET work_mem")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def cursor_count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")
    return int(cursor.fetchone()[0])


def _without_indexes(cursor: Any, table: str) -> list[str]:
    """Drops what only finds rows, and says how to make it again: at once is faster than row by row."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef NOT LIKE 'CREATE UNIQUE%%' "
        "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)",
        [table],
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]


def _limits() -> None:
    User.objects.bulk_create(
        User(email=f"senior-{n}@example.com", name=f"Senior {n}", role=Role.SENIOR_AGENT, password="!")
        for n in range(10)
    )


def _first(model: type[Program] | type[Retailer]) -> int:
    return int(model.objects.order_by("pk").values_list("pk", flat=True)[0])


# The world before has some transfers already.
_AFTER = 100_000
_REFERENCE = "regexp_replace(lpad(upper(to_hex({id})), 12, '0'), '(....)(....)(....)', '{kind}-\\1-\\2-\\3')"
_AT = "%(now)s::timestamptz - (1 - {share}) * %(years)s::interval"

_MORE_ACCOUNTS = f"""
INSERT INTO redemption_account (program_id, reference, email, email_verified, country, currency, plan, billing_provider,
    restriction, had_premium, last_seen_country, version, created_at)
SELECT %(program)s::bigint + mod(n, {tickets.PROGRAMS}), {_REFERENCE.format(id="n", kind="AC")},
    'customer-' || n || CASE WHEN mod(n, 50) = 0 THEN '@firm-' || mod(n, 900) || '.example' ELSE '@example.com' END,
    true, 'GB', (%(currencies)s::text[])[1 + mod(n, 5)], 'free', 'none', 'none', false, '', 1, %(now)s::timestamptz
FROM generate_series(1, {ACCOUNTS}) AS n"""

_TICKETS = f"""
INSERT INTO support_ticket (reference, channel, subject, requester_name, requester_email, account_id, code_id,
    program_id, retailer_id, status, priority, tags, error_message, surface, steps_tried, is_problem, created_at,
    updated_at, waited, version)
SELECT {_REFERENCE.format(id="n", kind="TK")}, 'email', 'My card does not work', 'Person ' || n,
    'person-' || n || '@example.com', (SELECT max(id) FROM redemption_account) - mod(n * 7, {ACCOUNTS * 9 // 10}),
    CASE WHEN mod(n, 3) = 0 THEN 4000000000 + mod(n * 11, 1000000) END, %(program)s::bigint, NULL, 'closed', 2, '{{}}',
    '', 'web', '{{}}', false, {_AT.format(share="n / %(tickets)s::float8")}, %(now)s::timestamptz, interval '0', 3
FROM generate_series(1, %(tickets)s::bigint) AS n"""

# One agent of a hundred grants five times as much as the rest.
_CREDITS = f"""
INSERT INTO support_manualcredit (id, reference, key, account_id, program_id, unit, amount, reason_id, ticket_id,
    code_id, retailer_id, receipt_id, receipt_digest, note, granted_by_id, granted_as, granted_at, policy_id,
    approval_id, customers, customer_wrote, transfer_id, premium_grant_id)
SELECT id, {_REFERENCE.format(id="id", kind="CR")}, gen_random_uuid(), account, program, unit,
    CASE WHEN unit = 'days' THEN 1 + floor(a * 30)::int
        WHEN b < 0.2 THEN 1000 WHEN b < 0.25 THEN 2900 ELSE 100 + floor(a * 2900)::int END,
    (SELECT min(id) FROM support_creditreason) + floor(c * c * 6)::int,
    1 + mod(id * 13, %(tickets)s::bigint),
    CASE WHEN d < 0.4 THEN 4000000000 + mod(id * 17, 1000000) END,
    CASE WHEN e < 0.6 THEN %(retailer)s::bigint + floor(e / 0.6 * {tickets.RETAILERS})::int END,
    NULL, CASE WHEN f < 0.3 THEN decode(md5(floor(f * 3000000)::int::text) || md5('x'), 'hex') END, '',
    agent, 'agent', {_AT.format(share="id / %(credits)s::float8")}, %(policy)s::bigint,
    CASE WHEN g < 0.08 THEN id END, '{{}}', h > 0.1,
    CASE WHEN unit <> 'days' THEN {_AFTER} + id END, CASE WHEN unit = 'days' THEN id END
FROM (
    SELECT id, a, b, c, d, e, f, g, h, base + mod(n, {ACCOUNTS}) AS account,
        %(program)s::bigint + mod(1 + mod(n, {ACCOUNTS}), {tickets.PROGRAMS}) AS program,
        CASE WHEN i < 0.15 THEN 'days' ELSE (%(currencies)s::text[])[1 + floor(i * i * 5)::int] END AS unit,
        %(agent)s::bigint + CASE WHEN j < 0.05 THEN 7 ELSE floor(j * {tickets.PEOPLE})::int END AS agent
    FROM (
        SELECT id, floor(random() * random() * {ACCOUNTS})::bigint AS n, random() a, random() b, random() c, random() d,
            random() e, random() f, random() g, random() h, random() i, random() j,
            (SELECT max(id) FROM redemption_account) - {ACCOUNTS} + 1 AS base
        FROM generate_series(1, %(credits)s::bigint) AS id
    ) AS chances
) AS chosen ORDER BY id"""

_REQUESTS = """
INSERT INTO redemption_approvalrequest (id, action, target, payload, payload_hash, reason, status, requested_by_id,
    customers, requested_at, expires_at)
SELECT id, 'credit', 'account:' || account_id, '{}', '\\x00', 'It is right.', 'approved', granted_by_id, '{}',
    granted_at - mod(id, 900) * interval '3 minutes', granted_at + interval '7 days'
FROM support_manualcredit WHERE approval_id IS NOT NULL ORDER BY id"""
_APPROVALS = """
INSERT INTO redemption_approval (id, request_id, action, target, payload_hash, decision, reason, requested_by_id,
    decided_by_id, customers, decided_at)
SELECT id, id, 'credit', 'account:' || account_id, '\\x00', 'approved', '', granted_by_id, granted_by_id + 100, '{}',
    granted_at
FROM support_manualcredit WHERE approval_id IS NOT NULL ORDER BY id"""
_REVERSALS = """
INSERT INTO support_creditreversal (credit_id, account_id, unit, amount, transfer_id, reason, approval_id, by_id, at)
SELECT id, account_id, unit, amount, CASE WHEN unit <> 'days' THEN -id END, 'Wrong account.', -id, granted_by_id,
    granted_at + interval '2 days'
FROM support_manualcredit WHERE mod(id, 50) = 0 ORDER BY id"""

_BOOKS = """debit, credit, wallet_id, amount, currency, kind, source, program_id, retailer_id, batch_id, code_id,
    effective_at, recorded_at"""
_CREDIT_TRANSFERS = f"""
INSERT INTO redemption_transfer (id, {_BOOKS})
SELECT {_AFTER} + id, 'goodwill', 'customer_credit', account_id, amount, unit, 'manual_credit', 'credit:' || key,
    program_id, retailer_id, NULL, code_id, granted_at, granted_at
FROM support_manualcredit WHERE unit <> 'days' ORDER BY id"""
# Of ten cards six are sold, and of those two redeemed, one broken and one voided: backdated by some days where broken.
_TRANSFERS = f"""
INSERT INTO redemption_transfer (id, {_BOOKS})
SELECT {_AFTER} + %(credits)s::bigint + n, debit, credit, CASE WHEN kind = 'redeem' THEN n END, 3000,
    (%(currencies)s::text[])[1 + mod(n / 10, 5)], kind, 'code:' || n,
    %(program)s::bigint + mod(n / 50, {tickets.PROGRAMS}),
    %(retailer)s::bigint + mod(n / 10, {tickets.RETAILERS}), NULL, 5000000000 + n / 10,
    at - CASE WHEN kind = 'breakage' THEN interval '9 days' ELSE interval '0' END, at
FROM (
    SELECT n, {_AT.format(share="n / %(others)s::float8")} AS at,
        (ARRAY['activate','activate','activate','activate','activate','activate','redeem','redeem','breakage','void'])
            [1 + mod(n, 10)] AS kind
    FROM generate_series(1, %(others)s::bigint) AS n
) AS made, LATERAL (SELECT
    CASE kind WHEN 'activate' THEN 'receivable' ELSE 'liability' END AS debit,
    CASE kind WHEN 'activate' THEN 'liability' WHEN 'redeem' THEN 'customer_credit' WHEN 'void' THEN 'receivable'
        ELSE 'breakage' END AS credit) AS books
ORDER BY n"""
_ATTEMPTS = f"""
INSERT INTO redemption_attempt (reference, account_id, program_id, outcome, reason, channel, apparent_country, at)
SELECT {_REFERENCE.format(id="n", kind="AT")}, (SELECT max(id) FROM redemption_account) - mod(n, {ACCOUNTS}),
    %(program)s::bigint + mod(n, {tickets.PROGRAMS}), CASE WHEN mod(n, 3) = 0 THEN 'redeemed' ELSE 'refused' END,
    CASE WHEN mod(n, 3) = 0 THEN '' ELSE (ARRAY['unknown','unknown','unknown','not_activated','expired','frozen','void',
        'country_differs','billed_elsewhere','plan_not_allowed'])[1 + mod(n / 3, 10)] END, 'web', '',
    {_AT.format(share=f"n * {TRIES} / %(transfers)s::float8")}
FROM generate_series(1, %(transfers)s::bigint / {TRIES}) AS n"""
_EVENTS = f"""
INSERT INTO support_auditevent (at, actor_id, actor_role, action, target, details)
SELECT {_AT.format(share=f"n * {LOOK_UPS} / %(transfers)s::float8")},
    %(agent)s::bigint + mod(n * 31, {tickets.PEOPLE}), 'agent',
    (ARRAY['account_opened','code_opened','ticket_opened','tickets_listed'])[1 + mod(n, 4)],
    CASE mod(n, 4) WHEN 0 THEN 'account:' || (SELECT max(id) FROM redemption_account) - mod(n * 7, {ACCOUNTS})
        WHEN 1 THEN 'code:' || 4000000000 + mod(n * 11, 1000000) WHEN 2 THEN 'ticket:' || 1 + mod(n, 1000) ELSE '' END,
    '{{}}'
FROM generate_series(1, %(transfers)s::bigint / {LOOK_UPS}) AS n"""
_STEPS = [
    ("accounts", _MORE_ACCOUNTS),
    ("tickets", _TICKETS),
    ("credits", _CREDITS),
    ("requests", _REQUESTS),
    ("approvals", _APPROVALS),
    ("reversals", _REVERSALS),
    ("transfers of credits", _CREDIT_TRANSFERS),
    ("transfers", _TRANSFERS),
    ("tries", _ATTEMPTS),
    ("events", _EVENTS),
]
