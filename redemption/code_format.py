"""Codes as text: reading what a person typed, the check symbol, making, printing and masking codes.

A *code* here is always the normalised body: `length` symbols of the pattern's alphabet, with the check
symbol, without prefix and grouping. Only that form is digested, compared or made.
"""

import re
import secrets
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from string import ascii_lowercase, ascii_uppercase

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CROCKFORD_LOOK_ALIKES = (("O", "0"), ("I", "1"), ("L", "1"))

# Longer texts are no codes, whatever they hold, and are not looked into: time and memory do not grow with
# them.
MAX_TYPED = 300
MAX_LINK = 500

# Dashes and invisible characters that are not of the categories Pd and Cf: minus sign, swung dash, hyphen
# bullet, the long-vowel mark that Japanese keyboards give for a hyphen; the grapheme joiner, Hangul fillers,
# blank Braille, and the variation selectors that pasted emoji digits carry.
_DASHES = "\u2212\u2053\u2043\u30fc"
_DROPPED_ASCII = bytes(symbol for symbol in range(128) if chr(symbol).isspace()) + b"-"
_INVISIBLE = "\u034f\u115f\u1160\u2800\u180b\u180c\u180d" + "".join(map(chr, range(0xFE00, 0xFE10)))

# The 26 letters, and the dotless and dotted i of a Turkish keyboard; str.upper would make two symbols of "ß".
_TO_UPPER = str.maketrans(ascii_lowercase + "ıİ", ascii_uppercase + "II")
_FOLD_LOOK_ALIKES = str.maketrans(dict(CROCKFORD_LOOK_ALIKES))


class Outcome(Enum):
    BLANK = "blank"
    UNRECOGNISED = "unrecognised"
    SLIP = "slip"
    WELL_FORMED = "well formed"


