"""Amounts: integer minor units inside, py-moneyed at the edges. Never a float."""

from decimal import Decimal, InvalidOperation
from functools import cache

import moneyed
from django.conf import settings
from moneyed.l10n import format_money


def currency_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in settings.CURRENCIES]


@cache
def decimals(currency: str) -> int:
    """Digits after the point of a currency: 2 for USD, 0 for JPY."""
    return len(str(moneyed.get_currency(currency).sub_unit)) - 1


def to_major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-decimals(currency))


def to_minor(amount: str | Decimal, currency: str) -> int:
    """Minor units of a typed amount. ValueError, with a sentence, for what is no exact amount of this currency."""
    try:
        value = Decimal(amount)
        minor = value.scaleb(decimals(currency))
    except InvalidOperation:
        raise ValueError("Write an amount in figures.") from None
    if not minor.is_finite() or abs(minor) > 10**15:
        raise ValueError("Write an amount in figures.")
    if minor != minor.to_integral_value():
        raise ValueError(f"{currency} has {decimals(currency)} decimals.")
    return int(minor)


def format_minor(minor: int, currency: str) -> str:
    """“€30.00”, as written in British English."""
    return format_money(moneyed.Money(to_major(minor, currency), currency), locale="en_GB")
