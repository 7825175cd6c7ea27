"""Photos of a report: shown to its own retailer, as pictures of our making, and to nobody else."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from redemption.roles import Role
from support.actions.messages import write_staff_message
from support.attachments import attach
from support.models import Attachment, AuditEvent, MessageKind, ScanState
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.hostile_files import photo, saved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def attached(report, message, by=None, name="seal.png"):
    file = SimpleUploadedFile(name, saved("PNG", photo()))
    [row] = attach(ticket=report.ticket, message=message, files=[file], kinds=["card_photo"], by=by)
    assert not row.refusal
    return row


def addresses(report, row):
    base = f"/retailer/reports/{report.reference}/files/{row.pk}/1/"
    return base, f"{base}small/"


def test_ones_own_are_shown_small_on_the_page_and_large_behind_it(client, clerk, batch):
    report = factories.report(factories.card(batch), by=clerk)
    row = attached(report, report.ticket.messages.get(), clerk)
    large, small = addresses(report, row)
    page = client.get(f"/retailer/reports/{report.reference}/").content.decode()
    assert (f'href="{large}"' in page, f'src="{small}"' in page, 'alt="file 1.png"' in page) == (True, True, True)
    sizes = []
    for path in (large, small):
        response = client.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "image/jpeg")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "private, no-store"
        sizes.append(len(response.content))
    assert sizes[0] > sizes[1] > 0


def test_a_strangers_is_as_none(client, clerk, batch):
    report = factories.report(factories.card(batch), by=clerk)
    row = attached(report, report.ticket.messages.get(), clerk)
    stranger = Client()
    other = factories.report(factories.card())
    stranger.force_login(other.by)
    for path in (*addresses(report, row), *addresses(other, row)):
        assert stranger.get(path).status_code == 404
    missing = row.pk + 1000
    there, none = (
        stranger.get(path) for path in (addresses(report, row)[0], addresses(report, Attachment(pk=missing))[0])
    )
    assert there.content == none.content
    assert client.get(addresses(report, row)[0].replace("/1/", "/2/")).status_code == 404
    assert client.get(addresses(other, row)[0]).status_code == 404
    assert client.get(addresses(report, row)[0].replace(f"/{row.pk}/", f"/{2**70}/")).status_code == 404
    desk, _ = at_the_desk(Role.MANAGER)
    assert desk.get(addresses(report, row)[0]).status_code == 404


def test_files_of_notes_drafts_and_answers_that_are_not_out_are_not_there(client, clerk, batch):
    report = factories.report(factories.card(batch), by=clerk)
    agent = factories.user(Role.AGENT)
    note = write_staff_message(ticket=report.ticket, kind=MessageKind.NOTE, body="look", by=agent)
    reply = write_staff_message(ticket=report.ticket, kind=MessageKind.REPLY, body="this?", by=agent)
    rows = [attached(report, message, agent) for message in (note, reply, None)]
    page = client.get(f"/retailer/reports/{report.reference}/").content.decode()
    for row in rows:
        for path in addresses(report, row):
            assert client.get(path).status_code == 404
            assert path not in page
    type(reply).objects.filter(pk=reply.pk).update(undo_until=timezone.now() - timedelta(hours=1))
    assert [client.get(addresses(report, row)[0]).status_code for row in rows] == [404, 200, 404]


def test_what_the_scanner_found_is_never_shown(client, clerk, batch):
    report = factories.report(factories.card(batch), by=clerk)
    row = attached(report, report.ticket.messages.get(), clerk)
    Attachment.objects.filter(pk=row.pk).update(scan=ScanState.INFECTED)
    page = client.get(f"/retailer/reports/{report.reference}/").content.decode()
    for path in addresses(report, row):
        assert client.get(path).status_code == 404
        assert path not in page


def test_a_file_whose_name_is_a_code_is_called_something_else(client, clerk, batch):
    card = factories.card(batch)
    report = factories.report(card, by=clerk)
    form = {"body": "See.", "attachments": SimpleUploadedFile(f"{card.text}.png", saved("PNG", photo()))}
    assert client.post(f"/retailer/reports/{report.reference}/write/", form).status_code == 303
    page = client.get(f"/retailer/reports/{report.reference}/")
    assert card.text not in page.content.decode()
    assert card.row.last_four not in shown(page).replace(report.reference, "")
    assert not AuditEvent.objects.filter(action="receipt_opened").exists()
