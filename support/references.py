"""References as people type and spell them: AC-… accounts, AT-… attempts, BA-… batches, CR-… credits,
IN-… invoices, RP-… reports of compromised cards, TK-… tickets, NO-… untried codes."""

import re
import unicodedata

from redemption.code_format import CROCKFORD, MAX_TYPED, CodePattern
from redemption.models import FIRST_SERIAL, LAST_SERIAL

_SYMBOLS = {"AC": 12, "AT": 12, "BA": 12, "CR": 12, "IN": 12, "RP": 12, "TK": 12, "NO": 32}
_READING = CodePattern(alphabet=CROCKFORD, length=12)


def read_reference(text: str) -> str | None:
    """The reference that a text spells, in its written form: case, spaces, dashes and look-alikes are forgiven."""
    symbols = _READING.symbols(text) or ""
    kind, body = symbols[:2], _READING.meant(symbols[2:])
    if _SYMBOLS.get(kind) != len(body) or body.strip(CROCKFORD):
        return None
    return "-".join([kind, *re.findall("....", body)])


def read_serial(text: str) -> int | None:
    """The serial number that a text spells: ten digits of any script, grouped by spaces, dashes, points or commas."""
    if len(text) > MAX_TYPED:
        return None
    kept = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text))
    serial = int(kept) if len(kept) == 10 and kept.isdecimal() else 0
    return serial if FIRST_SERIAL <= serial <= LAST_SERIAL else None
