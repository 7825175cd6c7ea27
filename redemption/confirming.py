"""A preview that took an account's last try does not keep its own code from being redeemed.

The preview counts, and redeeming that code gives it back: so where it is what keeps the account out, it lends its place
to the try that redeems. No other code profits, and the number of counted tries stays what it was.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.views.decorators.debug import sensitive_variables

from redemption.facts import PREVIEWS_COUNT_FOR
from redemption.models import Throttle, ThrottleScope

# Under the counter's row lock, and by the moments that stand in it: of two confirmations at once one finds the
# preview's moment there, and whoever comes second finds it gone. A block that has ended meanwhile is left to the next
# try, which is counted anew.
_LEND = """
    UPDATE redemption_throttle AS t
    SET recent = array_replace(t.recent, p.at, %(now)s::timestamptz), turned_away = greatest(t.turned_away - 1, 0)
    FROM (SELECT v.at FROM redemption_attempt AS v JOIN redemption_code AS c ON c.serial = v.code_id
        WHERE v.account_id = %(account)s::bigint AND v.outcome = 'previewed' AND v.at > %(since)s::timestamptz
            AND c.digest = ANY(%(digests)s::bytea[])) AS p
    WHERE t.scope = 'account' AND t.key = %(account)s::bigint::text AND t.blocked_until > %(now)s::timestamptz
        AND array_position(t.recent, p.at) IS NOT NULL
    RETURNING p.at"""


@sensitive_variables()
def lend_place(account_id: int, digests: Sequence[bytes], now: datetime) -> datetime | None:
    """Counts the try of `now` in the place of a preview of the same code. The preview's moment, or None: there was no
    such preview that still counts."""
    since = now - PREVIEWS_COUNT_FOR
    parameters: dict[str, Any] = {"account": account_id, "digests": list(digests), "now": now, "since": since}
    with connection.cursor() as cursor:
        cursor.execute(_LEND, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def return_place(account_id: int, previewed_at: datetime, now: datetime) -> None:
    """Nothing came of the try, and nothing speaks against another: the preview counts again as it did."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Throttle._meta.db_table} SET recent = array_replace(recent, %s::timestamptz, %s::timestamptz)"
            " WHERE scope = %s AND key = %s",
            [now, previewed_at, str(ThrottleScope.ACCOUNT), str(account_id)],
        )
