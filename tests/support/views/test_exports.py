"""The pages of exports: asked for from a list, watched while they are made, fetched by whoever asked."""

import pytest
from django.urls import reverse
from django.utils import timezone

from redemption.models import JobStatus
from redemption.roles import Role
from support.exports import making
from support.jobs import make_export_job
from support.models import AuditEvent, Export
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def desk():
    return at_the_desk(Role.MANAGER)


def ask(client, **fields):
    return client.post(reverse("new_export"), {"what": "credits", "query": "", "format": "csv", **fields})


def made(client, **fields):
    response = ask(client, **fields)
    assert response.status_code == 303
    export = Export.objects.order_by("-pk")[0]
    assert response["Location"] == reverse("export", args=[export.pk])
    make_export_job(export.pk)
    export.refresh_from_db()
    return export


def test_the_page_tells_how_far_it_is_then_gives_the_file(desk):
    client, manager = desk
    granted = factories.credit()
    assert "None yet." in shown(client.get(reverse("exports")))
    assert ask(client).status_code == 303
    export = Export.objects.get()
    address = reverse("export", args=[export.pk])
    page = client.get(address)
    assert "Waiting for the worker" in shown(page)
    assert b'<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.content
    Export.objects.filter(pk=export.pk).update(status=JobStatus.RUNNING, done=1_500, total=3_000)
    fragment = client.get(address, headers={"HX-Request": "true"})
    assert shown(fragment).startswith("Running: 1,500 of 3,000 rows (50 %)")
    assert b"<html" not in fragment.content
    Export.objects.filter(pk=export.pk).update(status=JobStatus.QUEUED)
    make_export_job(export.pk)
    assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "1 row." in shown(client.get(address))
    file = client.post(reverse("export_file", args=[export.pk]))
    assert granted.reference in b"".join(file.streaming_content).decode("utf-8-sig")
    assert file["Content-Disposition"] == f'attachment; filename="credits-{timezone.now():%Y-%m-%d}.csv"'
    assert file["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in file["Cache-Control"]
    assert file["Content-Type"] == "text/csv; charset=utf-8"
    seen = AuditEvent.objects.filter(actor_id=manager.pk).order_by("pk").values_list("action", "target")
    mine = f"export:{export.pk}"
    assert list(seen) == [
        ("report_opened", "report:exports"),
        ("export_requested", mine),
        ("record_opened", mine),
        ("record_opened", mine),
        ("export_fetched", mine),
    ]


def test_excel_gets_its_own_kind_of_file(desk):
    client, _ = desk
    file = client.post(reverse("export_file", args=[made(client, format="xlsx").pk]))
    assert b"".join(file.streaming_content).startswith(b"PK")
    assert file["Content-Type"].endswith("spreadsheetml.sheet")
    assert ".xlsx" in file["Content-Disposition"]


def test_anothers_export_does_not_exist(desk):
    client, _ = desk
    export = made(client)
    other, _ = at_the_desk(Role.ADMINISTRATOR)
    for method, name in [("get", "export"), ("post", "export_file")]:
        assert getattr(other, method)(reverse(name, args=[export.pk])).status_code == 404
    assert "None yet." in shown(other.get(reverse("exports")))
    assert client.get(reverse("export", args=[2**63])).status_code == 404


def test_what_cannot_be_made_is_told_beside_the_form(desk):
    client, _ = desk
    for fields, sentence in [
        ({"what": "secrets"}, "There is no such list."),
        ({"format": "pdf"}, "Choose CSV or Excel."),
        ({"query": "from=never"}, "Write a day"),
        ({"query": "x" * 1001}, "There are too many filters."),
        ({"what": "\0", "query": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")}, "no such list"),
    ]:
        response = ask(client, **fields)
        assert response.status_code == 422, fields
        assert sentence in shown(response)
    assert not Export.objects.exists()


def test_one_that_failed_says_why_and_can_be_made_again(desk):
    client, _ = desk
    ask(client, query="unit=GBP")
    Export.objects.update(status=JobStatus.FAILED, message="A sheet of Excel holds 2 rows.")
    failed = Export.objects.get()
    page = client.get(reverse("export", args=[failed.pk]))
    assert "It was not made. A sheet of Excel holds 2 rows." in shown(page)
    assert 'name="query" value="unit=GBP"' in page.content.decode()
    assert client.post(reverse("export_file", args=[failed.pk])).status_code == 303


def test_a_removed_file_is_told_and_the_page_goes_on(desk):
    client, _ = desk
    export = made(client)
    Export.objects.update(created_at=timezone.now() - making.KEPT * 2)
    making.remove_old()
    response = client.post(reverse("export_file", args=[export.pk]), follow=True)
    assert "was removed after a week" in shown(response)
    assert "Removed after a week" in shown(client.get(reverse("exports")))


def test_the_list_goes_on_by_pages(desk):
    client, manager = desk
    for _ in range(27):
        Export.objects.create(what="credits", format="csv", by=manager, status=JobStatus.DONE)
    first = client.get(reverse("exports"))
    oldest = first.context["older"]
    assert len(first.context["rows"]) == 25
    assert len(client.get(reverse("exports"), {"before": oldest}).context["rows"]) == 2
    assert client.get(reverse("exports"), {"before": "x"}).status_code == 404


def test_queries_do_not_grow_with_the_list(desk, django_assert_num_queries, django_assert_max_num_queries):
    client, manager = desk

    def count():
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as found:
            client.get(reverse("exports"))
        return len(found)

    Export.objects.create(what="credits", format="csv", by=manager)
    client.get(reverse("exports"))
    one = count()
    for _ in range(3):
        Export.objects.create(what="audit", format="csv", by=manager)
    assert count() == one


@pytest.mark.parametrize(
    ("role", "page", "is_offered"),
    [
        (Role.MANAGER, "audit", True),
        (Role.MANAGER, "approvals", True),
        (Role.AUDITOR, "credit_list", True),
        # They decide, and take nothing away.
        (Role.SENIOR_AGENT, "approvals", False),
    ],
)
def test_lists_offer_their_export_to_those_who_may_have_it(role, page, is_offered):
    client, _ = at_the_desk(role)
    assert ("Export as CSV" in shown(client.get(reverse(page)))) is is_offered


def test_a_list_is_exported_with_the_filters_that_it_is_shown_with(desk):
    client, _ = desk
    page = client.get(reverse("credit_list"), {"unit": "GBP", "approved": "no"}).content.decode()
    assert 'name="query" value="unit=GBP&amp;approved=no"' in page
