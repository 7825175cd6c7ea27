"""Codes one slip away from what was typed: an agent's "did you mean". Never offered to a customer.

Exactly one slip is undone: a symbol wrong, missing or extra, two neighbours swapped, or the prefix misspelt.
The caller looks all candidates up by their digests, so one that is no card's is never shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from redemption.code_format import CodePattern, Outcome, fold_prefix, symbol_between


class SlipKind(Enum):
    WRONG = "wrong"
    MISSING = "missing"
    EXTRA = "extra"
    SWAPPED = "swapped"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Slip:
    """A code that was perhaps meant, and what slipped. The code stays out of the repr.

    `position` counts the body's symbols from 1, without prefix and dashes: as typed for a wrong or extra
    symbol and for the first of two swapped ones, as printed for a missing one; 0 for the prefix.
    """

    kind: SlipKind
    position: int
    code: str = field(repr=False)


def slips(pattern: CodePattern, text: str) -> list[Slip]:
    """Every code of the pattern that is exactly one slip away from the text, each once.

    Wrong symbols come first, then missing, extra, swapped, prefix, each from left to right. The text counts
    both with and without its prefix. With a check symbol a reading has at most one code per kind and
    position; without one, as many as the alphabet has symbols.
    """
    symbols = pattern.symbols(text)
    if not symbols or not -1 <= len(symbols) - pattern.length <= len(pattern.prefix) + 1:
        return []
    found: dict[str, Slip] = {}
    for kind, undo in _UNDOING.items():
        for position, code in undo(pattern, symbols):
            found.setdefault(code, Slip(kind, position, code))
    read = pattern.read(text)
    if read.outcome is Outcome.WELL_FORMED:
        found.pop(read.code, None)
    return list(found.values())


def describe(slip: Slip) -> str:
    """A sentence for the agent: what slipped and where, without a symbol of the code that was meant."""
    place = slip.position
    match slip.kind:
        case SlipKind.WRONG:
            return f"The {_ordinal(place)} symbol is wrong"
        case SlipKind.MISSING if place == 1:
            return "A symbol is missing before the 1st"
        case SlipKind.MISSING:
            return f"A symbol is missing after the {_ordinal(place - 1)}"
        case SlipKind.EXTRA:
            return f"The {_ordinal(place)} symbol is one too many"
        case SlipKind.SWAPPED:
            return f"The {_ordinal(place)} and {_ordinal(place + 1)} symbols are swapped"
        case SlipKind.PREFIX:
            return "The prefix is misspelt"


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 11 <= number <= 13 else endings.get(number % 10, 'th')}"


# --- Undoing: each yields (position, code) for one kind of slip; the code as typed may be among them.


def _bodies(pattern: CodePattern, symbols: str, length: int) -> Iterator[str]:
    """The text's body where it has this many symbols: read without, and with, an intact prefix."""
    if len(symbols) == length:
        yield pattern.meant(symbols)
    cut = len(pattern.prefix)
    if cut and len(symbols) == cut + length and pattern.is_prefix(symbols[:cut]):
        yield pattern.meant(symbols[cut:])


def _filled(pattern: CodePattern, before: str, after: str) -> Iterator[str]:
    """Every code that differs from before + ? + after in the one unknown symbol."""
    if (before + after).strip(pattern.alphabet):
        return
    for symbol in symbol_between(before, after) if pattern.check_symbol else pattern.alphabet:
        yield before + symbol + after


def _wrong(pattern: CodePattern, symbols: str) -> Iterator[tuple[int, str]]:
    for body in _bodies(pattern, symbols, pattern.length):
        for place in range(pattern.length):
            for code in _filled(pattern, body[:place], body[place + 1 :]):
                yield place + 1, code


def _missing(pattern: CodePattern, symbols: str) -> Iterator[tuple[int, str]]:
    for body in _bodies(pattern, symbols, pattern.length - 1):
        for place in range(pattern.length):
            for code in _filled(pattern, body[:place], body[place:]):
                yield place + 1, code


def _extra(pattern: CodePattern, symbols: str) -> Iterator[tuple[int, str]]:
    for body in _bodies(pattern, symbols, pattern.length + 1):
        for place in range(len(body)):
            code = body[:place] + body[place + 1 :]
            if pattern.holds(code):
                yield place + 1, code


def _swapped(pattern: CodePattern, symbols: str) -> Iterator[tuple[int, str]]:
    for body in _bodies(pattern, symbols, pattern.length):
        for place in range(pattern.length - 1):
            code = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
            if pattern.holds(code):
                yield place + 1, code


def _misspelt_prefix(pattern: CodePattern, symbols: str) -> Iterator[tuple[int, str]]:
    if not pattern.prefix:
        return
    head, body = symbols[: -pattern.length], pattern.meant(symbols[-pattern.length :])
    if pattern.holds(body) and _one_slip_apart(fold_prefix(head), fold_prefix(pattern.prefix)):
        yield 0, body
    # The prefix's last symbol swapped with the body's first.
    cut = len(pattern.prefix)
    swapped = symbols[: cut - 1] + symbols[cut : cut + 1] + symbols[cut - 1 : cut] + symbols[cut + 1 :]
    body = pattern.meant(swapped[cut:])
    if pattern.is_prefix(swapped[:cut]) and pattern.holds(body):
        yield 0, body


_UNDOING = {
    SlipKind.WRONG: _wrong,
    SlipKind.MISSING: _missing,
    SlipKind.EXTRA: _extra,
    SlipKind.SWAPPED: _swapped,
    SlipKind.PREFIX: _misspelt_prefix,
}


def _one_slip_apart(typed: str, meant: str) -> bool:
    if len(typed) == len(meant):
        wrong = [place for place in range(len(meant)) if typed[place] != meant[place]]
        if len(wrong) == 2:
            first, second = wrong
            return second == first + 1 and typed[first] == meant[second] and typed[second] == meant[first]
        return len(wrong) == 1
    shorter, longer = sorted((typed, meant), key=len)
    return any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))
