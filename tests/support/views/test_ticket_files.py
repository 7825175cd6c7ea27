"""Files sent with an answer or a note from a ticket's page."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from redemption.roles import Role
from support.actions.messages import add_customer_message
from support.models import Attachment, Message, MessageKind
from tests import factories
from tests.support.desk import at_the_desk
from tests.support.desk import shown as words
from tests.support.hostile_files import photo, saved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def sent(*contents):
    return [SimpleUploadedFile(f"receipt {number}.png", data) for number, data in enumerate(contents, start=1)]


def write(client, ticket, *contents, kind="reply", body="Here it is.", kinds=("receipt",), **fields):
    seen = ticket.messages.order_by("pk").last().pk
    form = {"body": body, "send_key": "key", "seen": seen, "status": "", "attachments-kind": list(kinds), **fields}
    if kind == "reply":
        form["status"] = "waiting_for_customer"
    return client.post(f"/tickets/{ticket.reference}/write/{kind}/", {**form, "attachments": sent(*contents)})


@pytest.mark.parametrize("kind", ["reply", "note"])
def test_files_go_with_the_message_and_what_is_refused_is_said(kind):
    ticket = factories.ticket()
    client, agent = at_the_desk()
    contents = [saved("PNG", photo(seed=1)), b"<svg>", saved("PNG", photo(seed=2))]
    assert write(client, ticket, *contents, kind=kind, kinds=["receipt", "other", "card_photo"]).status_code == 303
    message = Message.objects.get(author=agent)
    assert [(row.name, row.kind, bool(row.refusal)) for row in message.attachments.order_by("pk")] == [
        ("receipt 1.png", "receipt", False),
        ("receipt 2.png", "other", True),
        ("receipt 3.png", "card_photo", False),
    ]
    assert "receipt 2.png: This is no JPEG, PNG, WebP, HEIC or PDF file" in words(
        client.get(f"/tickets/{ticket.reference}/")
    )


def test_one_kind_goes_for_all_files_where_no_script_runs():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    write(client, ticket, saved("PNG"), saved("PNG", photo(seed=1)), kinds=["screenshot"])
    assert [row.kind for row in Attachment.objects.order_by("pk")] == ["screenshot"] * 2


def test_sending_twice_keeps_each_file_once():
    ticket = factories.ticket()
    client, _ = at_the_desk()
    for _ in range(2):
        assert write(client, ticket, saved("PNG")).status_code == 303
    assert Attachment.objects.count() == 1


@pytest.mark.parametrize("why", ["stale", "empty"])
def test_files_of_an_answer_that_is_not_sent_yet_wait_and_go_with_it(why):
    ticket = factories.ticket()
    client, agent = at_the_desk()
    seen = ticket.messages.get().pk
    if why == "stale":
        add_customer_message(ticket=ticket, body="One thing more.")
        assert write(client, ticket, saved("PNG"), seen=seen).status_code == 409
    else:
        assert write(client, ticket, saved("PNG"), body=" ").status_code == 422
    [row] = Attachment.objects.all()
    assert (row.message, row.uploaded_by) == (None, agent)
    assert "waits with your draft" in words(client.get(f"/tickets/{ticket.reference}/"))
    other = at_the_desk()[0]
    assert "waits with your draft" not in words(other.get(f"/tickets/{ticket.reference}/"))
    assert write(client, ticket).status_code == 303
    row.refresh_from_db()
    assert row.message == Message.objects.get(kind=MessageKind.REPLY)


@pytest.mark.parametrize(
    ("place", "code"), [("tickets/{}/write/reply/", 303), ("customers/{}/", 413), ("codes/1000000000/do/freeze/", 413)]
)
def test_large_forms_are_taken_on_the_pages_that_take_files(place, code, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 5000
    ticket = factories.ticket()
    client, _ = at_the_desk()
    noise = saved("PNG", photo().resize((900, 900)))
    assert len(noise) > 5000
    form = {
        "body": "Here.",
        "send_key": "key",
        "seen": ticket.messages.get().pk,
        "status": "open",
        "attachments": sent(noise),
    }
    assert client.post(f"/{place.format(ticket.reference)}", form).status_code == code


def test_too_large_a_form_or_too_many_files_are_refused_with_a_sentence(settings):
    ticket = factories.ticket()
    client, _ = at_the_desk()
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    response = write(client, ticket, b"1", b"2", b"3")
    assert (response.status_code, "send fewer or smaller ones" in words(response)) == (413, True)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.UPLOAD_MAX_REQUEST_BYTES = 500, 1000
    response = write(client, ticket, bytes(2000))
    assert (response.status_code, "send fewer or smaller ones" in words(response)) == (413, True)
    assert not Attachment.objects.exists()


def test_who_is_signed_out_has_no_files_read_and_signs_in_again(settings, client):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 500
    ticket = factories.ticket()
    response = write(client, ticket, bytes(2000))
    assert response.status_code == 302
    assert response.headers["Location"] == f"/accounts/login/?next=/tickets/{ticket.reference}/write/reply/"
    assert not Attachment.objects.exists()


def test_readers_attach_nothing():
    ticket = factories.ticket()
    client, _ = at_the_desk(Role.AUDITOR)
    assert write(client, ticket, saved("PNG")).status_code == 404
    assert not Attachment.objects.exists()
