"""What customers and shops write to the demo's desk, and what was answered: texts only, by theme."""

from support.demo.cases import accounts, cards, others, outages, shops
from support.demo.cases.case import Case, Said

CASES: tuple[Case, ...] = (*cards.CASES, *accounts.CASES, *outages.CASES, *shops.CASES, *others.CASES)

__all__ = ["CASES", "Case", "Said"]
