"""What a new installation begins with: reasons for credits, and limits that are better too narrow than too wide.

Managers change both; nothing brings them back.
"""

from collections.abc import Iterator
from typing import Any

from redemption.money import decimals
from redemption.roles import Role
from support.models.credit_policy import DAYS, Proof

# Slug, name, proof, whether a second person is always needed, when to use it.
REASONS = [
    (
        "stolen_before_sale",
        "Code stolen before sale",
        Proof.EITHER,
        False,
        "A stranger redeemed the card before the customer bought or opened it.",
    ),
    (
        "technical_failure",
        "Technical failure",
        Proof.NOTHING,
        False,
        "Our service failed, and the customer lost time or credit by it.",
    ),
    (
        "retailer_error",
        "Retailer’s error",
        Proof.RECEIPT,
        False,
        "The shop sold the wrong card, or never activated it and cannot any more.",
    ),
    (
        "goodwill",
        "Goodwill",
        Proof.NOTHING,
        False,
        "Nobody’s fault, and yet the customer should not go away like this.",
    ),
    (
        "correction",
        "Correction",
        Proof.NOTHING,
        True,
        "A credit or redemption of ours was booked wrongly. A colleague checks every one.",
    ),
    (
        "moved_card",
        "Card redeemed to the wrong account",
        Proof.CARD,
        True,
        "What a card gave goes over to another account of the same customer.",
    ),
]
MOVED_CARD = "moved_card"

# In whole euros or their like, and in days of premium time.
_NONE = dict.fromkeys(("single", "day", "week", "month", "account", "approves"), 0)
_LIMITS: dict[Role, dict[str, int]] = {
    Role.AGENT: {"single": 30, "day": 150, "week": 400, "month": 1_000, "account": 60, "approves": 0},
    Role.SENIOR_AGENT: {"single": 60, "day": 300, "week": 800, "month": 2_000, "account": 120, "approves": 150},
    Role.MANAGER: {"single": 150, "day": 600, "week": 1_500, "month": 4_000, "account": 300, "approves": 1_000},
    Role.ADMINISTRATOR: {**_NONE, "approves": 1_000},
}
# Credits in 24 hours, in 7 days and in 30, and to one account in 30.
_COUNTS = {Role.AGENT: (10, 30, 80, 3), Role.SENIOR_AGENT: (20, 60, 160, 4), Role.MANAGER: (20, 60, 160, 5)}
# What a euro is about, in whole units.
_ABOUT = {"SEK": 10, "JPY": 150}


def first_limits(currencies: list[str]) -> Iterator[dict[str, Any]]:
    """The fields of each CreditLimit of the first version."""
    for unit in [*currencies, DAYS]:
        scale = 1 if unit == DAYS else _ABOUT.get(unit, 1) * 10 ** decimals(unit)
        for role, limit in _LIMITS.items():
            day, week, month, account = _COUNTS.get(role, (0, 0, 0, 0))
            yield {
                "role": role.value,
                "unit": unit,
                "single": limit["single"] * scale,
                "day_sum": limit["day"] * scale,
                "day_count": day,
                "week_sum": limit["week"] * scale,
                "week_count": week,
                "month_sum": limit["month"] * scale,
                "month_count": month,
                "account_sum": limit["account"] * scale,
                "account_count": account,
                "approves": limit["approves"] * scale,
            }
