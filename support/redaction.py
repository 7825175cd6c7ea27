"""Codes out of texts, before they are stored: a mask stays, and the card that it was is linked."""

import re
import unicodedata
from dataclasses import dataclass, field

from django.views.decorators.debug import sensitive_variables

from redemption.code_spans import CodeSpans
from support.payment_cards import payment_cards

# For a code that no card has: nothing of it is shown, since it may be nearly one.
UNKNOWN_CODE = "[code]"
LONGEST_NAME = 120
_LONGEST_SUFFIX = 12


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without codes and payment card numbers, and the serial numbers of the cards that stood in it."""

    text: str
    serials: list[int] = field(default_factory=list)


@sensitive_variables()
def redact(text: str, *, is_told_back: bool = False) -> Redacted:
    """Masks every code and payment card number; all other text stays as it is. Redacting twice is redacting once.

    `is_told_back`: whoever wrote it reads what is stored, and may not see by the mask that a code is one of ours.

    A card is linked by its exact code only. One slip away from a card's code, a text is masked and says nothing of
    that card: an answer would help whoever guesses.
    """
    spans = CodeSpans()
    serials: list[int] = []
    # Where a mask now stands, a word beside it is no longer stuck to anything: it is looked at once more.
    while True:
        masked = _without_payment_cards(text)
        parts, end = [], 0
        for span in spans.find(masked):
            before = masked[max(span.start - 1, 0) : span.start]
            is_stuck = before.isascii() and before.isalnum()
            mask = "" if is_told_back else span.bare_mask if is_stuck else span.mask
            parts += [masked[end : span.start], mask or UNKNOWN_CODE]
            end = span.end
            serials += span.serials
        masked = "".join([*parts, masked[end:]])
        if masked == text:
            return Redacted(text, [] if is_told_back else list(dict.fromkeys(serials)))
        text = masked


@sensitive_variables()
def _without_payment_cards(text: str) -> str:
    parts, end = [], 0
    for card in payment_cards(text):
        parts += [text[end : card.start], f"[payment card …{card.last_four}]"]
        end = card.end
    return "".join([*parts, text[end:]])


@sensitive_variables()
def redact_name(file_name: str) -> str:
    """What a sender's file may be called: its last part, on one line, without codes; the ending is kept."""
    last = re.split(r"[/\\]", file_name)[-1]
    kept = "".join(symbol for symbol in last if unicodedata.category(symbol) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    name = redact(kept.strip(" .")).text
    stem, dot, suffix = name.rpartition(".")
    if stem and len(suffix) <= _LONGEST_SUFFIX:
        ending = dot + suffix
        return stem[: LONGEST_NAME - len(ending)].rstrip() + ending
    return name[:LONGEST_NAME] or "file"