@dataclass(frozen=True, slots=True)
class Read:
    """What a typed text turned out to be. `code` is empty unless well formed, and never shown in a repr."""

    outcome: Outcome
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CodePattern:
    """The shape of a program's codes: our own, or a supplier's.

    `length` counts symbols with the check symbol and without the prefix. `look_alikes` are (typed, meant)
    pairs; left out, they are Crockford's three for Crockford's alphabet and none for any other. `group`
    symbols are printed together. A pattern that could not be read back unambiguously raises ValueError.
    """

    alphabet: str
    length: int
    prefix: str = ""
    check_symbol: bool = False
    case_sensitive: bool = False
    look_alikes: tuple[tuple[str, str], ...] | None = None
    group: int = 4
    _meant: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pairs = self.look_alikes
        if pairs is None:
            pairs = CROCKFORD_LOOK_ALIKES if self.alphabet == CROCKFORD else ()
        if len(self.alphabet) < 2 or len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError("An alphabet has at least two symbols, each of them once.")
        if not self._survives_reading(self.alphabet):
            raise ValueError(
                "An alphabet consists of printable ASCII symbols without spaces and dashes,"
                " and without small letters unless it is case-sensitive."
            )
        if not 6 <= self.length <= 31:
            raise ValueError("A code has 6 to 31 symbols.")
        if self.check_symbol and self.alphabet != CROCKFORD:
            raise ValueError("The check symbol needs Crockford's 32 symbols, in their order.")
        if self.prefix and not (self.prefix.isalnum() and self._survives_reading(self.prefix)):
            raise ValueError("A prefix consists of ASCII letters and digits, in capitals unless case-sensitive.")
        for typed, meant in pairs:
            if len(typed) != 1 or typed in self.alphabet or not self._survives_reading(typed):
                raise ValueError("A look-alike is one typed ASCII symbol from outside the alphabet.")
            if len(meant) != 1 or meant not in self.alphabet:
                raise ValueError("A look-alike stands for one symbol of the alphabet.")
        if len({typed for typed, _ in pairs}) != len(pairs):
            raise ValueError("A look-alike stands for one symbol only.")
        if self.group < 1:
            raise ValueError("A printed group has at least one symbol.")
        object.__setattr__(self, "look_alikes", tuple((typed, meant) for typed, meant in pairs))
        object.__setattr__(self, "_meant", str.maketrans(dict(pairs)))

    def _survives_reading(self, symbols: str) -> bool:
        return symbols.isascii() and symbols.isprintable() and self.symbols(symbols) == symbols

    # --- Reading

    def symbols(self, text: str) -> str | None:
        """What is left of a typed text without spaces, dashes and invisible characters; in capitals.

        The prefix is still there, look-alikes are as typed, and so is case where the pattern is
        case-sensitive. None: the text is too long to be a code.
        """
        if len(text) > MAX_TYPED:
            return None
        kept = "".join(symbol for symbol in unicodedata.normalize("NFKC", text) if not _is_dropped(symbol))
        return kept if self.case_sensitive else kept.translate(_TO_UPPER)

    def meant(self, body: str) -> str:
        """The body with every look-alike replaced by what it stands for."""
        return body.translate(self._meant)

    def is_prefix(self, head: str) -> bool:
        """Whether these symbols are the prefix, look-alikes and case forgiven."""
        return fold_prefix(head) == fold_prefix(self.prefix)

    def body(self, symbols: str) -> str | None:
        """The body without the prefix, or None where the length fits neither with nor without it.

        The length decides, never the first letters: a body may begin with the letters of the prefix.
        """
        if len(symbols) == self.length:
            return self.meant(symbols)
        head, tail = symbols[: -self.length], symbols[-self.length :]
        return self.meant(tail) if len(tail) == self.length and self.is_prefix(head) else None

    def read(self, text: str) -> Read:
        """Say what a typed text is; any string is answered, without an exception, in bounded time.

        Where there is a check symbol, a letter or digit from outside the alphabet in a text of the right
        length is a slip like a failed check: it cannot be a code, and whoever typed it meant one.
        """
        symbols = self.symbols(text)
        if symbols == "":
            return Read(Outcome.BLANK)
        body = self.body(symbols) if symbols else None
        if body is None:
            return Read(Outcome.UNRECOGNISED)
        if self.holds(body):
            return Read(Outcome.WELL_FORMED, body)
        if self.check_symbol and body.isascii() and body.isalnum():
            return Read(Outcome.SLIP)
        return Read(Outcome.UNRECOGNISED)

    def holds(self, body: str) -> bool:
        """Whether a normalised body is a code: length, alphabet, and the check symbol where there is one."""
        # Stripping stops at the first foreign symbol from either end: nothing is left of a body without one.
        if len(body) != self.length or body.strip(self.alphabet):
            return False
        return not self.check_symbol or check_holds(body)

    def read_many(self, texts: Sequence[str]) -> list[bytes | None]:
        """The codes (ASCII) of many texts in their order, None where read() says anything but well formed."""
        # An import's million texts, mostly right, take a few steps of bytes each; read() decides on the rest.
        to_meant = self._ascii_table()
        prefix, alphabet = self.prefix.encode(), self.alphabet.encode()
        codes: list[bytes | None] = []
        for text in texts:
            body = b""
            if len(text) <= MAX_TYPED and text.isascii():
                typed = text.encode()
                body = typed.translate(to_meant, _DROPPED_ASCII)
                if len(body) == len(prefix) + self.length and typed.startswith(prefix):
                    body = body[len(prefix) :]
            if len(body) == self.length and not body.strip(alphabet):
                codes.append(body)
            else:
                code = self.read(text).code
                codes.append(code.encode() if code else None)
        if not self.check_symbol:
            return codes
        values = b"".join(filter(None, codes)).translate(_VALUE_OF_ASCII)
        sums = iter(_weighted_sums(values, self.length))
        return [code if code and next(sums) == 0 else None for code in codes]

    def _ascii_table(self) -> bytes:
        """A bytes.translate table that does to ASCII what reading does: capitals, then look-alikes."""
        symbols = bytes(range(128)).decode()
        if not self.case_sensitive:
            symbols = symbols.translate(_TO_UPPER)
        return self.meant(symbols).encode() + bytes(128)

    # --- Making

    def generate(self, count: int) -> list[bytes]:
        """`count` random codes (normalised, ASCII, check symbol included) from the system's secure source.

        Every code is equally likely, so two may be the same: whoever stores them looks for duplicates. Only
        patterns of 32 symbols are made here (ValueError): suppliers make their own.
        """
        if len(self.alphabet) != 32:
            raise ValueError("Only codes of 32 symbols are made here; a supplier's codes are imported.")
        if count < 0:
            raise ValueError("The number of codes is not negative.")
        free = self.length - self.check_symbol
        # 256 is a multiple of 32, so the low five bits of a random byte are uniform: nothing is thrown away.
        values = secrets.token_bytes(count * free).translate(_LOW_FIVE_BITS)
        codes = bytearray(count * self.length)
        for place in range(free):
            codes[place :: self.length] = values[place::free]
        if self.check_symbol:
            # The check symbol has weight one, so it is the sum of all others, one place further from the end.
            codes[free :: self.length] = _weighted_sums(values, free).translate(_TIMES[1])
        letters = codes.translate(self.alphabet.encode() * 8)
        return list(chain.from_iterable(struct.iter_unpack(f"{self.length}s", letters)))

    # --- Showing

    def display(self, code: str) -> str:
        """The code as printed on a card: prefix, then groups, between dashes."""
        groups = [code[start : start + self.group] for start in range(0, len(code), self.group)]
        return "-".join([self.prefix, *groups] if self.prefix else groups)

    def mask(self, last_four: str) -> str:
        """The code as it may be shown: everything but the last four symbols dotted out."""
        return self.display("•" * (self.length - len(last_four)) + last_four)


