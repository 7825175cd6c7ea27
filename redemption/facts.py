"""Facts in one query. The columns stand in the order of the dataclasses that they fill; a test holds both together."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.utils import timezone

from redemption.code_format import Outcome
from redemption.eligibility import AccountFacts, CodeFacts, Facts, RuleFacts
from redemption.models import Account
from redemption.patterns import Typed, read_typed

PREVIEWS_COUNT_FOR = timedelta(hours=24)

_ACCOUNT = """
    a.id, a.version, a.country, a.currency, a.email_verified, a.plan, a.billing_provider, a.restriction,
    a.had_premium, a.premium_until, a.premium_anchor_day,
    coalesce(nullif(%(apparent_country)s::text, ''), a.last_seen_country)
"""
_RULES = """
    p.stacking_cap_months, p.refuses_third_party_billing, p.checks_location, p.time_zone, p.is_paused
"""
_CODE = """
    c.serial, c.status, c.activated_at, r.account_id, b.id, b.version, b.status, b.retailer_id,
    CASE WHEN b.purpose = 'replacements' THEN i.expires_on ELSE b.expires_on END,
    CASE WHEN b.purpose = 'replacements' THEN i.value ELSE b.value END,
    b.currency, d.benefit, d.months, d.days, d.countries, d.plans, d.new_subscribers_only
"""
# A try that was admitted is not blocked, though it may have been the last one: redeem() does not ask.
_BLOCKED = "(SELECT t.blocked_until FROM redemption_throttle t WHERE t.scope = 'account' AND t.key = a.id::text)"
_ADMITTED = "NULL::timestamptz"
_ACCOUNT_WIDTH, _RULES_WIDTH, _CODE_WIDTH = 13, 5, 17

# A code of another program than the account's is unknown there: the join on the product's program drops it.
_JOINS = """
    FROM redemption_account a
    JOIN redemption_program p ON p.id = a.program_id
    LEFT JOIN (
        redemption_code c
        JOIN redemption_batch b ON b.id = c.batch_id
        JOIN redemption_product d ON d.id = b.product_id
        LEFT JOIN redemption_redemption r ON r.code_id = c.serial
        LEFT JOIN redemption_replacement i ON i.successor_id = c.serial
    ) ON {found} AND d.program_id = a.program_id
    WHERE a.id = %(account)s::bigint
"""

# The look-up by what was typed.
_FIND_BY_DIGEST = f"""
    SELECT {_ACCOUNT}, {{blocked}}, {_RULES}, {_CODE},
        (SELECT count(*) FROM redemption_attempt v
            WHERE v.account_id = a.id AND v.code_id = c.serial AND v.outcome = 'previewed' AND v.at > %(since)s),
        {{near}}
    {_JOINS.format(found="c.digest IN ({digests})")}
    ORDER BY c.key_version DESC NULLS LAST LIMIT 1
"""
_NEAR = "(SELECT min(n.serial) FROM redemption_code n WHERE n.digest = ANY(%(near)s::bytea[]) HAVING count(*) = 1)"


@cache
def _find_by_digest(digests: int, has_near: bool, is_admitted: bool) -> str:
    """The query for so many digests, one for each live key version. Not an array: the planner guesses its length, and
    then plans every execution anew instead of keeping the plan."""
    places = ", ".join(f"%(digest_{number})s::bytea" for number in range(digests)) or "NULL"
    return _FIND_BY_DIGEST.format(
        digests=places,
        near=_NEAR if has_near else "NULL::bigint",
        blocked=_ADMITTED if is_admitted else _BLOCKED,
    )


_BY_SERIAL = (
    f"SELECT {_ACCOUNT}, {_BLOCKED}, {_RULES}, {_CODE}, 0, NULL {_JOINS.format(found='c.serial = %(serial)s::bigint')}"
)


def read_facts(
    account: Account,
    *,
    text: str | None = None,
    serial: int | None = None,
    now: datetime | None = None,
    apparent_country: str = "",
) -> Facts:
    """Everything that the checks ask about an account and a code, typed or named by its serial number."""
    now = now or timezone.now()
    if serial is not None:
        parameters: dict[str, Any] = {"account": account.pk, "serial": serial, "apparent_country": apparent_country}
        with connection.cursor() as cursor:
            cursor.execute(_BY_SERIAL, parameters)
            return _facts(cursor.fetchone(), now)
    return read_facts_typed(account.pk, read_typed(account.program, text or ""), now, apparent_country)


def read_facts_typed(
    account_id: int, typed: Typed, now: datetime, apparent_country: str, *, is_admitted: bool = False
) -> Facts:
    parameters: dict[str, Any] = {
        "account": account_id,
        **{f"digest_{number}": digest for number, digest in enumerate(typed.digests)},
        "near": typed.near_digests,
        "since": now - PREVIEWS_COUNT_FOR,
        "apparent_country": apparent_country,
    }
    with connection.cursor() as cursor:
        cursor.execute(_find_by_digest(len(typed.digests), bool(typed.near_digests), is_admitted), parameters)
        facts = _facts(cursor.fetchone(), now)
    return facts if typed.outcome == Outcome.WELL_FORMED else replace(facts, recognised=False)


def _facts(row: Any, now: datetime) -> Facts:
    if row is None:
        raise Account.DoesNotExist
    account, rest = row[:_ACCOUNT_WIDTH], row[_ACCOUNT_WIDTH:]
    rules, rest = rest[:_RULES_WIDTH], rest[_RULES_WIDTH:]
    code, (previews, near_serial) = rest[:_CODE_WIDTH], rest[_CODE_WIDTH:]
    return Facts(
        now=now,
        rules=RuleFacts(*rules),
        account=AccountFacts(*account),
        code=_code(code) if code[0] is not None else None,
        previews=previews,
        near_serial=near_serial,
    )


def _code(columns: Any) -> CodeFacts:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in columns]
    return CodeFacts(*values)
