"""The seals' page, and the alarm on the trail's pages."""

from datetime import timedelta

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.roles import Role
from support.models import AuditAction, AuditEvent, CreditPolicy, Seal, SealMark
from support.sealing import bounds
from support.signing import NOTHING, public_key, sign
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader():
    """What comes with the product is older than the test, and unsealed."""
    assert CreditPolicy.objects.count() <= 1
    return at_the_desk(Role.AUDITOR)[0]


def sealed(number=1, *, at=None, horizon=1, **fields):
    """A seal without rows, for the page alone: within a test's transaction nothing is complete."""
    made = Seal(
        number=number, version=1, at=at or timezone.now(), previous=NOTHING, root=bytes(32),
        horizon=horizon, **{"cluster": bounds()[1], "counts": {"1": 3, "6": 2}, "count": 5, **fields},
    )  # fmt: skip
    sign(made)
    made.save(force_insert=True)
    return made


def the_page(client, query=""):
    response = client.get(f"/audit/seals/{query}")
    assert response.status_code == 200
    return shown(response)


def test_without_any_seal_the_page_says_so_and_how_old_the_oldest_row_is(reader, settings):
    settings.SEAL_LAG_ALARM = 10**6
    page = the_page(reader)
    assert "None yet: the worker makes the first within half a minute" in page
    assert "Newest seal None yet" in page
    assert "Sealing is on time: the oldest unsealed row is" in page


def test_the_page_of_a_database_that_came_from_another_server_says_so(reader):
    """Not that everything is sealed: what is not is sealed here first."""
    sealed(cluster="1234567890123456789")
    SealMark.objects.create(pk=1, exported=1, looked_at=timezone.now())
    page = the_page(reader)
    assert "The newest seal was made on another server" in page
    assert "Everything is sealed." not in page


def test_the_page_shows_the_newest_seals_and_what_they_hold(reader, settings):
    settings.AUDITOR_EMAIL = "auditor@example.com"
    made = sealed(7)
    SealMark.objects.create(pk=1, exported=7, mailed=5, looked_at=timezone.now())
    page = the_page(reader)
    assert f"7 {made.at:%-d %b %Y, %H:%M:%S} 5 3 audit events, 2 credit policies {made.hash.hex()[:16]}…" in page
    assert "Everything is sealed." not in page
    assert "Outside the database Up to seal 7" in page
    assert "Mailed to the auditor Seal 5, to auditor@example.com" in page
    assert f"verify_audit --against FILE_OR_FOLDER --public-key {public_key().hex()}" in page


def test_the_list_goes_on_by_pages(reader):
    for number in range(1, 53):
        sealed(number, horizon=number)
    first = reader.get("/audit/seals/")
    assert [seal.number for seal, _ in first.context["rows"]] == list(range(52, 2, -1))
    assert first.context["older"] == 3
    second = reader.get("/audit/seals/?before=3")
    assert [seal.number for seal, _ in second.context["rows"]] == [2, 1]
    assert second.context["older"] is None
    assert "There are none older." in the_page(reader, "?before=1")
    for nonsense in ("x", "9" * 30, "-1", ""):
        assert reader.get(f"/audit/seals/?before={nonsense}").status_code == 404


def test_the_number_of_queries_does_not_grow(reader, django_assert_num_queries):
    sealed(1, horizon=1)
    reader.get("/audit/seals/")
    with CaptureQueriesContext(connection) as one:
        reader.get("/audit/seals/")
    assert len(one) < 20
    sealed(2, horizon=2)
    sealed(3, horizon=3)
    with django_assert_num_queries(len(one)):
        reader.get("/audit/seals/")


def test_reading_the_page_is_an_event(reader):
    the_page(reader)
    event = AuditEvent.objects.order_by("-pk").first()
    assert (event.action, event.target) == (AuditAction.REPORT_OPENED, "report:seals")


def test_a_seal_with_tampered_counts_is_shown_as_far_as_it_can_be_read(reader):
    sealed(1, counts=["nonsense"], count=2)
    sealed(2, counts={"1": "many", "2": 4}, count=4)
    assert "4 transfers" in the_page(reader)


def test_the_alarm_stands_on_the_page_and_on_those_that_include_it(reader, settings, caplog):
    sealed(1)
    SealMark.objects.create(pk=1, exported=1, looked_at=timezone.now())
    settings.SEAL_LAG_ALARM = 10**6  # What comes with the product may be older than a minute by now.
    assert render_to_string("support/_seal_alarm.html").strip() == ""
    SealMark.objects.update(exported=9)
    said = "Seals are missing: 9 were written outside the database, and it has 1."
    assert said in the_page(reader)
    included = render_to_string("support/_seal_alarm.html")
    assert said in included
    assert 'href="/audit/seals/"' in included
    assert [line.levelname for line in caplog.records if said in line.message] == ["ERROR", "ERROR"]


def test_the_alarm_rings_for_a_row_that_stays_unsealed(reader, settings):
    settings.SEAL_LAG_ALARM = 60
    sealed(1, horizon=1, at=timezone.now() - timedelta(hours=3))
    SealMark.objects.create(pk=1, exported=1, looked_at=timezone.now() - timedelta(hours=3))
    event = AuditEvent(
        at=timezone.now() - timedelta(hours=2), actor_id=1, actor_role="agent", action=AuditAction.LOOKED_UP
    )
    event.save()
    page = the_page(reader)
    assert "The oldest unsealed row is 2 hours old. No worker has looked for rows to seal" in page
