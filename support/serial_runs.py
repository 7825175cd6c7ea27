"""Runs of serial numbers in which more cards were tried than lie there by chance: a scan over the cards that were
tried, in the order in which they were printed. Boxes, shelves and pallets hold consecutive numbers, and so does what a
thief gets hold of."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log

# Three neighbours are a family's presents; from four on somebody should look.
LEAST = 4
# A display hook or a small box.
REACH = 100
# What is looked at is about as much as there are cards that were tried. Of a hundred thousand a month, one run in ten
# months comes about by chance.
UNLIKELY = 1e-6


@dataclass(frozen=True, slots=True)
class Run:
    """`tried` cards from the `first` to the `last` serial number, both of them tried, where `expected` are usual."""

    first: int
    last: int
    tried: int
    expected: float
    chance: float

    @property
    def cards(self) -> int:
        return self.last - self.first + 1


@lru_cache(maxsize=100_000)
def chance_of(count: int, expected: float) -> float:
    """That there are `count` or more where so many are expected and each comes by itself (Poisson's distribution).

    For cards, of which each is tried or not, it is a little more than it should be: never a sign too many.
    """
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    if count <= expected:
        # Likely, and so reckoned from the other side.
        return 1.0 - sum(_exactly(each, expected) for each in range(count))
    total, each = 0.0, count
    while (term := _exactly(each, expected)) > total * 1e-12:
        total, each = total + term, each + 1
    return min(total, 1.0)


def _exactly(count: int, expected: float) -> float:
    return exp(count * log(expected) - expected - lgamma(count + 1))


def find_runs(serials: Sequence[int], *, exposed: int, usual: float) -> list[Run]:
    """The longest runs that hold together: each of their cards lies in a stretch of at most REACH serial numbers with
    LEAST cards or more that chance does not bring together, and such stretches that share a card are one run.

    `serials` are a batch's tried cards in order, each once; `exposed` how many of its cards could have been tried; at
    least `usual` of them are, each by itself. Looks at no more than REACH stretches a card.
    """
    runs: list[Run] = []
    begin = end = -1
    for first in range(len(serials)):
        last = _furthest(serials, first, exposed, usual)
        if last < 0:
            continue
        if first > end:
            if end >= 0:
                runs.append(_measured(serials, begin, end, exposed, usual))
            begin = first
        end = max(end, last)
    if end >= 0:
        runs.append(_measured(serials, begin, end, exposed, usual))
    return runs


def _furthest(serials: Sequence[int], first: int, exposed: int, usual: float) -> int:
    """Where the longest unusual stretch from this card on ends; -1 where none does."""
    reach = bisect_left(serials, serials[first] + REACH, first)
    for last in range(reach - 1, first + LEAST - 2, -1):
        if _measured(serials, first, last, exposed, usual).chance < UNLIKELY:
            return last
    return -1


def _measured(serials: Sequence[int], first: int, last: int, exposed: int, usual: float) -> Run:
    tried, cards = last - first + 1, serials[last] - serials[first] + 1
    # What is usual for the batch, but for this stretch: else a run in a small batch would excuse itself.
    rate = max(usual, (len(serials) - tried) / max(exposed - cards, 1))
    # The stretch begins where a card was tried: the question is how many more lie beside that one.
    return Run(serials[first], serials[last], tried, rate * cards, chance_of(tried - 1, rate * (cards - 1)))
