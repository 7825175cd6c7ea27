"""A report of compromised cards as a statement on paper: what lies beside a till, and is shown to a customer.

It says what the retailer may know, and nothing else: no customer, no code, no text that somebody typed freely. Reads
what the portal may read, so it works within the wall as well.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db import connection

from redemption.models import Batch, Program
from support.mail.identity import our_name
from support.models import OWN, Answer, CompromiseReport, Outcome, ReportChannel, is_undecided
from support.report_summary import Summary, summary

# Of so few, each has its row and its times; of more, a row is a run of serial numbers that are alike.
MOST_SINGLE = 100
# Some ten pages: more of them nobody reads at a till.
MOST_ROWS = 250
# A retailer's batches among which the cards' programs are looked for.
_MOST_BATCHES = 1_000

# What whoever stands at the till may say of a card: what was found, and what came of it or is still to come.
_FOUND = {
    Answer.PENDING: "The card is being looked up: do not sell it meanwhile.",
    Answer.FROZEN: "The card is blocked: nobody can redeem it.",
    Answer.BEFORE_SALE: "Somebody redeemed the card before it was sold.",
    Answer.AFTER_SALE: "The card was redeemed after it was sold.",
    Answer.ENDED: "The card had been ended or replaced before the report: it is worthless.",
    Answer.UNKNOWN: "This is none of your cards: compare the number with the one on the card.",
}
_CAME = {
    Outcome.CONFIRMED: "It has been ended for good. Destroy it.",
    Outcome.CLEARED: "The card is in order and works again.",
    Outcome.REPLACED: "A new card has taken its place; the old one is worthless.",
    Outcome.CREDITED: "Its value has been credited to the customer’s account at the service.",
    Outcome.CLOSED: "Nothing more is done about it here.",
}
_OPEN = "We are looking into it: give no other card for it until then."
ALWAYS = (
    "Nobody is told who redeemed a card, neither you nor the customer.",
    "Never ask for the code under the scratch-off, and never write it down: the serial number is enough.",
    "Whoever asks about a card gives us the reference above and the card’s serial number.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """Cards `first` to `last`, all with the same answer and outcome; times as they are shown."""

    first: int
    last: int
    count: int
    found: str
    found_at: str
    came: str
    came_at: str

    @property
    def serials(self) -> str:
        return str(self.first) if self.count == 1 else f"{self.first}–{self.last}"


@dataclass(frozen=True, slots=True)
class Statement:
    """All that the paper says, in its order. `unlisted` cards have no row."""

    title: str
    facts: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, str], ...]
    sayings: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    is_by_run: bool
    unlisted: int
    printed: str
    reference: str
    signed: str


def statement(report: CompromiseReport, *, now: datetime) -> Statement:
    """A handful of queries, whatever the report's size. Times are those of the program, or UTC where there are
    several zones."""
    found = summary(report)
    cards = sum(count for answer, count in found.answers if answer != Answer.BAD)
    is_by_run = cards > MOST_SINGLE
    runs = _runs(report, is_by_run=is_by_run)
    programs, products = _sold(report, runs)
    zones = {program.time_zone for program in programs}
    zone = programs[0].zone if len(zones) == 1 else UTC
    return Statement(
        title="Statement on reported cards",
        facts=tuple((name, value) for name, value in _facts(report, programs, products, zone) if value),
        counts=_counts(found),
        sayings=_sayings(report),
        rows=tuple(_row(report, run, zone) for run in runs),
        is_by_run=is_by_run,
        unlisted=cards - sum(run[2] for run in runs),
        printed=f"Printed on {_moment(now, zone)}: this is how it stood then.",
        reference=report.reference,
        signed=our_name(),
    )


def _facts(
    report: CompromiseReport, programs: list[Program], products: list[str], zone: tzinfo
) -> list[tuple[str, str]]:
    is_members = report.channel == ReportChannel.PORTAL
    return [
        ("Reference", report.reference),
        ("Stage", report.stage.label),
        ("Retailer", str(report.retailer)),
        ("Program", ", ".join(program.name for program in programs)),
        ("Product", ", ".join(products)),
        ("Kind", report.get_kind_display()),
        ("Reported", _moment(report.created_at, zone)),
        ("Reported by", report.reporter_name if is_members else report.get_channel_display()),
        ("Store", report.store),
        ("Till", report.till),
        ("Time of sale", _moment(report.sold_at, zone)),
        ("Discovered", _moment(report.discovered_at, zone)),
        ("Activation receipt", report.receipt_number),
        ("Police reference", report.police_reference),
        ("Looked up and frozen", _moment(report.frozen_at, zone)),
        ("Answered", _moment(report.answered_at, zone)),
    ]


def _counts(found: Summary) -> tuple[tuple[str, str], ...]:
    waiting = [("Still being looked into", found.open)] if found.open else []
    counts = [*found.answers, *found.outcomes]
    return tuple((label, f"{count:,}") for label, count in [*((key.label, count) for key, count in counts), *waiting])


def _sayings(report: CompromiseReport) -> tuple[tuple[str, str], ...]:
    """For what stands in this report: what it is called, and what to say."""
    pairs = set(report.cards.order_by().values_list("answer", "outcome").distinct())
    every = [(answer, outcome) for answer in _FOUND for outcome in (*Outcome, None)]
    return tuple(saying(answer, outcome) for answer, outcome in every if (answer.value, outcome or "") in pairs)


def saying(answer: Answer, outcome: Outcome | None) -> tuple[str, str]:
    if outcome is None:
        return answer.label, f"{_FOUND[answer]} {_OPEN}" if is_undecided(answer, "") else _FOUND[answer]
    # Of a card that works again, nobody says that it is blocked.
    found = f"{_FOUND[answer]} " if answer.is_too_late else ""
    return f"{answer.label}. {outcome.label}", f"{found}{_CAME[outcome]}"


_Run = tuple[int, int, int, str, str, datetime | None, datetime | None, datetime | None]

# Neighbours keep their distance from their place in the row: a gap starts the next run.
_RUNS = """
    SELECT min(serial), max(serial), count(*), answer, outcome, min(redeemed_at), max(redeemed_at), max(decided_at)
    FROM (
        SELECT serial, answer, outcome, redeemed_at, decided_at, CASE WHEN %(by_run)s::bool
            THEN serial - row_number() OVER (PARTITION BY answer, outcome ORDER BY serial) ELSE serial END AS run
        FROM support_reportedcard WHERE report_id = %(report)s::bigint AND serial IS NOT NULL
    ) AS cards
    GROUP BY answer, outcome, run ORDER BY 1 LIMIT %(most)s::int
