"""What bears on a report of compromised cards besides its cards: who redeemed or tried them, here and in other reports,
what was tried before a card was sold, what lies beside the reported runs, and the retailer's other reports.

The report's own lines may be 100,000: each part is one statement over them, or goes on from the few that one finds.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count

from redemption.models import Account, Attempt, AttemptOutcome, Batch, Code, CodeStatus
from support.models import OWN, CardSign, CompromiseReport
from support.report_cards import fetched, in_statement

# Accounts, cards, runs and reports that a panel names; what is more is counted.
MOST = 10
# Accounts of which is asked whether they stand in other reports too.
_ASKED_ABOUT = 200
# Cards on either side of a run.
BESIDE = 10
MOST_RUNS = 6
# Cards of this retailer's own: what stands in the report and is nobody's, or another's, tells nothing of it.
_IS_OWN = f"r.answer IN {in_statement(OWN)}"
_OWN = f"r.report_id = %(report)s::bigint AND {_IS_OWN}"


@dataclass(frozen=True, slots=True)
class Taker:
    """An account that redeemed cards of the report, or tried to; `others`: {other report: cards of it}."""

    account: Account
    redeemed: int
    tried: int
    last: datetime
    others: list[tuple[CompromiseReport, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Takers:
    rows: list[Taker]
    count: int


def takers(report: CompromiseReport) -> Takers:
    """Those that stand in most reports first, then by cards redeemed and tried. Four queries."""
    found = fetched(
        f"""
        SELECT a.account_id, count(DISTINCT a.code_id) FILTER (WHERE a.outcome = 'redeemed') AS redeemed,
            count(DISTINCT a.code_id) AS tried, max(a.at), count(*) OVER ()
        FROM support_reportedcard r JOIN redemption_attempt a ON a.code_id = r.serial
        WHERE {_OWN} GROUP BY a.account_id ORDER BY redeemed DESC, tried DESC, a.account_id LIMIT %(limit)s::int
        """,
        {"report": report.pk, "limit": _ASKED_ABOUT},
    )
    if not found:
        return Takers([], 0)
    elsewhere: dict[int, dict[int, int]] = defaultdict(dict)
    rows = fetched(
        f"""
        SELECT a.account_id, r.report_id, count(DISTINCT a.code_id)
        FROM redemption_attempt a JOIN support_reportedcard r ON r.serial = a.code_id
        WHERE a.account_id = ANY(%(accounts)s::bigint[]) AND r.report_id <> %(report)s::bigint
            AND {_IS_OWN}
        GROUP BY 1, 2
        """,
        {"report": report.pk, "accounts": [row[0] for row in found]},
    )
    for account, other, cards in rows:
        elsewhere[account][other] = cards
    found.sort(key=lambda row: (-len(elsewhere[row[0]]), -row[1], -row[2], row[0]))
    shown = found[:MOST]
    # The newest of each are named.
    newest = {row[0]: sorted(elsewhere[row[0]], reverse=True)[:MOST] for row in shown}
    reports = CompromiseReport.objects.select_related("retailer").in_bulk(
        {key for keys in newest.values() for key in keys}
    )
    accounts = Account.objects.select_related("program").in_bulk([row[0] for row in shown])
    return Takers(
        [
            Taker(
                accounts[account],
                redeemed,
                tried,
                last,
                [(reports[key], elsewhere[account][key]) for key in newest[account]],
            )
            for account, redeemed, tried, last, _ in shown
        ],
        found[0][4],
    )


@dataclass(frozen=True, slots=True)
class Early:
    """A card that was tried before it was sold: somebody knew its code, who should not have."""

    serial: int
    tries: int
    accounts: int
    first: datetime
    activated_at: datetime | None


@dataclass(frozen=True, slots=True)
class EarlyTries:
    rows: list[Early]
    cards: int
    tries: int


def early_tries(report: CompromiseReport) -> EarlyTries:
    """One query."""
    found = fetched(
        f"""
        SELECT r.serial, count(*) AS tries, count(DISTINCT a.account_id), min(a.at), c.activated_at,
            count(*) OVER (), sum(count(*)) OVER ()
        FROM support_reportedcard r JOIN redemption_attempt a ON a.code_id = r.serial
        JOIN redemption_code c ON c.serial = r.serial
        WHERE {_OWN} AND (c.activated_at IS NULL OR a.at < c.activated_at)
        GROUP BY r.serial, c.activated_at ORDER BY tries DESC, r.serial LIMIT %(limit)s::int
        """,
        {"report": report.pk, "limit": MOST},
    )
    if not found:
        return EarlyTries([], 0, 0)
    return EarlyTries([Early(*row[:5]) for row in found], found[0][5], int(found[0][6]))


# --- Beside the reported cards


@dataclass(frozen=True, slots=True)
class Neighbour:
    serial: int
    status: CodeStatus
    redeemed_at: datetime | None
    refused: int


@dataclass(frozen=True, slots=True)
class Side:
    """The cards on one side of a run that no line of this report names."""

    first: int
    last: int
    counts: list[tuple[str, int]]
    redeemed: list[Neighbour]
    refused: int
    # The unbroken stretch next to the run that can still be frozen; None where its nearest card is spent or frozen.
    freezes: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Run:
    batch: Batch
    first: int
    last: int
    cards: int
    before: Side | None
    after: Side | None


@dataclass(frozen=True, slots=True)
class Runs:
    rows: list[Run]
    count: int
    signs: list[CardSign]


def runs(report: CompromiseReport) -> Runs:
    """The longest unbroken runs of reported cards, with what lies directly beside them in their batch; and the signs
    that touch the report's cards. Seven queries."""
    found = fetched(
        f"""
        WITH own AS (
            SELECT c.serial, c.batch_id FROM support_reportedcard r JOIN redemption_code c ON c.serial = r.serial
            WHERE {_OWN}
        )
        SELECT batch_id, min(serial), max(serial), count(*) AS cards, count(*) OVER () FROM (
            SELECT batch_id, serial, serial - row_number() OVER (PARTITION BY batch_id ORDER BY serial) AS run FROM own
        ) AS numbered
        GROUP BY batch_id, run ORDER BY cards DESC, min(serial) LIMIT %(limit)s::int
        """,
        {"report": report.pk, "limit": MOST_RUNS},
    )
    if not found:
        return Runs([], 0, [])
    beside = {
        serial
        for _, first, last, _, _ in found
        for serial in (*range(first - BESIDE, first), *range(last + 1, last + BESIDE + 1))
    }
    named = set(report.cards.filter(serial__in=beside).values_list("serial", flat=True))
    batches = Batch.objects.select_related("product").in_bulk({row[0] for row in found})
    cards = Code.objects.filter(pk__in=beside - named, batch__in=batches).select_related("redemption")
    refused = dict(
        Attempt.objects.filter(code__in=beside - named, outcome=AttemptOutcome.REFUSED)
        .order_by()
        .values_list("code")
        .annotate(Count("pk"))
    )
    by_batch: dict[int, dict[int, Neighbour]] = defaultdict(dict)
    for card in cards:
        redemption = getattr(card, "redemption", None)
        by_batch[card.batch_id][card.pk] = Neighbour(
            card.pk, CodeStatus(card.status), redemption.at if redemption else None, refused.get(card.pk, 0)
        )
    made = []
    for batch, first, last, count, _ in found:
        there = by_batch[batch]
        before = [there[serial] for serial in range(first - 1, first - 1 - BESIDE, -1) if serial in there]
        after = [there[serial] for serial in range(last + 1, last + 1 + BESIDE) if serial in there]
        made.append(Run(batches[batch], first, last, count, _side(before, first - 1), _side(after, last + 1)))
    return Runs(made, found[0][4], signs_of(report))


