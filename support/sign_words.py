"""What a sign says, in words: the numbers that raised it."""

from support.models import CardSign, CardSignKind

_ANSWERED = {
    CardSignKind.ALREADY_REDEEMED: "answered “already redeemed” to somebody else",
    CardSignKind.NOT_ACTIVATED: "were tried before they were sold",
}
_RAREST = 10**12
_SIZES = ((10**9, " billion"), (10**6, " million"), (1, ""))


def where(sign: CardSign) -> str:
    """“1000000120 to 1000000138”, “the whole batch”, or one number."""
    if not sign.is_run:
        return "The whole batch"
    if sign.first_serial == sign.last_serial:
        return f"Card {sign.first_serial}"
    return f"{sign.first_serial} to {sign.last_serial}"


def numbers(sign: CardSign) -> str:
    """“7 of 120 cards were tried before they were sold, where 0.4 would be usual.”"""
    if sign.cards == 1:
        times = "once" if sign.tries == 1 else f"{sign.tries:,} times"
        return f"Tried {times} before it was sold, and sold since: somebody knew the code of a card on the shelf."
    # Of a batch, what lies in runs is told with them.
    beside = "" if sign.is_run else ", besides those in runs"
    answered = _ANSWERED[CardSignKind(sign.kind)]
    return (
        f"{sign.tried:,} of {sign.cards:,} cards {answered}{beside}, where {_small(sign.expected)} would be usual"
        f" ({sign.tries:,} {'try' if sign.tries == 1 else 'tries'})."
    )


def by_chance(sign: CardSign) -> str:
    """“1 in 3.2 million”: how rarely so many come together if nothing is wrong. "" of one card, which is raised for
    what it is."""
    if sign.cards == 1:
        return ""
    if sign.chance * _RAREST < 1:
        return "less than 1 in a million million"
    times = 1 / sign.chance
    # Two digits: it is an estimate.
    size, word = next((size, word) for size, word in _SIZES if times >= size)
    few = float(f"{times / size:.2g}")
    return f"1 in {few:,.0f}{word}" if few >= 10 else f"1 in {few:g}{word}"


def _small(count: float) -> str:
    if count < 0.01:
        return "less than 0.01"
    return f"{count:.2f}" if count < 0.1 else f"{count:.1f}" if count < 10 else f"{count:,.0f}"
