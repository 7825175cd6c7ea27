"""A picture and its table: the same numbers, so that nobody needs the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redemption.money import to_major
from support.models import DAYS, format_amount

# Of a ranking, what a picture has room for; its table has all.
MOST_DRAWN = 15


@dataclass(frozen=True, slots=True)
class Cell:
    """`value` is drawn, `shown` is read, `address` opens the rows that it stands for."""

    value: float | None
    shown: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """`is_drawn`: else it stands in the table only."""

    name: str
    cells: Sequence[Cell]
    is_drawn: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """`kind` is bars, stacked, sideways or lines; `axis` says what the numbers are; `head` what the labels are."""

    name: str
    title: str
    head: str
    kind: str
    axis: str
    labels: Sequence[str]
    series: Sequence[Series]
    note: str = ""
    # Which labels are marked, and why: in the table.
    marks: dict[int, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(cell.value for series in self.drawn for cell in series.cells)

    @property
    def drawn(self) -> list[Series]:
        return [series for series in self.series if series.is_drawn]

    @property
    def data_id(self) -> str:
        return f"{self.name}-data"

    @property
    def is_cut(self) -> bool:
        return self.kind == "sideways" and len(self.labels) > MOST_DRAWN

    @property
    def most_drawn(self) -> int:
        return MOST_DRAWN

    @property
    def rows(self) -> list[tuple[str, list[Cell], str]]:
        columns = [series.cells for series in self.series]
        return [
            (label, [cells[place] for cells in columns], self.marks.get(place, ""))
            for place, label in enumerate(self.labels)
        ]

    @property
    def data(self) -> dict[str, Any]:
        """For the browser, which draws it."""
        most = MOST_DRAWN if self.kind == "sideways" else len(self.labels)
        return {
            "kind": self.kind,
            "axis": self.axis,
            "labels": list(self.labels[:most]),
            "series": [
                {
                    "name": series.name,
                    "values": [cell.value for cell in series.cells[:most]],
                    "shown": [cell.shown for cell in series.cells[:most]],
                    "addresses": [cell.address for cell in series.cells[:most]],
                }
                for series in self.drawn
            ],
        }


def amount(minor: int, unit: str, address: str = "") -> Cell:
    """Of a currency in minor units, or of days. Drawn by its major units: a picture needs no exact number."""
    return Cell(float(minor if unit == DAYS else to_major(minor, unit)), format_amount(minor, unit), address)


def number(count: int, address: str = "") -> Cell:
    return Cell(count, f"{count:,}", address)


def percent(share: int, address: str = "") -> Cell:
    return Cell(share, f"{share} %", address)
