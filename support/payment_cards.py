"""Payment card numbers in running text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.views.decorators.debug import sensitive_variables

from redemption.code_words import Gap, Word, runs

# First digits from and to, and how many digits such a number has.
_ISSUERS = (
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14,)),  # Diners Club
    ("36", "36", (14,)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("6011", "6011", (16, 17, 18, 19)),  # Discover
    ("644", "659", (16, 17, 18, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("5018", "5018", (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    ("5020", "5020", (13, 14, 15, 16, 17, 18, 19)),
    ("5038", "5038", (13, 14, 15, 16, 17, 18, 19)),
    ("6304", "6304", (16, 17, 18, 19)),
    ("6759", "6763", (16, 17, 18, 19)),
)
_LONGEST = 19
# As cards print them; among other numbers only these are looked for.
_PRINTED = {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 3, 3, 3)}


@dataclass(frozen=True, slots=True)
class PaymentCard:
    """text[start:end] is a payment card's number, of which only the last four digits are kept."""

    start: int
    end: int
    last_four: str


@sensitive_variables()
def payment_cards(text: str) -> Iterator[PaymentCard]:
    for run in runs(text):
        digits: list[Word] = []
        for word in run:
            between = text[digits[-1].end : word.start] if digits else ""
            if digits and (word.gap is Gap.APART and between.strip() not in {".", "/", "_", "*", "·"}):
                yield from _among(digits, text)
                digits = []
            if word.text.isdigit():
                digits.append(word)
                continue
            yield from _among(digits, text)
            digits = []
            yield from _stuck(word)
        yield from _among(digits, text)


@sensitive_variables()
def _among(words: Sequence[Word], text: str) -> Iterator[PaymentCard]:
    """In numbers that stand in a row: all of them together, or some that are grouped as on a card."""
    if sum(len(word.text) for word in words) < 13 or text[max(words[0].start - 1, 0) : words[0].start] == "+":
        return
    number = "".join(word.text for word in words)
    is_grouped = len(words) > 1
    if is_payment_card(number) and not (is_grouped and (len(number) == 13 or _has_apart(words))):
        yield PaymentCard(words[0].start, words[-1].end, number[-4:])
        return
    place = after = 0
    while place < len(words):
        end = place
        # What follows another group of four belongs to a longer number.
        if place == after or len(words[place - 1].text) != 4:
            end = _end_of_printed(words, place)
        if end > place:
            number = "".join(word.text for word in words[place:end])
            yield PaymentCard(words[place].start, words[end - 1].end, number[-4:])
            place = after = end
        else:
            place += 1


def _end_of_printed(words: Sequence[Word], place: int) -> int:
    for count in (5, 4, 3, 1):
        part = words[place : place + count]
        is_printed = count == 1 or tuple(len(word.text) for word in part) in _PRINTED
        if len(part) == count and is_printed and is_payment_card("".join(word.text for word in part)):
            return place + count
    return place


def _stuck(word: Word) -> Iterator[PaymentCard]:
    """A number with a word stuck to it."""
    number = word.text.strip("abcdefghijklmnopqrstuvwxyz")
    if number.isdigit() and word.end - word.start == len(word.text) and is_payment_card(number):
        start = word.start + word.text.index(number)
        yield PaymentCard(start, start + len(number), number[-4:])


def _has_apart(words: Sequence[Word]) -> bool:
    return any(word.gap is Gap.APART for word in words[1:])


@sensitive_variables()
def is_payment_card(number: str) -> bool:
    """Whether digits are a number that an issuer gives: its range and length, and Luhn's check digit."""
    return (
        13 <= len(number) <= _LONGEST
        and any(len(number) in lengths and first <= number[: len(first)] <= last for first, last, lengths in _ISSUERS)
        and _luhn_holds(number)
    )


def _luhn_holds(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
