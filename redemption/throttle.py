"""Counting tries, exactly. One upsert decides and counts: a check followed by a count would let a crowd through.

A key has at most `limit` tries in a sliding window; from the one that reaches the limit it is blocked for a whole
window. Tries while blocked are only tallied. A try that succeeds is given back.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from redemption.models import Throttle, ThrottleScope


@dataclass(frozen=True, slots=True)
class Limit:
    """`tries` in `window` seconds; 0 tries: no limit."""

    tries: int
    window: timedelta

    @property
    def interval(self) -> str:
        """The window as SQL."""
        return f"interval '{self.window.total_seconds()} s'"


def upsert(scope: ThrottleScope, limit: Limit, condition: str = "true") -> str:
    """SQL of one scope's count. Parameters: `{scope}_key` and `now`; the limit, a setting, stands in the text. Returns
    (admitted, blocked_until); no row where the limit is off."""
    tries, window = limit.tries, limit.interval
    return f"""
        INSERT INTO redemption_throttle AS t (scope, key, recent, blocked_until, admitted, turned_away)
        SELECT '{scope}', %({scope}_key)s::text, ARRAY[%(now)s::timestamptz],
            CASE WHEN {tries} = 1 THEN %(now)s::timestamptz + {window} END, true, 0
        WHERE {tries} > 0 AND {condition}
        ON CONFLICT (scope, key) DO UPDATE SET (recent, blocked_until, admitted, turned_away) = (
            SELECT CASE WHEN x.blocked THEN t.recent ELSE x.kept || %(now)s::timestamptz END,
                CASE WHEN x.blocked THEN t.blocked_until
                    WHEN cardinality(x.kept) + 1 >= {tries} THEN %(now)s::timestamptz + {window} END,
                NOT x.blocked, t.turned_away + x.blocked::int
            FROM (SELECT coalesce(t.blocked_until > %(now)s::timestamptz, false) AS blocked,
                ARRAY(SELECT tried FROM unnest(t.recent) AS tried
                    WHERE t.blocked_until IS NULL AND tried > %(now)s::timestamptz - {window}) AS kept) AS x)
        RETURNING admitted, blocked_until"""


# One of the tries made at `now`, and with it the block that it may have brought about.
_WITHOUT_ONE = """
    t.recent[:array_position(t.recent, {at}) - 1] || t.recent[array_position(t.recent, {at}) + 1:]"""


# What is left of `tries` without the moments in `others`, each taken out as often as it stands there.
_WITHOUT_OTHERS = """
    ARRAY(SELECT y.tried FROM (
            SELECT u.tried, u.place, row_number() OVER (PARTITION BY u.tried ORDER BY u.place) AS copy
            FROM unnest(x.tries) WITH ORDINALITY AS u (tried, place)) AS y
        WHERE y.copy > (SELECT count(*) FROM unnest(k.others) AS o WHERE o = y.tried) ORDER BY y.place)"""


def give_back(at: str, keys: str, condition: str = "true", others: str = "'{}'::timestamptz[]") -> str:
    """SQL: takes back the try made at `at` for each (scope, key, extra) in `keys`, and with it those of the moments in
    `others`, which may be made of the counter itself: `l`, which is locked by then."""
    left = _WITHOUT_ONE.format(at=at)
    # Locked in the order in which tries are counted, account, address, program: two that share more than one counter
    # would deadlock otherwise.
    return f"""
        UPDATE redemption_throttle AS t
        SET recent = (SELECT CASE WHEN k.others = '{{}}' THEN x.tries ELSE {_WITHOUT_OTHERS} END
                FROM (SELECT {left} AS tries) AS x),
            blocked_until = NULL
        FROM (SELECT l.id, {others} AS others
            FROM {keys} AS k (scope, key, extra) JOIN redemption_throttle AS l USING (scope, key)
            WHERE {condition} ORDER BY scope FOR NO KEY UPDATE OF l) AS k
        WHERE t.id = k.id AND array_position(t.recent, {at}) IS NOT NULL"""


def hit(scope: ThrottleScope, key: str, limit: Limit, now: datetime) -> datetime | None:
    """Counts one try. None: admitted. Otherwise the time until which the key is blocked."""
    with connection.cursor() as cursor:
        cursor.execute(upsert(scope, limit), {"now": now, f"{scope}_key": key})
        row = cursor.fetchone()
    if row is None or row[0]:
        return None
    blocked_until: datetime = row[1]
    return blocked_until


def take_back(scope: ThrottleScope, key: str, at: datetime) -> None:
    """The try made at `at` does not count after all."""
    sql = give_back("%(at)s::timestamptz", "(VALUES (%(scope)s::text, %(key)s::text, 0))")
    with connection.cursor() as cursor:
        cursor.execute(sql, {"at": at, "scope": str(scope), "key": key})


def forgive(scope: ThrottleScope, key: str, tries: Iterable[datetime], *, beside: Iterable[datetime] = ()) -> int:
    """These tries, each named by its moment, do not count after all, and the block that they have helped to bring about
    ends. Returns how many still counted. `beside` are tries that go on counting, should two fall on one moment."""
    with transaction.atomic():
        row = Throttle.objects.select_for_update(no_key=True).filter(scope=scope, key=key).first()
        if row is None:
            return 0
        # By moments, and never by number: done again, or while another try is counted, it takes nothing else out.
        spare = Counter(row.recent) - Counter(beside)
        gone = Counter(tries) & spare
        if not gone:
            return 0
        row.recent = sorted((Counter(row.recent) - gone).elements())
        row.blocked_until = None
        row.save(update_fields=["recent", "blocked_until"])
    return gone.total()