"""


def _runs(report: CompromiseReport, *, is_by_run: bool) -> list[_Run]:
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, {"report": report.pk, "by_run": is_by_run, "most": MOST_ROWS})
        found: list[Any] = cursor.fetchall()
        return found


def _row(report: CompromiseReport, run: _Run, zone: tzinfo) -> Row:
    first, last, count, answer, outcome, redeemed_first, redeemed_last, decided_at = run
    found, came = Answer(answer), Outcome(outcome).label if outcome else ""
    if found.is_too_late and redeemed_first != redeemed_last:
        found_at = f"{_moment(redeemed_first, zone)} to {_moment(redeemed_last, zone)}"
    else:
        found_at = _moment(redeemed_first if found.is_too_late else report.frozen_at, zone)
    came = "Being looked into" if is_undecided(answer, outcome) else came
    return Row(first, last, count, found.label, found_at, came, _moment(decided_at, zone))


def _sold(report: CompromiseReport, runs: list[_Run]) -> tuple[list[Program], list[str]]:
    """Programs and products of the listed cards that are the retailer's."""
    starts = [first for first, _, _, answer, *_ in runs if answer in OWN]
    if not starts:
        return [], []
    batches = (
        Batch.objects.filter(retailer=report.retailer_id, serials__overlap=(min(starts), max(starts) + 1))
        .select_related("product__program")
        .only("serials", "product__name", "product__program__name", "product__program__time_zone")
        .order_by("serials")[:_MOST_BATCHES]
    )
    sold = [batch.product for batch in batches if any(first in batch.serials for first in starts)]
    programs = {product.program_id: product.program for product in sold}
    return list(programs.values()), list(dict.fromkeys(product.name for product in sold))


def _moment(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%-d %B %Y, %H:%M %Z}" if at else ""
