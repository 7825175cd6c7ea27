"""Signs that cards are compromised which nobody has reported: batches, and runs of serial numbers in them, where
unusually many cards answer “already redeemed” to somebody else, or were tried before they were sold.

Raised once a night from the refused tries of the last WINDOW. One card counts once, however often it is tried. What is
read is found by the time of the tries and counted by the database; in memory there is a row for each card that was
refused so, and nothing for all others.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from redemption import locks
from redemption.models import CodeStatus
from redemption.refusals import RefusalReason
from support.models import CardSign, CardSignKind, CardSignState
from support.serial_runs import LEAST, UNLIKELY, chance_of, find_runs

# Long enough for presents to be opened, and short enough that something can still be frozen.
WINDOW = timedelta(days=30)
# Where a program has little to compare with, one card in a thousand is taken for usual.
USUAL_AT_LEAST = 0.001
# A large batch is above the others by a little, and surely so, for reasons that are nobody's business.
CLEARLY = 3
# Somebody who bought several cards and tries them all again with his other account is one customer and no thief.
LEAST_PEOPLE = 3
# Hours. Some tills report their sales overnight: until then a card that was just bought is not activated.
TILLS_ARE_LATE = 24
# What was judged comes back when there are so many times the cards that there were.
GROWN = 2

REASONS = {
    CardSignKind.ALREADY_REDEEMED: (RefusalReason.REDEEMED_BY_ANOTHER,),
    CardSignKind.NOT_ACTIVATED: (
        RefusalReason.NOT_ACTIVATED,
        RefusalReason.BATCH_NOT_ACTIVE,
        RefusalReason.BATCH_NOT_ISSUED,
    ),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A card that was refused so. `is_known_early`: somebody knew its code before it was sold, and it was sold."""

    serial: int
    tries: int
    accounts: frozenset[int]
    is_known_early: bool


@dataclass(frozen=True, slots=True)
class Stock:
    """A batch, and how many of its cards could have been refused so."""

    batch: int
    program: int
    first: int
    last: int
    exposed: int


@dataclass(frozen=True, slots=True)
class Finding:
    kind: CardSignKind
    batch: int
    first: int
    last: int
    is_run: bool
    tried: int
    tries: int
    expected: float
    chance: float

    @property
    def cards(self) -> int:
        return self.last - self.first + 1


def raise_signs(now: datetime | None = None) -> int:
    """Looks at the tries of the last WINDOW and keeps one open sign for each batch or run that stands out, with the
    numbers of today. Returns how many that are. Once more changes nothing; two at once wait for each other."""
    now = now or timezone.now()
    with transaction.atomic():
        locks.take(locks.SIGNS)
        found = [finding for kind in CardSignKind for finding in _findings(kind, now - WINDOW, now)]
        return _keep(found, now)


# --- What stands out


def _findings(kind: CardSignKind, since: datetime, until: datetime) -> Iterator[Finding]:
    tried = _tried(kind, since, until)
    stocks, exposed = _stocks(kind, tried)
    in_program: dict[int, int] = defaultdict(int)
    for batch, rows in tried.items():
        in_program[stocks[batch].program] += len(rows)
    for batch, rows in tried.items():
        stock = stocks[batch]
        # Of the program's other batches.
        others = max(exposed[stock.program] - stock.exposed, 0)
        usual = max(USUAL_AT_LEAST, (in_program[stock.program] - len(rows)) / others if others else 0.0)
        yield from _of_batch(kind, stock, rows, min(usual, 1.0))


def _of_batch(kind: CardSignKind, stock: Stock, rows: list[Tried], usual: float) -> Iterator[Finding]:
    """Runs first. What lies in none of them may be too much for the batch as a whole; and a card that was tried, and
    sold only then, is a sign by itself."""
    exposed = max(stock.exposed, len(rows))
    serials = [row.serial for row in rows]
    rest, begin = [], 0
    for run in find_runs(serials, exposed=exposed, usual=usual):
        first, after = bisect_left(serials, run.first), bisect_right(serials, run.last)
        inside = rows[first:after]
        if _are_people(kind, inside):
            tries = sum(row.tries for row in inside)
            yield Finding(kind, stock.batch, run.first, run.last, True, run.tried, tries, run.expected, run.chance)
            rest += rows[begin:first]
            begin = after
    rest += rows[begin:]
    for row in rest:
        if row.is_known_early:
            yield Finding(kind, stock.batch, row.serial, row.serial, True, 1, row.tries, usual, chance_of(1, usual))
    expected = usual * exposed
    if len(rest) < max(LEAST, CLEARLY * expected) or not _are_people(kind, rest):
        return
    chance = chance_of(len(rest), expected)
    if chance < UNLIKELY:
        tries = sum(row.tries for row in rest)
        yield Finding(kind, stock.batch, stock.first, stock.last, False, len(rest), tries, expected, chance)


def _are_people(kind: CardSignKind, rows: Iterable[Tried]) -> bool:
    """Whether several complain. Before the sale it is the thief who tries, and one is enough."""
    people = frozenset().union(*(row.accounts for row in rows))
    return kind == CardSignKind.NOT_ACTIVATED or len(people) >= LEAST_PEOPLE


