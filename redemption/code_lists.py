"""Suppliers' lists of codes, as they come: any encoding, delimiter and heading, line by line in little memory.

A physical line is a row, whatever its quotes say: an unclosed one spoils its own line and not the rest of the file.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import BinaryIO

from redemption.code_format import MAX_TYPED, CodePattern, Outcome

MAX_LINE = 4_000

_DELIMITERS = ",;\t"
_BLOCK = 1 << 18
_SAMPLE = 50
# A file that begins with one of these says its encoding itself. UTF-32 before UTF-16, which begins alike.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNDECODABLE = "\ufffd"


class ListError(Exception):
    """The file as a whole cannot be read as a list of codes; the message is a sentence for whoever asked."""


class Reason(StrEnum):
    """Why a line was not imported. Never says what stood in it."""

    NO_CODE = "There is no code in this line."
    LINE_TOO_LONG = f"The line has more than {MAX_LINE:,} characters."
    TOO_FEW_COLUMNS = "The line ends before the column of codes."
    UNDECODABLE = "The code has bytes that are not of the file's encoding."
    NUL = "The code has a NUL byte."
    SLIP = "The code's check symbol does not fit: it was copied or cut off wrongly."
    NOT_THE_FORMAT = "This is not the form of the program's codes."
    TWICE_IN_FILE = "The same code stands further up in the file."
    KNOWN = "The program has this code already."


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that was not imported. Lines count from 1, as an editor shows them."""

    line: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read. `column` counts from 0; with `heading` the first line with content names columns."""

    encoding: str
    delimiter: str
    column: int
    heading: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Some lines' texts in the column of codes, with their line numbers, and what is wrong with other lines.

    `read` counts the file's lines so far. The texts stay out of the repr.
    """

    texts: list[str] = field(repr=False)
    lines: list[int] = field(repr=False)
    problems: list[Problem]
    read: int


def layout_of(source: BinaryIO, pattern: CodePattern, *, encoding: str = "", column: str = "") -> Layout:
    """Find out how a file is laid out, from its first lines. Leaves the source at its start.

    `encoding` is a codec's name, else UTF-8, or what a byte order mark at the start says. `column` is a heading, or a
    number from 1; left out, it is the one whose entries look like the program's codes.
    """
    source.seek(0)
    start = source.read(4)
    encoding = encoding or next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    except (LookupError, ValueError):
        raise ListError(f"There is no encoding “{encoding[:40]}”; write one like utf-8, utf-16 or latin-1.") from None
    sample = [line for line in next(_lines(source, encoding, _SAMPLE), []) if line.strip()]
    if not sample:
        raise ListError("The file is empty.")
    delimiter = max(_DELIMITERS, key=sample[0].count)
    table = [_fields(line, delimiter) for line in sample]
    if column and not column.isdecimal():
        return Layout(encoding, delimiter, _with_heading(table[0], column), heading=True)
    chosen = _numbered(table[0], column) if column else _looking_like_codes(table, pattern)
    return Layout(encoding, delimiter, chosen, heading=_is_heading(table[0], chosen, pattern))


def _numbered(first: list[str], column: str) -> int:
    if len(column) > 4 or not 1 <= int(column) <= len(first):
        raise ListError(f"The file has {len(first)} columns: there is none numbered {column[:20]}.")
    return int(column) - 1


def _with_heading(first: list[str], column: str) -> int:
    headings = [_folded(name) for name in first]
    if headings.count(_folded(column)) != 1:
        raise ListError(f"Not exactly one column has the heading “{column[:40]}”.")
    return headings.index(_folded(column))


def _looking_like_codes(table: list[list[str]], pattern: CodePattern) -> int:
    """The column with the most entries of the pattern's form; a sole column in any case."""
    width = len(table[0])
    if width == 1:
        return 0
    held = [sum(len(row) > place and _is_code(row[place], pattern) for row in table) for place in range(width)]
    if not any(held):
        raise ListError("No column looks like the program's codes: name theirs.")
    if held.count(max(held)) > 1:
        raise ListError("Several columns look like the program's codes: name the right one.")
    return held.index(max(held))


