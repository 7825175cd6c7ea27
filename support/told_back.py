"""Texts of a retailer's people and of customers, who read again what is kept of them.

A supplier's code without a check symbol is masked only where a card has it, so a mask tells that a guess was right.
What may be such a guess is counted, for the whole retailer or the customer, and above the limit nothing is looked up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from redemption import throttle
from redemption.code_spans import CodeSpans
from redemption.models import Retailer, ThrottleScope, User
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


@dataclass(frozen=True, slots=True)
class _Writer:
    """Against whom guesses are counted, and how many there may be; and what he is told above that."""

    scope: ThrottleScope
    key: str
    most: int
    too_many_at_once: str
    too_many: str


@sensitive_variables()
def told_back(texts: Mapping[str, str], *, retailer: Retailer, now: datetime) -> ToldBack:
    """The texts without codes. Counts in transactions of its own, so that no refusal afterwards gives a guess back."""
    writer = _Writer(
        ThrottleScope.RETAILER,
        str(retailer.pk),
        settings.ATTEMPTS_PER_RETAILER,
        "There are too many numbers in what you write: serial numbers go into the list of cards.",
        "Today too many numbers were written that could be codes: leave them out of what you write, "
        "receipt numbers too, and send it again. Serial numbers in the list of cards are always taken.",
    )
    return _told_back(texts, writer, now)


@sensitive_variables()
def told_back_to_customer(texts: Mapping[str, str], *, customer: User, now: datetime) -> ToldBack:
    """The same of a customer's texts."""
    writer = _Writer(
        ThrottleScope.CUSTOMER,
        f"words:{customer.pk}",
        settings.ATTEMPTS_PER_CUSTOMER,
        "There are too many numbers in what you write: leave out what we do not need.",
        "Too many numbers that could be codes were written today: leave them out of what you write, receipt numbers "
        "too, and send it again. A photo of the receipt says the same.",
    )
    return _told_back(texts, writer, now)


@sensitive_variables()
def _told_back(texts: Mapping[str, str], writer: _Writer, now: datetime) -> ToldBack:
    spans = CodeSpans()
    guesses = sum(spans.guesses(text) for text in texts.values())
    if guesses > _MOST_AT_ONCE:
        raise GuessError(writer.too_many_at_once)
    limit = throttle.Limit(writer.most, timedelta(hours=settings.ATTEMPT_WINDOW_HOURS))
    for _ in range(guesses):
        if throttle.hit(writer.scope, writer.key, limit, now):
            raise GuessError(writer.too_many)
    redacted = {name: redact(text, is_told_back=True).text for name, text in texts.items()}
    return ToldBack(redacted, redacted != dict(texts))
