"""Amounts as they are typed: exact, or refused with a sentence."""

import re

import pytest

from support.credit_forms import read_amount


@pytest.mark.parametrize(
    ("typed", "unit", "amount"),
    [
        ("5", "GBP", 500),
        ("5.", "GBP", 500),
        ("5.5", "GBP", 550),
        (".50", "GBP", 50),
        (" 5.00 ", "GBP", 500),
        ("£5", "GBP", 500),
        ("GBP 5", "GBP", 500),
        ("5 EUR", "EUR", 500),
        ("€5.10", "EUR", 510),
        ("US$5", "USD", 500),
        ("$5", "USD", 500),
        ("¥750", "JPY", 750),
        ("SEK 5", "SEK", 500),
        ("0.01", "SEK", 1),
        ("750", "JPY", 750),
        ("10000000000", "EUR", 10**12),
        ("30", "days", 30),
        ("1 day", "days", 1),
        ("14 days", "days", 14),
        ("3660", "days", 3660),
    ],
)
def test_an_amount_is_read_in_minor_units_or_days(typed, unit, amount):
    assert read_amount(typed, unit) == amount


@pytest.mark.parametrize(
    ("typed", "unit", "sentence"),
    [
        ("", "GBP", "Write an amount."),
        ("  ", "GBP", "Write an amount."),
        ("0", "GBP", "Write an amount above zero."),
        ("0.00", "GBP", "Write an amount above zero."),
        ("-1", "GBP", "Write an amount above zero."),
        ("NaN", "GBP", "Write an amount in figures, such as 5.00."),
        ("Infinity", "GBP", "Write an amount in figures, such as 5.00."),
        ("1e309", "GBP", "Write an amount in figures, such as 5.00."),
        ("1e2", "GBP", "Write an amount in figures, such as 5.00."),
        ("1_000", "GBP", "Write an amount in figures, such as 5.00."),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "GBP", "Write an amount in figures, such as 5.00."),
        ("five", "GBP", "Write an amount in figures, such as 5.00."),
        ("5 000", "GBP", "Write an amount in figures, such as 5.00."),
        ("5,00", "GBP", "Write it without commas, and decimals after a point: 5.00."),
        ("1,000", "JPY", "Write it without commas, and decimals after a point: 5."),
        ("5.001", "GBP", "GBP has 2 decimals."),
        ("5.1", "JPY", "JPY has 0 decimals."),
        ("€5", "GBP", "This account is in GBP."),
        ("5 USD", "EUR", "This account is in EUR."),
        ("$5", "GBP", "This account is in GBP."),
        ("¥5", "GBP", "This account is in GBP."),
        ("9" * 19, "GBP", "Write an amount in figures, such as 5.00."),
        ("9" * 18, "GBP", "Write an amount in figures."),
        ("10000000000.01", "EUR", "Nobody grants more than €10,000,000,000.00 at once."),
        ("", "days", "Write an amount."),
        ("0", "days", "Write an amount above zero."),
        ("-1", "days", "Write whole days above zero, such as 30."),
        ("1.5", "days", "Write whole days above zero, such as 30."),
        ("NaN", "days", "Write whole days above zero, such as 30."),
        ("1e309", "days", "Write whole days above zero, such as 30."),
        ("£5", "days", "Write whole days above zero, such as 30."),
        ("3661", "days", "Nobody grants more than 3,660 days at once."),
        ("9" * 30, "days", "Write whole days above zero, such as 30."),
    ],
)
def test_what_is_no_exact_amount_is_refused_with_a_sentence(typed, unit, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read_amount(typed, unit)