def is_dash(symbol: str) -> bool:
    return unicodedata.category(symbol) == "Pd" or symbol in _DASHES


def is_invisible(symbol: str) -> bool:
    return unicodedata.category(symbol) == "Cf" or symbol in _INVISIBLE


def _is_dropped(symbol: str) -> bool:
    return symbol.isspace() or is_dash(symbol) or is_invisible(symbol)


def fold_prefix(symbols: str) -> str:
    """A prefix to compare: it is no secret, so case and look-alikes are forgiven whatever the alphabet."""
    return symbols.translate(_TO_UPPER).translate(_FOLD_LOOK_ALIKES)


def last_four(code: str) -> str:
    """The part of a code that is kept in the clear, to tell cards apart."""
    return code[-4:]


def is_share_link(text: str, patterns: Sequence[str]) -> bool:
    """Whether a text is a link or share code to a title, by the program's own regular expressions.

    They are searched without regard to case in the first 500 characters, invisible ones dropped. The
    expressions are staff's: one that is invalid raises re.error, and one that backtracks is not tamed here.
    """
    shown = "".join(
        symbol
        for symbol in unicodedata.normalize("NFKC", text[:MAX_LINK])
        if unicodedata.category(symbol) not in ("Cf", "Cc") and symbol not in _INVISIBLE
    ).strip()[:MAX_LINK]
    return any(re.search(pattern, shown, re.IGNORECASE) for pattern in patterns)


# --- The check symbol: one equation over GF(32), the field of polynomials over GF(2) modulo x^5 + x^2 + 1.
#
# A symbol's value is its place in Crockford's alphabet, read as five coefficients. In a code, the sum of all
# symbols times alpha^(distance from the end) is zero, where alpha = x has order 31. So up to 31 symbols have
# distinct weights, none zero: a wrong symbol changes the sum by weight * difference, and swapping two symbols
# by (difference of their weights) * (difference of their values). Neither product is zero in a field.


def _multiplication_tables() -> list[bytes]:
    """For each exponent 0 to 31 a bytes.translate table that multiplies values by alpha^exponent."""
    table = bytes(range(32))
    tables = []
    for _ in range(32):
        tables.append(table * 8)
        table = bytes((value << 1) ^ (0b100101 if value & 0b10000 else 0) for value in table)
    return tables


_TIMES = _multiplication_tables()
_LOW_FIVE_BITS = bytes(range(32)) * 8
_VALUE = {symbol: value for value, symbol in enumerate(CROCKFORD)}
_VALUE_OF_ASCII = bytes(_VALUE.get(chr(symbol), 0) for symbol in range(256))


def _weighted_sum(symbols: str) -> int:
    total = 0
    for symbol in symbols:
        total = _TIMES[1][total] ^ _VALUE[symbol]
    return total


def _weighted_sums(values: bytes, length: int) -> bytes:
    """The weighted sum of each code, given the values of many codes of one length, end to end."""
    # Column by column over all codes at once: the loop runs `length` times, not once a code.
    count = len(values) // length
    sums = 0
    for place in range(length):
        column = values[place::length].translate(_TIMES[length - 1 - place])
        sums ^= int.from_bytes(column, "big")
    return sums.to_bytes(count, "big")


def check_holds(code: str) -> bool:
    """Whether a code in Crockford's symbols keeps its check equation; a foreign symbol does not."""
    return not code.strip(CROCKFORD) and _weighted_sum(code) == 0


def symbol_between(before: str, after: str) -> str:
    """The one symbol that makes before + symbol + after keep the check equation; at most 31 in all."""
    if (before + after).strip(CROCKFORD):
        raise ValueError("The check equation is over Crockford's symbols only.")
    # Dividing by alpha^n is multiplying by alpha^(31 - n): alpha has order 31.
    return CROCKFORD[_TIMES[31 - len(after)][_weighted_sum(before + "0" + after)]]


def check_symbol(body_without_check: str) -> str:
    """The symbol to append so that the code keeps its check equation (at most 30 symbols before it)."""
    return symbol_between(body_without_check, "")