def _side(nearest_first: list[Neighbour], nearest: int) -> Side | None:
    if not nearest_first:
        return None
    counts: dict[CodeStatus, int] = defaultdict(int)
    for neighbour in nearest_first:
        counts[neighbour.status] += 1
    serials = [neighbour.serial for neighbour in nearest_first]
    loose: list[int] = []
    for place, neighbour in enumerate(nearest_first):
        is_next = abs(neighbour.serial - nearest) == place
        if not is_next or neighbour.status not in {CodeStatus.INACTIVE, CodeStatus.ACTIVE}:
            break
        loose.append(neighbour.serial)
    return Side(
        min(serials),
        max(serials),
        [(status.label.lower(), counts[status]) for status in sorted(counts)],
        [neighbour for neighbour in nearest_first if neighbour.status == CodeStatus.REDEEMED],
        sum(neighbour.refused for neighbour in nearest_first),
        (min(loose), max(loose)) if loose else None,
    )


def signs_of(report: CompromiseReport) -> list[CardSign]:
    """The newest that were raised over a stretch in which a card of the report lies."""
    found = fetched(
        """
        SELECT s.id FROM support_cardsign s WHERE EXISTS (
            SELECT FROM support_reportedcard r WHERE r.report_id = %(report)s::bigint
            AND r.serial BETWEEN s.first_serial AND s.last_serial
        ) ORDER BY s.id DESC LIMIT %(limit)s::int
        """,
        {"report": report.pk, "limit": MOST},
    )
    return list(CardSign.objects.select_related("batch").filter(pk__in=[pk for (pk,) in found]).order_by("-pk"))


def other_reports(report: CompromiseReport) -> list[CompromiseReport]:
    """The retailer's newest, and one more where there are more. One query."""
    reports = CompromiseReport.objects.filter(retailer=report.retailer_id).exclude(pk=report.pk)
    return list(reports.select_related("ticket").order_by("-pk")[: MOST + 1])
