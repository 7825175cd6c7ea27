"""Running text as words and what stands between them: codes are looked for in it, however their groups are parted."""

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from redemption.code_format import is_dash, is_invisible

# Between two groups of a code stands less than this.
_LONGEST_GAP = 40
_WORD = re.compile(r"[A-Za-z0-9]+")
_MARKS = re.compile(r"[-\s_./\\,:;|+*~'\"`()\[\]{}<>=#]+")
# Neither letter, mark nor space: two words with one of these between them have nothing to do with each other.
_BREAK, _NOTHING = "\x01", "\x00"

# Our own serial numbers and references; no format's codes may be one of theirs.
_PUBLIC = r"\d{10}|(?:AC|AT|BA|CR|IN|RP|TK)(?:-[0-9A-Z]{4}){3}|NO(?:-[0-9A-Z]{4}){8}"
# Others' numbers that have a shape of their own: UUIDs, parcels (UPS, post), a big shop's orders.
_OTHERS = (
    r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"
    r"|1Z ?[0-9A-Z]{3} ?[0-9A-Z]{3} ?\d\d ?\d{4} ?\d{4}|[A-Z]{2} ?\d{3} ?\d{3} ?\d{3} ?[A-Z]{2}"
    r"|\d{3}-\d{7}-\d{7}"
)
_KEPT = re.compile(rf"(?<![A-Z0-9])(?:{_PUBLIC}|{_OTHERS})(?![A-Z0-9])", re.IGNORECASE)
# What already stands for a code or a payment card. A mask's prefix is a word like others: a code may be stuck to it.
_MASKED = re.compile(r"\[code\]|\[payment card …\d{4}\]|•[•-]*•(?:-?[0-9A-Za-z]){0,4}")
_IBAN = re.compile(r"(?<![A-Z0-9])([A-Z]{2})\d\d(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24,
    "TR": 26,
}  # fmt: skip
# Marks of mail and web pages that part a code as spaces do: the quoting of a line, simple tags, spaces in code.
_MARKUP = re.compile(
    r"^[ \t]*(?:>[ \t]?)+"
    r"|</?(?:b|i|u|em|strong|span|font|code|tt|pre|p|div|br|wbr|td|tr|li|mark|small)\s*/?>"
    r"|&(?:nbsp|shy|ndash|mdash|minus|thinsp|ensp|emsp|zwnj|zwj|#8209|#8211|#8212|#160);|%(?:20|2D|C2%A0)",
    re.IGNORECASE | re.MULTILINE,
)


class Gap(Enum):
    """What stands before a word: nothing that counts (the run begins), dashes alone, spaces too, or other marks."""

    START = 0
    DASH = 1
    SPACE = 2
    APART = 3


class Word(NamedTuple):
    """ASCII letters and digits, and where they stand in the text: text[start:end] may hold more than `text`."""

    text: str
    start: int
    end: int
    gap: Gap


def runs(text: str) -> Iterator[list[Word]]:
    """Sequences of words with nothing but separators between them; public numbers, and what masks put in a code's
    place, are left out. Full-width and the like count as what they stand for, invisible characters as nothing.
    """
    plain = _MASKED.sub(_as_break, text)
    if not plain.isascii():
        plain = plain.translate({ord(symbol): _plain(symbol) for symbol in set(plain) if not symbol.isascii()})
    places: list[int] | None = None
    if _NOTHING in plain:
        places = [place for place, symbol in enumerate(plain) if symbol != _NOTHING]
        plain = plain.replace(_NOTHING, "")
    plain = _MARKUP.sub(lambda found: " " * len(found[0]), plain)
    plain = _IBAN.sub(_without_iban, _KEPT.sub(_as_break, plain))

    run: list[Word] = []
    ended = 0
    for found in _WORD.finditer(plain):
        first, end = found.span()
        gap = _gap(plain[ended:first]) if run and first - ended <= _LONGEST_GAP else None
        if gap is None and run:
            yield run
            run = []
        start, stop = (first, end) if places is None else (places[first], places[end - 1] + 1)
        run.append(Word(found[0], start, stop, gap or Gap.START))
        ended = end
    if run:
        yield run


@lru_cache(maxsize=2048)
def _gap(between: str) -> Gap | None:
    if not between.strip("-"):
        return Gap.DASH
    if not between.replace("-", " ").strip():
        return Gap.SPACE
    return Gap.APART if _MARKS.fullmatch(between) else None


@lru_cache(maxsize=4096)
def _plain(symbol: str) -> str:
    """The one ASCII character that another stands for."""
    if is_invisible(symbol) or unicodedata.category(symbol) in ("Mn", "Me"):
        return _NOTHING
    if is_dash(symbol):
        return "-"
    if symbol.isspace():
        return "\n" if symbol in "\x85\u2028\u2029" else " "
    if symbol in "ıİ":
        return "I"
    meant = unicodedata.normalize("NFKC", symbol)
    kept = [part for part in meant if part.isascii() and part.isalnum()]
    if len(kept) == 1 and meant.isascii():
        return kept[0]
    return meant if len(meant) == 1 and meant.isascii() else _BREAK


def _as_break(found: re.Match[str]) -> str:
    return _BREAK * len(found[0])


def _without_iban(found: re.Match[str]) -> str:
    """Account numbers broken off: of a country's length, with its check digits or of digits alone."""
    length = _IBAN_LENGTHS.get(found[1].upper(), 0)
    taken = end = 0
    for place, symbol in enumerate(found[0]):
        if symbol.isalnum():
            taken += 1
        if taken == length:
            end = place + 1
            break
    if not end or found[0][end : end + 1].isalnum():
        return found[0]
    symbols = re.sub(r"[ -]", "", found[0][:end]).upper()
    if not re.fullmatch(r"[A-Z]{0,4}\d{11,}", symbols[4:]) and not _iban_holds(symbols):
        return found[0]
    return _BREAK * end + found[0][end:]


def _iban_holds(symbols: str) -> bool:
    return int("".join(str(int(symbol, 36)) for symbol in symbols[4:] + symbols[:4])) % 97 == 1
