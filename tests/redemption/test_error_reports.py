"""Error reports leave out what was typed, and codes that were just made."""

import sys

import pytest
from django.views.debug import ExceptionReporter

from redemption import patterns, standing
from redemption.models import BatchPurpose
from redemption.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


def own_frames(*functions):
    """What the report says of the variables of these functions."""
    frames = ExceptionReporter(None, *sys.exc_info()).get_traceback_data()["frames"]
    return str([frame["vars"] for frame in frames if frame["function"] in functions])


@pytest.mark.parametrize("broken", ["digester", "slips", "is_share_link"])
def test_a_report_on_reading_has_nothing_of_what_was_typed(monkeypatch, broken):
    program = factories.pin_program() if broken == "slips" else factories.program()
    pattern = program.current_format().pattern
    typed = "12345678901" if broken == "slips" else pattern.display(pattern.generate(1)[0].decode())

    def fail(*arguments):
        raise RuntimeError

    monkeypatch.setattr(patterns, broken, fail)
    try:
        patterns.read_typed(program, typed)
    except RuntimeError:
        told = own_frames("read_typed", "_read")
    assert told
    assert typed not in told


def test_a_report_on_a_new_card_has_no_code(monkeypatch):
    product, made = factories.product(), []

    def fail(code):
        made.append(code)
        raise RuntimeError

    monkeypatch.setattr(standing, "last_four", fail)
    try:
        standing.make_card(
            product=product,
            retailer=factories.retailer(),
            by=factories.user(Role.MANAGER),
            purpose=BatchPurpose.DIGITAL_CARDS,
        )
    except RuntimeError:
        told = own_frames("make_card")
    assert told
    assert made[0] not in told
