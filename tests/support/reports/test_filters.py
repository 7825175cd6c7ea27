"""Filters stand in the address: read back they are the same; what they cannot mean gets a sentence or is unknown."""

from datetime import date, timedelta

import pytest

from support.reports.filters import ALL, FilterError, Filters, Period, UnknownFilterError, monday_of, today


def test_what_was_read_is_written_again():
    address = {
        "from": "2026-03-02", "until": "2026-03-20", "unit": "GBP", "program": "3", "agent": "7", "reason": "goodwill",
        "retailer": "none", "account": "AC-7K2M-90QX-T4WD", "card": "1000000123", "receipt": "ab" * 32,
        "approved": "no",
        "reversed": "yes", "contact": "no", "tenth": "9", "amount": "1000", "domain": "example.com",
    }  # fmt: skip
    filters = Filters.read(address)
    assert dict(pair.split("=") for pair in filters.address.split("&")) == address
    assert filters.days == Period(date(2026, 3, 2), date(2026, 3, 20))


@pytest.mark.parametrize(
    "address",
    [
        {"period": "5"}, {"unit": "XYZ"}, {"unit": "gbp"}, {"program": "x"}, {"program": str(2**63)}, {"agent": "-1"},
        {"agent": "٣"}, {"retailer": "nobody"}, {"reason": "good will"}, {"reason": "a\0"}, {"receipt": "zz" * 32},
        {"receipt": "ab"}, {"approved": "maybe"}, {"reversed": "1"}, {"contact": "\ud800"}, {"tenth": "10"},
        {"amount": "1e5"}, {"amount": "9" * 40}, {"domain": "a\nb"}, {"domain": "é.example"},
    ],
)  # fmt: skip
def test_what_no_form_offers_is_unknown(address):
    with pytest.raises(UnknownFilterError):
        Filters.read(address)


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ({"from": "2026-02-30"}, "from"), ({"until": "tomorrow"}, "until"), ({"from": "20260201"}, "from"),
        ({"until": "2026-W05-1"}, "until"), ({"from": "2026-03-02", "until": "2026-03-01"}, "from"),
        ({"from": "0001-01-01"}, "from"), ({"until": "9999-12-31"}, "from"), ({"from": "2026-01-\0"}, "from"),
        ({"on": "1999-12-31"}, "on"), ({"on": "31.12.2026"}, "on"), ({"card": "123"}, "card"),
        ({"card": "\ud800"}, "card"), ({"account": "TK-7K2M-90QX-T4WD"}, "account"), ({"account": "nobody"}, "account"),
        ({"account": "\0"}, "account"),
    ],
)  # fmt: skip
def test_what_was_typed_wrongly_gets_a_sentence(address, field):
    with pytest.raises(FilterError) as refused:
        Filters.read(address)
    assert not isinstance(refused.value, UnknownFilterError)
    assert refused.value.field == field
    assert str(refused.value).endswith(".")


def test_the_usual_period_is_thirteen_weeks_of_which_the_last_is_under_way():
    days = Filters().days
    assert days.last == today()
    assert days.first == monday_of(today()) - timedelta(weeks=12)
    assert len(days.weeks) == 13
    assert Filters(period="52").days.weeks[-1] == days.weeks[-1]
    assert len(Filters(period="52").days.weeks) == 52


def test_all_days_of_one_account_card_or_receipt_unless_some_are_named():
    assert Filters(account="AC-7K2M-90QX-T4WD").is_of_all_days
    assert Filters(receipt="ab" * 32).is_of_all_days
    assert Filters(period=ALL).is_of_all_days
    assert not Filters(card="1000000123", first="2026-01-01").is_of_all_days
    assert not Filters(card="1000000123", period="13").is_of_all_days
    assert not Filters().is_of_all_days


def test_a_week_cut_by_the_period_is_as_long_as_the_period_lets_it():
    period = Period(date(2026, 3, 4), date(2026, 3, 17))
    assert period.weeks == [date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 16)]
    assert [period.part(week) for week in period.weeks] == [
        Period(date(2026, 3, 4), date(2026, 3, 8)),
        Period(date(2026, 3, 9), date(2026, 3, 15)),
        Period(date(2026, 3, 16), date(2026, 3, 17)),
    ]
    assert period.before - period.since == timedelta(days=14)


def test_pictures_have_room_for_five_years():
    filters = Filters.read({"from": "2001-01-01", "until": "2026-06-30"})
    assert filters.days.first == date(2001, 1, 1)
    assert len(filters.weeks.weeks) <= 263