def _is_heading(first: list[str], column: int, pattern: CodePattern) -> bool:
    """A first entry without a digit that has not the form of a code; a mistyped code is no heading."""
    entry = first[column]
    return pattern.read(entry).outcome is Outcome.UNRECOGNISED and not any(symbol.isdecimal() for symbol in entry)


def _is_code(text: str, pattern: CodePattern) -> bool:
    return pattern.read(text).outcome is Outcome.WELL_FORMED


def _folded(name: str) -> str:
    return name.strip(" \ufeff").casefold()


def rows_of(source: BinaryIO, layout: Layout, count: int) -> Iterator[Rows]:
    """The file's rows, at most `count` lines at a time. Blank lines and the heading are no rows."""
    source.seek(0)
    read = 0
    heading = layout.heading
    for lines in _lines(source, layout.encoding, count):
        rows = Rows([], [], [], read + len(lines))
        for line_number, line in enumerate(lines, start=read + 1):
            fields = _fields(line, layout.delimiter)
            text = fields[layout.column] if len(fields) > layout.column else ""
            # By far the most lines have a text here, so this is asked first.
            if not heading and len(line) <= MAX_LINE and text.strip():
                rows.texts.append(text)
                rows.lines.append(line_number)
            elif not line.strip(_BLANK_LINE):
                continue
            elif heading:
                heading = False
            else:
                rows.problems.append(Problem(line_number, _spoilt(line, fields, layout)))
        read = rows.read
        yield rows


_BLANK_LINE = " \t,;\"'\ufeff"


def _spoilt(line: str, fields: list[str], layout: Layout) -> Reason:
    if len(line) > MAX_LINE:
        return Reason.LINE_TOO_LONG
    return Reason.TOO_FEW_COLUMNS if len(fields) <= layout.column else Reason.NO_CODE


def reason_for(text: str, pattern: CodePattern) -> Reason:
    """What is wrong with a text that is no code of the pattern."""
    if _UNDECODABLE in text:
        return Reason.UNDECODABLE
    if "\0" in text:
        return Reason.NUL
    match pattern.read(text[: MAX_TYPED + 1]).outcome:
        case Outcome.BLANK:
            return Reason.NO_CODE
        case Outcome.SLIP:
            return Reason.SLIP
        case _:
            return Reason.NOT_THE_FORMAT


def _fields(line: str, delimiter: str) -> list[str]:
    if '"' in line[:MAX_LINE]:
        return next(csv.reader([line[:MAX_LINE]], delimiter=delimiter), [])
    return line.split(delimiter)


def _lines(source: BinaryIO, encoding: str, count: int) -> Iterator[list[str]]:
    """The file's lines without their ends, `count` at a time; of one that is too long, not much more than its start.

    Whatever cannot be decoded becomes U+FFFD.
    """
    source.seek(0)
    text = io.TextIOWrapper(source, encoding=encoding, errors="replace")
    try:
        every = _split(text)
        while lines := list(islice(every, count)):
            yield lines
    except UnicodeError:
        # UTF-16 and UTF-32 raise for a missing byte order mark where "replace" has nothing to replace.
        raise ListError(f"The file is not {encoding.upper()}.") from None
    finally:
        # Or the wrapper would close a file that is not its own.
        text.detach()


def _split(text: io.TextIOWrapper) -> Iterator[str]:
    # Not the file's own iterator: it would read a line of a gigabyte into memory.
    kept = ""
    while block := text.read(_BLOCK):
        *lines, rest = block.split("\n")
        if lines:
            yield kept + lines[0]
            yield from islice(lines, 1, None)
            kept = rest
        else:
            kept = kept[: MAX_LINE + 1] + rest
    if kept:
        yield kept