# A card that was tried before its sale and sold since: somebody else has tried or redeemed it besides whoever was too
# early, or a day and more went by and it is still unspent.
_TRIED = """
    WITH refused AS (
        SELECT code_id, count(*) AS tries, array_agg(DISTINCT account_id) AS accounts, min(at) AS first_at
        FROM redemption_attempt
        WHERE at >= %(since)s AND at < %(until)s AND outcome = 'refused' AND code_id IS NOT NULL
            AND reason = ANY(%(reasons)s)
        GROUP BY code_id
    )
    SELECT c.batch_id, c.serial, r.tries, r.accounts, %(are_early)s AND c.activated_at > r.first_at AND (
        c.status = ANY(%(unspent)s::smallint[]) AND c.activated_at > r.first_at + make_interval(hours => %(late)s)
        OR EXISTS (
            SELECT FROM redemption_attempt a WHERE a.code_id = c.serial AND a.account_id <> ALL(r.accounts)
        )
    ) AS is_known_early
    FROM refused r JOIN redemption_code c ON c.serial = r.code_id
    ORDER BY c.batch_id, c.serial
"""
_UNSPENT = [status.value for status in CodeStatus if status.is_unspent]


def _tried(kind: CardSignKind, since: datetime, until: datetime) -> dict[int, list[Tried]]:
    """By batch, in the order of the serial numbers."""
    found: dict[int, list[Tried]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _TRIED,
            {
                "since": since,
                "until": until,
                "reasons": [reason.value for reason in REASONS[kind]],
                "are_early": kind == CardSignKind.NOT_ACTIVATED,
                "unspent": _UNSPENT,
                "late": TILLS_ARE_LATE,
            },
        )
        for batch, serial, tries, accounts, is_known_early in cursor.fetchall():
            found[batch].append(Tried(serial, tries, frozenset(accounts), bool(is_known_early)))
    return found


# As rolled up each minute: no code is counted.
_STOCKS = """
    SELECT b.id, p.program_id, lower(b.serials), upper(b.serials) - 1, t.issued, t.activated
    FROM redemption_batch b JOIN redemption_product p ON p.id = b.product_id
    LEFT JOIN redemption_batchtally t ON t.batch_id = b.id WHERE b.id = ANY(%(batches)s)
"""
_PROGRAMS = """
    SELECT p.program_id, coalesce(sum(t.issued), 0)::bigint, coalesce(sum(t.activated), 0)::bigint
    FROM redemption_batchtally t JOIN redemption_batch b ON b.id = t.batch_id
    JOIN redemption_product p ON p.id = b.product_id WHERE p.program_id = ANY(%(programs)s) GROUP BY 1
"""


def _stocks(kind: CardSignKind, batches: Iterable[int]) -> tuple[dict[int, Stock], dict[int, int]]:
    """The batches, and how many cards all of each program's batches have. Redeemed cards were sold; any may be tried
    before it is."""
    place = 1 if kind == CardSignKind.ALREADY_REDEEMED else 0
    with connection.cursor() as cursor:
        cursor.execute(_STOCKS, {"batches": list(batches)})
        stocks = {
            batch: Stock(batch, program, first, last, max(counts[place] or 0, 0))
            for batch, program, first, last, *counts in cursor.fetchall()
        }
        cursor.execute(_PROGRAMS, {"programs": sorted({stock.program for stock in stocks.values()})})
        return stocks, {program: counts[place] for program, *counts in cursor.fetchall()}


# --- What becomes of it


def _keep(found: list[Finding], now: datetime) -> int:
    batches = {finding.batch for finding in found}
    signs = CardSign.objects.filter(batch__in=batches).select_for_update(of=("self",)).order_by("pk")
    opened = list(signs.filter(state=CardSignState.OPEN))
    # Of what was judged before, no try is looked at any more.
    judged = list(signs.exclude(state=CardSignState.OPEN).filter(until__gt=now - WINDOW))
    kept = 0
    for finding in found:
        mine = [sign for sign in opened if _is_same(sign, finding)]
        if not mine:
            known = sum(sign.tried for sign in judged if _is_same(sign, finding))
            if known and finding.tried < GROWN * known:
                continue
        sign = mine[0] if mine else CardSign(raised_at=now)
        # Runs that have grown together are one.
        for other in mine[1:]:
            other.delete()
        opened = [other for other in opened if other not in mine]
        _write(sign, finding, now)
        kept += 1
    return kept


def _is_same(sign: CardSign, finding: Finding) -> bool:
    """Of one kind and batch, and with cards in common."""
    key = (sign.kind, sign.batch_id, sign.is_run)
    apart = sign.last_serial < finding.first or sign.first_serial > finding.last
    return key == (finding.kind, finding.batch, finding.is_run) and not apart


def _write(sign: CardSign, finding: Finding, now: datetime) -> None:
    sign.kind, sign.batch_id, sign.is_run = finding.kind, finding.batch, finding.is_run
    sign.first_serial, sign.last_serial, sign.cards = finding.first, finding.last, finding.cards
    sign.tried, sign.tries = finding.tried, finding.tries
    sign.expected, sign.chance = finding.expected, finding.chance
    sign.since, sign.until = now - WINDOW, now
    sign.save()
