"""A victim is never punished: what a compromised card brought on is lifted from those who tried it in good faith."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from redemption import trail
from redemption.models import Account, Attempt, Redemption, Restriction, ThrottleScope, User
from redemption.refusals import ABOUT_THE_ACCOUNT
from redemption.throttle import forgive

# An account is flagged by what it did lately. Whatever it was refused so long before its first try of these cards, and
# since, must have come from them, or the flag stays.
_LATELY = timedelta(days=30)

# Who tried these cards and was refused, always after they were sold. Whoever tried one before, when its code was still
# under the scratch-off, knew it from elsewhere; whoever redeemed one is no victim either. A card that is not sold has
# no victims.
_VICTIMS = """
    SELECT a.account_id
    FROM redemption_attempt a JOIN redemption_code c ON c.serial = a.code_id
    WHERE a.code_id = ANY(%(serials)s::bigint[])
    GROUP BY a.account_id
    HAVING bool_or(a.outcome = 'refused') AND bool_and(a.outcome <> 'redeemed')
        AND bool_and(c.activated_at IS NOT NULL AND a.at >= c.activated_at)
    ORDER BY a.account_id
"""

# What an account tried, each with the moment at which it was counted: that of its key, where it was run again after its
# lease. `is_theirs`: it was one of these cards. `is_ended`: another that was ended or replaced since, tried when sold.
# Refusals that concern the account itself, such as its flag, were never counted and tell nothing about it.
_TRIES = """
    SELECT coalesce(k.created_at, a.at), a.at, a.outcome = 'refused',
        coalesce(a.code_id = ANY(%(serials)s::bigint[]), false),
        coalesce((c.status IN (4, 5) OR r.id IS NOT NULL) AND c.activated_at <= a.at, false)
    FROM redemption_attempt a
    LEFT JOIN redemption_idempotencykey k ON k.scope = 'account:' || a.account_id AND k.attempt_id = a.id
    LEFT JOIN redemption_code c ON c.serial = a.code_id
    LEFT JOIN redemption_replacement r ON r.original_id = c.serial
    WHERE a.account_id = %(account)s::bigint AND a.outcome <> 'redeemed'
        AND NOT a.reason = ANY(%(about_the_account)s::text[])
    ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class _Try:
    counted_at: datetime
    at: datetime
    is_refused: bool
    is_theirs: bool
    is_ended: bool


def relieve(serials: Collection[int], by: User, *, among: "QuerySet[Any, Any] | None" = None) -> int:
    """These cards are known to be compromised. Lifts from each of their victims the tries of them that still count, the
    block that they helped to bring about, and the flag of unusual activity where nothing else can have raised it.
    Returns how many accounts had something lifted; done again, it lifts nothing more.

    Attempts stay what they are: only what they brought on ends. `among`, the serial numbers of the whole report:
    whoever redeemed one of them, or tried it before its sale, is no victim of these cards either.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_VICTIMS, {"serials": list(serials)})
            found = [account for (account,) in cursor.fetchall()]
        suspects = _suspects(found, among) if found and among is not None else set()
        return sum(_relieve_one(account, serials, by) for account in found if account not in suspects)


def _suspects(accounts: Collection[int], among: "QuerySet[Any, Any]") -> set[int]:
    redeemed = Redemption.objects.filter(account__in=accounts, code__in=among)
    tried = Attempt.objects.filter(account__in=accounts, code__in=among)
    too_early = tried.filter(Q(code__activated_at=None) | Q(at__lt=F("code__activated_at")))
    return {
        *redeemed.order_by().values_list("account", flat=True),
        *too_early.order_by().values_list("account", flat=True),
    }


def _relieve_one(account: int, serials: Collection[int], by: User) -> bool:
    with connection.cursor() as cursor:
        about = [str(reason) for reason in ABOUT_THE_ACCOUNT]
        cursor.execute(_TRIES, {"account": account, "serials": list(serials), "about_the_account": about})
        tries = [_Try(*row) for row in cursor.fetchall()]
    theirs = [tried.counted_at for tried in tries if tried.is_theirs]
    others = [tried.counted_at for tried in tries if not tried.is_theirs]
    lifted = forgive(ThrottleScope.ACCOUNT, str(account), theirs, beside=others)
    is_unflagged = _is_explained(tries) and bool(
        Account.objects.filter(pk=account, restriction=Restriction.UNUSUAL_ACTIVITY).update(
            restriction=Restriction.NONE
        )
    )
    if lifted or is_unflagged:
        trail.tell("victim_relieved", by=by, target=f"account:{account}", tries=lifted, is_unflagged=is_unflagged)
    return bool(lifted or is_unflagged)


def _is_explained(tries: Collection[_Try]) -> bool:
    """Whether compromised cards alone can have raised the account's flag. Nothing says what did: so each refusal from a
    while before the first try of these cards until now must be of one of them, or of another that was ended since. One
    guess, or one card that is nobody's loss, and the flag is left to a person."""
    first = min((tried.at for tried in tries if tried.is_theirs), default=None)
    if first is None:
        return False
    lately = [tried for tried in tries if tried.is_refused and tried.at >= first - _LATELY]
    return all(tried.is_theirs or tried.is_ended for tried in lately)
