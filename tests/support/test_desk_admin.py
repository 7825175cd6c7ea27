"""Opening hours, holidays and targets, as managers change them."""

from datetime import date

import pytest

from redemption.roles import Role
from support.models import AuditAction, AuditEvent, Holiday, OpeningHours, Priority, Target
from support.targets import current_schedule, forget_schedule
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    forget_schedule()
    yield
    forget_schedule()


def hours(weekday, opens, closes):
    return {"weekday": weekday, "opens": opens, "closes": closes}


def test_a_change_is_audited_and_counts_at_once(django_capture_on_commit_callbacks):
    client, manager = at_the_desk(Role.MANAGER)
    assert date(2026, 12, 25) not in current_schedule().holidays
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/admin/support/holiday/add/", {"day": "2026-12-25", "name": "Christmas Day"})
    holiday = Holiday.objects.get()
    assert holiday.day in current_schedule().holidays
    event = AuditEvent.objects.get(action=AuditAction.DESK_CHANGED)
    assert (event.actor_id, event.target, event.details) == (
        manager.pk, f"holiday:{holiday.pk}", {"fields": "day name"}
    )  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/admin/support/holiday/{holiday.pk}/delete/", {"post": "yes"})
    assert current_schedule().holidays == frozenset()
    assert AuditEvent.objects.filter(details__did="deleted").count() == 1


def test_opening_hours_that_overlap_are_refused_and_others_are_not():
    client, _ = at_the_desk(Role.MANAGER)
    address = "/admin/support/openinghours/add/"
    OpeningHours.objects.all().delete()
    OpeningHours.objects.create(weekday=5, opens="10:00", closes="14:00")
    for opens, closes in (("09:00", "11:00"), ("13:59", "00:00"), ("00:00", "00:00"), ("11:00", "12:00")):
        assert "It overlaps Saturday 10:00–14:00" in shown(client.post(address, hours(5, opens, closes)))
    assert "It closes before it opens" in shown(client.post(address, hours(5, "16:00", "15:00")))
    for weekday, opens, closes in ((5, "14:00", "00:00"), (5, "00:00", "10:00"), (6, "10:00", "14:00")):
        assert client.post(address, hours(weekday, opens, closes)).status_code == 302
    assert OpeningHours.objects.count() == 4


def test_targets_are_changed_within_reason():
    client, _ = at_the_desk(Role.MANAGER)
    target = Target.objects.get(priority=Priority.URGENT)
    address = f"/admin/support/target/{target.pk}/change/"
    assert client.post(address, {"first_response": 15, "resolution": 120}).status_code == 302
    assert client.post(address, {"first_response": 15, "resolution": 100_001}).status_code == 200
    target.refresh_from_db()
    assert (target.first_response, target.resolution) == (15, 120)
    assert client.get("/admin/support/target/add/").status_code == 404


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.SOCIAL_MEDIA])
def test_nobody_else_changes_them(role):
    client, _ = at_the_desk(role)
    for noun in ("openinghours", "holiday", "target"):
        assert client.get(f"/admin/support/{noun}/").status_code in {302, 403, 404}
