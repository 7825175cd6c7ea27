"""Texts of a retailer's people, who read again what is kept of them.

A supplier's code without a check symbol is masked only where a card has it, so a mask tells that a guess was right.
What may be such a guess is counted for the whole retailer, and above the limit nothing is looked up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from redemption import throttle
from redemption.code_spans import CodeSpans
from redemption.models import Retailer, ThrottleScope
from support.redaction import redact

# Of one form: nobody means that many receipts.
_MOST_AT_ONCE = 25


class GuessError(Exception):
    """Nothing was looked up and nothing is kept; the text says what to leave out."""


@dataclass(frozen=True, slots=True)
class ToldBack:
    """`is_masked`: a code, or a payment card's number, was taken out of one of them."""

    texts: dict[str, str]
    is_masked: bool


@sensitive_variables()
def told_back(texts: Mapping[str, str], *, retailer: Retailer, now: datetime) -> ToldBack:
    """The texts without codes. Counts in transactions of its own, so that no refusal afterwards gives a guess back."""
    spans = CodeSpans()
    guesses = sum(spans.guesses(text) for text in texts.values())
    if guesses > _MOST_AT_ONCE:
        raise GuessError("There are too many numbers in what you write: serial numbers go into the list of cards.")
    limit = throttle.Limit(settings.ATTEMPTS_PER_RETAILER, timedelta(hours=settings.ATTEMPT_WINDOW_HOURS))
    for _ in range(guesses):
        if throttle.hit(ThrottleScope.RETAILER, str(retailer.pk), limit, now):
            raise GuessError(
                "Today too many numbers were written that could be codes: leave them out of what you write, "
                "receipt numbers too, and send it again. Serial numbers in the list of cards are always taken."
            )
    redacted = {name: redact(text, is_told_back=True).text for name, text in texts.items()}
    return ToldBack(redacted, redacted != dict(texts))
