"""CSV and XLSX, written row by row in constant memory, and so that a spreadsheet runs nothing of what is in them."""

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from xlsxwriter import Workbook
from xlsxwriter.format import Format

from support.models import ExportFormat

Cell = str | int | Decimal | date | datetime | bool | None

# A sheet's last row is 1,048,576, and the first is the headings'.
MOST_ROWS_OF_XLSX = 1_048_575
_LONGEST_CELL = 32_767
_FORMULAS = frozenset("=+-@")
_BREAKS = frozenset("\t\r\n")


class Kind(Enum):
    """What a column holds. Text is never taken for anything else, and everything else never for text."""

    TEXT = auto()
    NUMBER = auto()
    AMOUNT = auto()
    DAY = auto()
    MOMENT = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """`personal`: only for those who may see who a customer is. Moments are in UTC, and the title says so."""

    title: str
    kind: Kind = Kind.TEXT
    personal: bool = False
    width: int = 18


def harmless(text: str) -> str:
    """With an apostrophe in front where a spreadsheet would take it for a formula: a sign of one, plain, full-width or
    small, or a break, whatever cannot be seen before it."""
    for symbol in text:
        if symbol in _BREAKS:
            return f"'{text}"
        # Spreadsheets that trim a cell find what stands behind blanks and marks of no width.
        if symbol.isspace() or unicodedata.category(symbol) in {"Cf", "Cc"}:
            continue
        # Full-width and small forms are the sign itself; the minus of print is no operator anywhere.
        return f"'{text}" if unicodedata.normalize("NFKC", symbol)[:1] in _FORMULAS else text
    return text


class Writer(Protocol):
    def add(self, row: Sequence[Cell]) -> None: ...

    def close(self) -> None: ...


def writer(form: ExportFormat, path: Path, columns: Sequence[Column], *, title: str) -> Writer:
    """Writes to a new file at `path`; it is whole once `close` returned."""
    if form == ExportFormat.XLSX:
        return _Xlsx(path, columns, title)
    return _Csv(path, columns)


class _Csv:
    """RFC 4180, in UTF-8 with the mark by which Excel knows it."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._file = path.open("x", encoding="utf-8-sig", newline="")
        self._rows = csv.writer(self._file, lineterminator="\r\n")
        self._rows.writerow([column.title for column in columns])

    def add(self, row: Sequence[Cell]) -> None:
        self._rows.writerow([_written(cell) for cell in row])

    def close(self) -> None:
        self._file.close()


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case str():
            return harmless(cell)
        case Decimal():
            return f"{cell:f}"
        case datetime():
            return f"{_naive(cell):%Y-%m-%d %H:%M:%S}"
        case date():
            return cell.isoformat()
        case int():
            return str(cell)


class _Xlsx:
    """One sheet, without a formula; each row leaves memory when the next one comes."""

    def __init__(self, path: Path, columns: Sequence[Column], title: str) -> None:
        self._book = Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "tmpdir": str(path.parent),
            },
        )
        self._book.set_properties({"title": title})
        self._sheet = self._book.add_worksheet("Rows")
        self._sheet.freeze_panes(1, 0)
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._amounts: dict[int, Format] = {}
        heading = self._book.add_format({"bold": True})
        for place, column in enumerate(columns):
            self._sheet.set_column(place, place, column.width)
        for place, column in enumerate(columns):
            self._sheet.write_string(0, place, column.title, heading)
        self._last, self._width = 0, len(columns)

    def add(self, row: Sequence[Cell]) -> None:
        self._last += 1
        for place, cell in enumerate(row):
            self._put(self._last, place, cell)

    def _put(self, row: int, place: int, cell: Cell) -> None:
        match cell:
            case None | "":
                return
            case bool():
                self._sheet.write_string(row, place, "yes" if cell else "no")
            case str():
                self._sheet.write_string(row, place, harmless(cell)[:_LONGEST_CELL])
            case Decimal():
                self._sheet.write_number(row, place, float(cell), self._amount(cell))
            case datetime():
                self._sheet.write_datetime(row, place, _naive(cell), self._moment)
            case date():
                self._sheet.write_datetime(row, place, cell, self._day)
            case int():
                # Serial numbers and ids: figures without commas, in as many digits as they have.
                self._sheet.write_number(row, place, cell)

    def _amount(self, amount: Decimal) -> Format:
        exponent: Any = amount.as_tuple().exponent
        decimals = max(0, -exponent)
        if decimals not in self._amounts:
            shown = "#,##0" + ("." + "0" * decimals if decimals else "")
            self._amounts[decimals] = self._book.add_format({"num_format": shown})
        return self._amounts[decimals]

    def close(self) -> None:
        self._sheet.autofilter(0, 0, max(self._last, 1), self._width - 1)
        self._book.close()


def _naive(moment: datetime) -> datetime:
    """In UTC and whole seconds, without saying so: neither format knows time zones."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0)
