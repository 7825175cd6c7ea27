"""Which cards a report names: typed, as ranges, or in a CSV or Excel file. Serial numbers only; a line that names none
says why, and never what stood in it."""

import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from django.views.decorators.debug import sensitive_variables
from openpyxl import load_workbook

from redemption import code_lists
from redemption.code_format import CodePattern
from redemption.code_lists import MAX_LINE
from redemption.code_spotting import CodeSpotter
from redemption.models import FIRST_SERIAL, LAST_SERIAL
from support.models import Problem
from support.references import read_serial

MOST_CARDS = 100_000
# Bad lines are kept as well, but nobody reads that many of them.
_MOST_BAD = 100_000
_BLOCK = 5_000
# Rows by which a sheet's column is found.
_HELD = 50
# What a workbook of a hundred thousand rows never unpacks to, and where a sheet ends: whoever says that his rows begin
# at a billion would have us count up to them.
_LARGEST_WORKBOOK, _MOST_ROWS, _MOST_COLUMNS = 200_000_000, 1_048_576, 50
_SERIALS = CodePattern(alphabet="0123456789", length=10, check_symbol=False)
_NUMBER = r"(\d(?:[ .]?\d){9})"
# Any of the dashes from HYPHEN to HORIZONTAL BAR.
_BETWEEN = r"(?:[-\u2010-\u2015:…]|\.\.+|to|until|bis)"
_RANGE = re.compile(rf"\s*{_NUMBER}\s*{_BETWEEN}\s*{_NUMBER}\s*", re.IGNORECASE)
_PARTED = re.compile(r"[,;]")
_DIGITS = 10
# What spreadsheets, scanners and sent texts leave beside a number.
_AROUND = " \t\r\n\v\f\xa0\ufeff\u200b\u200e\u200f'\""


class LinesError(Exception):
    """The list as a whole cannot be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """Line `number` names the card, or has a `problem`. A range is many lines of one number."""

    number: int
    serial: int | None = None
    problem: str = ""


def typed_lines(text: str) -> Iterator[Line]:
    """A field's text: on each line a serial number, several parted by spaces or commas, or a range “first–last”."""
    return _read(enumerate(text.splitlines(), start=1))


def file_lines(file: BinaryIO) -> Iterator[Line]:
    """A CSV or text file, or an Excel workbook: one serial number or range in each row. The column is found."""
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    if head == b"\xd0\xcf\x11\xe0":
        raise LinesError("This Excel file is encrypted, or of an old kind: save it without a password as .xlsx or CSV.")
    return _read(_cells_of_workbook(file) if head == b"PK\x03\x04" else _cells_of_text(file))


@sensitive_variables("cells", "text")
def _read(cells: Iterable[tuple[int, str | Problem]]) -> Iterator[Line]:
    spotter = CodeSpotter()
    seen: set[int] = set()
    bad = 0
    for number, text in cells:
        found: Sequence[int] | Problem
        # By far the most lines are a number and nothing else.
        if len(text) == _DIGITS and text.isascii() and text.isdigit() and (serial := int(text)) >= FIRST_SERIAL:
            found = (serial,)
        else:
            found = text if isinstance(text, Problem) else _serials_in(text, spotter)
        if isinstance(found, Problem):
            bad += 1
            yield Line(number, problem=found)
            found = ()
        for serial in found:
            if serial in seen:
                bad += 1
                yield Line(number, problem=Problem.TWICE)
                continue
            if len(seen) >= MOST_CARDS:
                raise LinesError(f"A report has at most {MOST_CARDS:,} cards: divide it.")
            seen.add(serial)
            yield Line(number, serial)
        if bad > _MOST_BAD:
            raise LinesError("This is no list of serial numbers: nearly all of its lines are something else.")


@sensitive_variables()
def typed_problems(text: str) -> dict[int, Problem]:
    """Of a field's text, the lines that name no card. A range too large is no problem of its line."""
    spotter, found = CodeSpotter(), {}
    for number, line in enumerate(text.splitlines(), start=1):
        with suppress(LinesError):
            if isinstance(problem := _serials_in(line, spotter), Problem):
                found[number] = problem
    return found


