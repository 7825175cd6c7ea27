"""What we owe on cards, by program and currency, as of the end of any day: the ledger's own side of `reconcile`, read
from its days. With what came and went, and how it stood at the end of each week."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection

from redemption.day_tallies import LEDGER
from redemption.models import Book, Program, TransferKind
from redemption.money import format_minor
from support.reports.filters import Filters, Period

_SUMS = f"""
    SELECT {{day}}, program_id, currency, kind, debit, credit, sum(amount) FROM {LEDGER}
    WHERE (debit IN ('liability', 'breakage') OR credit IN ('liability', 'breakage')) AND day <= %(until)s
        AND (%(program)s::bigint IS NULL OR program_id = %(program)s)
        AND (%(currency)s::text IS NULL OR currency = %(currency)s)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
# Before the period everything counts as one day: what had gathered by then.
_DAY = "CASE WHEN day < %(since)s THEN NULL ELSE date_trunc('week', day::timestamp)::date END"


@dataclass(slots=True)
class Flows:
    """In minor units of one currency. What was sold, less what was redeemed, voided and broken, and what replacing
    cards added, is what is outstanding."""

    sold: int = 0
    redeemed: int = 0
    voided: int = 0
    breakage: int = 0
    replaced: int = 0

    def add(self, kind: str, debit: str, credit: str, amount: int) -> None:
        """A sum of transfers that touch the liability or the breakage."""
        owed = (credit == Book.LIABILITY) - (debit == Book.LIABILITY)
        broken = (credit == Book.BREAKAGE) - (debit == Book.BREAKAGE)
        other = credit if owed < 0 else debit
        self.breakage += broken * amount
        if not owed:
            # A card voided after it was broken: what had become ours goes back to the shop.
            self.voided -= broken * amount
        elif kind == TransferKind.REPLACE:
            self.replaced += owed * amount
        elif other == Book.RECEIVABLE and kind in {TransferKind.ACTIVATE, TransferKind.REVERSAL}:
            # Sold, or the sale taken back at the till.
            self.sold += owed * amount
        elif other == Book.RECEIVABLE:
            self.voided -= owed * amount
        elif other != Book.BREAKAGE:
            # To customers' credit or our revenue; what is moved to another account comes back and goes again.
            self.redeemed -= owed * amount

    def __iadd__(self, other: "Flows") -> "Flows":
        self.sold += other.sold
        self.redeemed += other.redeemed
        self.voided += other.voided
        self.breakage += other.breakage
        self.replaced += other.replaced
        return self

    @property
    def outstanding(self) -> int:
        return self.sold - self.redeemed - self.voided - self.breakage + self.replaced


@dataclass(frozen=True, slots=True)
class Line:
    """One program's cards in one currency."""

    program: Program
    currency: str
    flows: Flows

    @property
    def outstanding(self) -> int:
        return self.flows.outstanding

    @property
    def shown(self) -> list[str]:
        flows = self.flows
        amounts = (flows.sold, flows.redeemed, flows.voided, flows.breakage, flows.replaced, flows.outstanding)
        return [format_minor(amount, self.currency) for amount in amounts]


def liability_rows(filters: Filters) -> list[Line]:
    """As of the end of a day, whatever was recorded for it since; by program and currency."""
    found: dict[tuple[int, str], Flows] = defaultdict(Flows)
    for _, program, currency, kind, debit, credit, amount in _sums(filters, "NULL::date", until=filters.as_of):
        found[program, currency].add(kind, debit, credit, int(amount))
    programs = Program.objects.in_bulk({program for program, _ in found})
    lines = [Line(programs[program], currency, flows) for (program, currency), flows in found.items()]
    return sorted(lines, key=lambda line: (line.program.name, line.program.pk, line.currency))


@dataclass(slots=True)
class History:
    """Of one currency: what came and went in each week, and each program's outstanding at its end."""

    weeks: list[date]
    flows: list[Flows] = field(default_factory=list)
    outstanding: dict[int, list[int]] = field(default_factory=dict)


def history(filters: Filters, period: Period, *, currency: str) -> History:
    weeks = period.weeks
    found: dict[tuple[int, date | None], Flows] = defaultdict(Flows)
    rows = _sums(filters, _DAY, until=period.last, currency=currency, since=weeks[0])
    for week, program, _, kind, debit, credit, amount in rows:
        found[program, week].add(kind, debit, credit, int(amount))
    history = History(weeks, [Flows() for _ in weeks])
    for program in sorted({program for program, _ in found}):
        standing = found.get((program, None), Flows()).outstanding
        ends = []
        for place, week in enumerate(weeks):
            moved = found.get((program, week), Flows())
            history.flows[place] += moved
            standing += moved.outstanding
            ends.append(standing)
        history.outstanding[program] = ends
    return history


def _sums(filters: Filters, day: str, **given: Any) -> Iterable[tuple[Any, ...]]:
    known = {"program": int(filters.program) if filters.program else None, "currency": None, **given}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS.format(day=day), known)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
