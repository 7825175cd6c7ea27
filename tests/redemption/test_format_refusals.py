"""Which code formats are refused: none may be read out of a serial number or a reference of ours."""

import pytest
from django.core.exceptions import ValidationError

from redemption.models import CodeFormat, Program
from redemption.roles import Role
from tests import factories
from tests.redemption.test_admin import program_form
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db

DIGITS = {"alphabet": "0123456789", "has_check_symbol": False}
LETTERS = {"alphabet": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "has_check_symbol": False}
SERIAL = "Ten digits are a serial number here"
REFERENCE = "A reference "


def refusal(**fields):
    try:
        CodeFormat(program=factories.program(), version=2, **fields).full_clean()
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"length": 10}, SERIAL),
        ({"length": 10, **DIGITS}, SERIAL),
        ({"length": 10, "alphabet": "23456789", "has_check_symbol": False}, SERIAL),
        ({"length": 10, "alphabet": "ABC", "has_check_symbol": False, "look_alikes": {"8": "B"}}, SERIAL),
        ({"length": 8, "prefix": "12", **DIGITS}, SERIAL),
        ({"length": 8, "prefix": "IO", **DIGITS}, SERIAL),
        ({"length": 14}, REFERENCE),
        ({"length": 14, "prefix": "SPOTIFY"}, REFERENCE),
        ({"length": 14, **LETTERS}, REFERENCE),
        ({"length": 14, **LETTERS, "case_sensitive": True, "alphabet": "abkt0123456789"}, REFERENCE),
        ({"length": 11, "prefix": "TKA"}, REFERENCE),
        ({"length": 31, "prefix": "N0X"}, REFERENCE),
        ({"length": 13, "prefix": "B", **LETTERS}, REFERENCE),
        ({"prefix": "TK"}, "begins our own references"),
        ({"prefix": "ac"}, ""),
    ],
    ids=str,
)
def test_formats_that_would_match_our_numbers_are_refused(fields, told):
    if told:
        assert told in refusal(**fields)
    else:
        assert refusal(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prefix": "SPOTIFY"},
        {"length": 11, **DIGITS},
        {"length": 9, **DIGITS},
        {"length": 10, "alphabet": "ABCDEFGH", "has_check_symbol": False},
        {"length": 8, "prefix": "AB", **DIGITS},
        {"length": 8, "prefix": "01", **DIGITS},
        {"length": 14, **DIGITS},
        {"length": 14, "alphabet": "BCDFGH", "has_check_symbol": False},
        {"length": 11, "prefix": "GBA"},
        {"length": 16},
        {"length": 31, "prefix": "SPO"},
    ],
    ids=str,
)
def test_formats_that_would_not_are_taken(fields):
    assert refusal(**fields) == ""


@pytest.mark.parametrize("length", [10, 14])
def test_the_programs_form_refuses_them(length):
    client, _ = at_the_desk(Role.MANAGER)
    form = program_form(**{"formats-0-length": length})
    response = client.post("/admin/redemption/program/add/", form)
    assert response.status_code == 200
    assert {10: SERIAL, 14: REFERENCE}[length] in response.content.decode()
    assert not Program.objects.exists()