@sensitive_variables()
def _serials_in(text: str, spotter: CodeSpotter) -> Sequence[int] | Problem:
    """None of an empty line."""
    plain = unicodedata.normalize("NFKC", text[: MAX_LINE + 1]).strip(_AROUND)
    if not plain:
        return ()
    found: list[int] = []
    for part in _PARTED.split(plain):
        serials = _serials_of(part.strip(_AROUND))
        if serials is None:
            return Problem.A_CODE if spotter.holds_code([plain]) else Problem.NOT_A_SERIAL
        if isinstance(serials, range) and not found and part == plain:
            return serials
        found += serials
    return found


@sensitive_variables()
def _serials_of(part: str) -> Sequence[int] | None:
    """A serial number, a range, or several numbers with spaces between; None where it is anything else."""
    if not part:
        return ()
    if ends := _RANGE.fullmatch(part):
        first, last = (int(re.sub(r"\D", "", end)) for end in ends.groups())
        if not FIRST_SERIAL <= first <= last <= LAST_SERIAL:
            return None
        if last - first >= MOST_CARDS:
            raise LinesError(f"A report has at most {MOST_CARDS:,} cards, and {first}–{last} has more: divide it.")
        return range(first, last + 1)
    if serial := read_serial(part):
        return (serial,)
    several = [read_serial(word) for word in part.split()]
    return [serial for serial in several if serial] if all(several) else None


_PROBLEMS = {
    code_lists.Reason.TOO_FEW_COLUMNS: Problem.TOO_FEW_COLUMNS,
    code_lists.Reason.LINE_TOO_LONG: Problem.UNREADABLE,
}


@sensitive_variables("rows", "text")
def _cells_of_text(file: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    try:
        layout = code_lists.layout_of(file, _SERIALS)
        for rows in code_lists.rows_of(file, layout, _BLOCK):
            bad: list[tuple[int, str | Problem]] = [
                (problem.line, _PROBLEMS.get(problem.reason, Problem.NOT_A_SERIAL)) for problem in rows.problems
            ]
            good: list[tuple[int, str | Problem]] = [
                (line, Problem.UNREADABLE if "\ufffd" in text or "\0" in text else text)
                for line, text in zip(rows.lines, rows.texts, strict=True)
            ]
            yield from sorted(good + bad, key=lambda cell: cell[0]) if bad else good
    except code_lists.ListError:
        raise LinesError(
            "No column of this file looks like serial numbers: put them into one column, ten digits each."
        ) from None


@sensitive_variables("row", "rows", "held")
def _cells_of_workbook(file: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    try:
        rows = _rows_of_workbook(file)
        held = list(islice(rows, _HELD))
        column = _column_of(row for _, row in held)
        if held and not _is_number(held[0][1].get(column, "")):
            del held[0]
        for number, row in chain(held, rows):
            yield number, row.get(column, "")
    except LinesError:
        raise
    # Whatever a spoilt file makes the reader raise.
    except Exception:
        raise LinesError("This Excel file cannot be read: save it again, or as CSV.") from None


@sensitive_variables("row")
def _rows_of_workbook(file: BinaryIO) -> Iterator[tuple[int, dict[int, str]]]:
    """The first sheet's rows that have something in them, and their texts by column."""
    with zipfile.ZipFile(file) as parts:
        if sum(part.file_size for part in parts.infolist()) > _LARGEST_WORKBOOK:
            raise LinesError("This Excel file is too large: save the column of serial numbers as CSV.")
    book = load_workbook(file, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(max_row=_MOST_ROWS, max_col=_MOST_COLUMNS, values_only=True)
        for number, row in enumerate(rows, start=1):
            if texts := {place: _text_of(value) for place, value in enumerate(row) if value is not None}:
                yield number, texts
    finally:
        book.close()


def _text_of(value: object) -> str:
    """As it reads on the sheet: Excel keeps whole numbers as fractions at times."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _column_of(rows: Iterable[dict[int, str]]) -> int:
    counts = Counter(place for row in rows for place, text in row.items() if _is_number(text))
    if not counts:
        raise LinesError("No column of the first sheet looks like serial numbers: ten digits each.")
    return max(counts, key=lambda place: (counts[place], -place))


def _is_number(text: str) -> bool:
    return read_serial(text) is not None or _RANGE.fullmatch(text) is not None
