"""A ticket's files: who sees them, how they are served, where the same one is, and what happens when storing fails."""

import re
import socketserver
import threading
import time
from contextlib import contextmanager
from io import BytesIO

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image, ImageEnhance

from redemption.roles import PERMISSIONS, Permission, Role
from support.actions.messages import add_customer_message, write_staff_message
from support.actions.tickets import TicketError
from support.attachments import attach, attachments_like, quarters_of, shown
from support.demo.receipts import receipt
from support.models import Attachment, AttachmentPage, AuditAction, AuditEvent, MessageKind, ScanState, TicketChannel
from tests import factories
from tests.support.desk import at_the_desk
from tests.support.desk import shown as words
from tests.support.hostile_files import photo, saved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def bought(number=1):
    """A receipt of one shop: all of them look alike from afar."""
    lines = [("Gift card", "60.00"), (["Coffee", "Batteries", "Film"][number % 3], f"{number % 9}.{number:02}")]
    at, total = f"14/06/2026 18:{number % 60:02}", f"{60 + number % 9}.{number:02}"
    return receipt("SATURN", lines, total=total, at=at, number=str(10_000 + 37 * number), seed=number)


def again(jpeg, change=lambda image: image, quality=60):
    """The same paper, sent once more."""
    with Image.open(BytesIO(jpeg)) as image:
        return saved("JPEG", change(image), quality=quality)


def files(*contents, name="receipt.jpg"):
    return [SimpleUploadedFile(name, data) for data in contents]


def attached(*contents, ticket=None, kinds=("receipt",), **fields):
    ticket = ticket or factories.ticket()
    message = ticket.messages.order_by("pk").first()
    rows = attach(ticket=ticket, message=message, files=files(*contents, **fields), kinds=kinds, by=None)
    return rows[0] if len(contents) == 1 else rows


def address(row, page=1, end=""):
    return f"/tickets/{row.ticket.reference}/files/{row.pk}/{'' if page is None else f'{page}/'}{end}"


# --- Served


@pytest.mark.parametrize("role", list(Role))
def test_pictures_are_seen_by_those_who_see_the_ticket_and_originals_by_few(role):
    contents = bought()
    row = attached(contents)
    client, person = at_the_desk(role)
    sees = role in (Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, Role.AUDITOR, Role.ADMINISTRATOR)
    for end in ("", "small/"):
        response = client.get(address(row, end=end))
        assert response.status_code == (200 if sees else 404)
    assert AuditEvent.objects.filter(action=AuditAction.RECEIPT_OPENED).count() == sees
    opens = Permission.OPEN_QUARANTINE in PERMISSIONS[role]
    response = client.get(address(row, page=None))
    assert response.status_code == (200 if opens else 404)
    assert AuditEvent.objects.filter(action=AuditAction.QUARANTINE_OPENED, actor_id=person.pk).count() == opens
    if opens:
        assert response.content == contents


def test_the_social_media_team_sees_what_was_asked_in_public():
    open_to_all, by_mail = attached(bought(), ticket=factories.ticket(channel=TicketChannel.SOCIAL)), attached(bought())
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    assert client.get(address(open_to_all)).status_code == 200
    assert client.get(address(by_mail)).status_code == 404


def test_a_picture_is_served_so_that_nothing_in_it_runs():
    client, person = at_the_desk()
    row = attached(bought())
    for end in ("", "small/"):
        response = client.get(address(row, end=end))
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.content.startswith(b"\xff\xd8\xff")
    event = AuditEvent.objects.get(action=AuditAction.RECEIPT_OPENED)
    assert (event.actor_id, event.target, event.details) == (
        person.pk,
        f"ticket:{row.ticket_id}",
        {"attachment": row.pk, "page": 1},
    )


@pytest.mark.parametrize(
    ("contents", "ending"), [(b"<svg onload=alert(1)>", "bin"), (saved("PDF"), "pdf"), (saved("HEIF"), "heic")]
)
def test_an_original_is_always_saved_and_never_shown(contents, ending):
    client, _ = at_the_desk(Role.MANAGER)
    row = attached(contents, name='x".html')
    response = client.get(address(row, page=None))
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == (
        f'attachment; filename="{row.ticket.reference}-{row.pk}.{ending}"'
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert "no-store" in response.headers["Cache-Control"]
    assert response.content == contents


def test_what_is_not_there_is_a_404():
    client, _ = at_the_desk(Role.MANAGER)
    row, other = attached(bought(1)), attached(bought(2))
    refused = attached(b"")
    storages["pictures"].delete(other.pages.get().file)
    missing = [
        address(row, 2),
        address(row, 0),
        address(row, 10**30),
        address(row, 10**30, "small/"),
        f"/tickets/{row.ticket.reference}/files/{10**30}/1/",
        f"/tickets/{other.ticket.reference}/files/{row.pk}/1/",
        f"/tickets/{other.ticket.reference}/files/{row.pk}/",
        f"/tickets/TK-0000-0000-0000/files/{row.pk}/1/",
        address(other),
        address(refused),
        address(refused, page=None),
    ]
    assert [(place, code) for place in missing if (code := client.get(place).status_code) != 404] == []
    assert client.post(address(row)).status_code == 405
    assert not AuditEvent.objects.filter(action__in=[AuditAction.RECEIPT_OPENED, AuditAction.QUARANTINE_OPENED])


def test_nobody_guesses_a_name_and_no_address_leads_to_the_files(settings, client):
    rows = [attached(bought()), attached(bought())]
    names = [row.original for row in rows] + [page.file for page in AttachmentPage.objects.all()]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"(quarantine|pictures)/[0-9a-f]{2}/[0-9a-f]{38}(\.jpg)?", name) for name in names)
    agent, _ = at_the_desk(Role.ADMINISTRATOR)
    for name in names:
        for root in ("/", "/media/", "/static/", "/files/"):
            assert agent.get(root + name).status_code == 404
    assert address(rows[0]) not in client.get(address(rows[0])).content.decode()


# --- Kept


def test_every_file_has_a_row_of_its_own_kind():
    rows = attached(bought(), b"", saved("PNG"), kinds=["receipt", "card_photo", "nonsense"])
    assert [row.kind for row in rows] == ["receipt", "card_photo", "other"]
    assert [bool(row.refusal) for row in rows] == [False, True, False]


def test_more_files_than_a_message_brings_are_named_and_not_opened(settings):
    settings.UPLOAD_MAX_FILES = 2
    rows = attached(*[saved("PNG", photo(seed=seed)) for seed in range(4)])
    assert [row.refusal for row in rows] == [
        "",
        "",
        *["One message brings at most 2 files, and this was one more."] * 2,
    ]
    assert [bool(row.original) for row in rows] == [True, True, False, False]


def test_a_message_has_its_files_once(tmp_path):
    ticket = factories.ticket()
    first = attached(bought(1), bought(2), ticket=ticket)
    stored = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert attached(bought(1), bought(2), ticket=ticket) == first
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == stored
    assert Attachment.objects.count() == 2


def test_where_storing_fails_the_text_and_the_other_files_stay(monkeypatch, tmp_path):
    ticket = factories.ticket()
    message = add_customer_message(ticket=ticket, body="Here are both.")
    real, calls = type(storages["pictures"]).save, []

    def save(self, name, content, **options):
        calls.append(name)
        if len(calls) == 3:
            raise OSError("No space left on device")
        return real(self, name, content, **options)

    monkeypatch.setattr(type(storages["pictures"]), "save", save)
    broken, good = attach(ticket=ticket, message=message, files=files(bought(1), bought(2)), by=None)
    assert (broken.refusal, broken.original, broken.pages.count()) == (
        "The file could not be stored: please send it again.",
        "",
        0,
    )
    assert (good.refusal, good.pages.count()) == ("", 1)
    message.refresh_from_db()
    assert message.body == "Here are both."
    # Nothing is left of what was stored before it failed.
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


def test_where_the_rows_fail_nothing_stays_behind(monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise RuntimeError

    monkeypatch.setattr("support.attachments._write", fail)
    with pytest.raises(RuntimeError):
        attached(bought(1), bought(2))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_those_who_answer_attach():
    ticket = factories.ticket()
    for role in (Role.AUDITOR, Role.SOCIAL_MEDIA):
        with pytest.raises(TicketError):
            attach(ticket=ticket, message=None, files=files(bought()), by=factories.user(role))
    agent = factories.user(Role.AGENT)
    [row] = attach(ticket=ticket, message=None, files=files(bought()), by=agent)
    assert row.uploaded_by == agent
    # A draft's file is its writer's alone until it is sent.
    assert [file.attachment for file in shown(ticket, agent)["files"]] == [row]
    assert shown(ticket, factories.user(Role.AGENT))["files"] == []


def test_files_of_an_answer_that_was_taken_back_go_with_the_next_one():
    ticket, agent = factories.ticket(), factories.user(Role.AGENT)
    others = factories.user(Role.AGENT)
    [waiting] = attach(ticket=ticket, message=None, files=files(bought(1)), by=agent)
    [foreign] = attach(ticket=ticket, message=None, files=files(bought(2)), by=others)
    note = write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Looks real.", by=agent)
    assert attach(ticket=ticket, message=note, files=[], by=agent) == []
    assert list(note.attachments.all()) == []
    reply = write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Here it is.", by=agent)
    [new] = attach(ticket=ticket, message=reply, files=files(bought(3)), by=agent)
    assert list(reply.attachments.order_by("pk")) == [waiting, new]
    foreign.refresh_from_db()
    assert foreign.message is None


def test_a_code_as_a_name_is_masked():
    card = factories.card()
    row = attached(saved("PNG"), name=f"{card.text}.png")
    assert card.code[-8:] not in row.name.replace("-", "")
    assert row.name.endswith(".png")


# --- On other tickets


def test_the_same_file_on_another_ticket_is_pointed_out():
    first, second = attached(bought()), attached(bought())
    attached(bought(2))
    client, _ = at_the_desk()
    told = words(client.get(f"/tickets/{second.ticket.reference}/"))
    assert f"The same file is also on {first.ticket.reference} ." in told
    assert "Looks like" not in told
    assert [(double.attachment, double.is_same) for double in attachments_like(second)] == [(first, True)]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image.resize((image.width // 2, image.height // 2)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.1),
        lambda image: image.convert("L"),
    ],
    ids=["coarser", "smaller", "paler", "grey"],
)
def test_the_same_paper_sent_differently_looks_alike(change):
    first = attached(bought())
    second = attached(again(bought(), change))
    assert bytes(first.digest) != bytes(second.digest)
    assert [(double.attachment, double.is_same) for double in attachments_like(second)] == [(first, False)]
    assert f"Looks like a file on {first.ticket.reference} ." in words(
        at_the_desk()[0].get(f"/tickets/{second.ticket.reference}/")
    )


def test_a_photo_held_otherwise_and_a_pdf_of_it_look_alike():
    first = attached(bought())
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(BytesIO(bought())) as image:
        turned = saved("JPEG", image.rotate(90, expand=True), exif=exif, quality=90)
        as_pdf = saved("PDF", image)
    for contents in (turned, as_pdf):
        assert [double.attachment.ticket for double in attachments_like(attached(contents))][-1] == first.ticket


def test_other_receipts_of_the_same_shop_do_not_look_alike():
    rows = [attached(bought(number)) for number in range(1, 13)]
    assert [attachments_like(row) for row in rows] == [[]] * 12


def test_blank_pages_and_empty_files_are_like_nothing():
    white = saved("PNG", Image.new("RGB", (300, 300), "white"))
    grey = saved("PNG", Image.new("RGB", (300, 300), "lightgrey"))
    rows = [attached(contents) for contents in (white, grey, b"", b"")]
    assert [row.looks for row in rows] == [None] * 4
    assert [attachments_like(row) for row in rows] == [[]] * 4


def test_tickets_that_one_may_not_see_are_not_named():
    hidden, here = attached(bought()), attached(bought(), ticket=factories.ticket(channel=TicketChannel.SOCIAL))
    [file] = shown(here.ticket, factories.user(Role.SOCIAL_MEDIA))["files"]
    assert (file.same, file.alike) == ([], [])
    [file] = shown(here.ticket, factories.user(Role.AGENT))["files"]
    assert file.same == [hidden.ticket]


def test_twice_on_one_ticket_is_no_news():
    ticket = factories.ticket()
    rows = attached(bought(), bought(), ticket=ticket)
    assert [attachments_like(row) for row in rows] == [[], []]


def test_the_number_of_queries_is_the_same_for_one_file_and_for_many():
    agent = factories.user(Role.AGENT)
    counts = []
    for number in (1, 6):
        ticket = factories.ticket()
        attached(*[bought(seed) for seed in range(number)], ticket=ticket)
        attached(*[bought(seed) for seed in range(number)])
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found = shown(ticket, agent)["files"]
        assert len(found) == number
        assert all(file.same for file in found)
        counts.append(len(queries))
    assert counts == [4, 4]


def test_alike_ones_are_found_by_an_index():
    row = attached(bought())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        query = Attachment.objects.filter(quarters__overlap=row.quarters).order_by()
        assert "attachment_alike" in query.explain()


def test_three_bits_cannot_spoil_all_four_quarters():
    looks = 0x0123_4567_89AB_CDEF
    for bits in ((0, 20, 40), (63, 17, 33), (5, 6, 7)):
        other = looks
        for bit in bits:
            other ^= 1 << bit
        other -= other >> 63 << 64
        assert set(quarters_of(looks)) & set(quarters_of(other))


# --- On the page


def test_the_page_names_every_file_and_why_one_is_not_shown():
    ticket = factories.ticket()
    row, refused = attached(
        saved("PDF", photo(), save_all=True, append_images=[photo(seed=3)]), b"<svg>", ticket=ticket
    )
    agent, manager = at_the_desk(Role.AGENT)[0], at_the_desk(Role.MANAGER)[0]
    page = agent.get(f"/tickets/{ticket.reference}/")
    told = words(page)
    assert "Not shown: This is no JPEG, PNG, WebP, HEIC or PDF file, whatever its name says." in told
    assert "2 pages" in told
    html = page.content.decode()
    assert [place in html for place in (address(row, 1), address(row, 2), address(row, 3))] == [True, True, False]
    assert "Download the original" not in told
    assert words(manager.get(f"/tickets/{ticket.reference}/")).count("Download the original : not scanned") == 2
    assert address(refused, page=None) in manager.get(f"/tickets/{ticket.reference}/").content.decode()


def test_a_name_is_text_on_the_page():
    row = attached(saved("PNG"), name="<img src=x onerror=alert(1)>.png")
    html = at_the_desk()[0].get(f"/tickets/{row.ticket.reference}/").content.decode()
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in html


def test_files_of_a_merged_ticket_are_shown_with_the_other():
    kept, merged = factories.ticket(), factories.ticket()
    row = attached(bought(), ticket=merged)
    type(merged).objects.filter(pk=merged.pk).update(merged_into=kept, status="closed")
    [file] = shown(kept, factories.user(Role.AGENT))["files"]
    assert file.attachment == row


# --- Scanned


@contextmanager
def clamd(answer, settings, *, reads=True):
    """A scanner that says one thing: (what it was sent)."""
    sent = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            if reads:
                assert self.rfile.read(10) == b"zINSTREAM\0"
                body = b""
                while length := int.from_bytes(self.rfile.read(4), "big"):
                    body += self.rfile.read(length)
                sent.append(body)
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        settings.CLAMD_URL = f"tcp://127.0.0.1:{server.server_address[1]}"
        yield sent
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"stream: OK\0", ScanState.CLEAN),
        (b"stream: Eicar-Test-Signature FOUND\0", ScanState.INFECTED),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", ScanState.NOT_SCANNED),
        (b"INSTREAM size limit exceeded. ERROR\0", ScanState.NOT_SCANNED),
        (b"stream: Can't allocate memory ERROR\0", ScanState.NOT_SCANNED),
        (b"stream: OK", ScanState.NOT_SCANNED),
        (b"stream: O\0", ScanState.NOT_SCANNED),
        (b"\0", ScanState.NOT_SCANNED),
        (b"", ScanState.NOT_SCANNED),
        (b"HTTP/1.1 200 OK\r\n\r\n" * 200, ScanState.NOT_SCANNED),
    ],
)
def test_only_the_scanners_plain_word_makes_a_file_clean(answer, state, settings):
    contents = bought()
    with clamd(answer, settings) as sent:
        row = attached(contents)
    assert sent == [contents]
    assert row.scan == state
    assert bool(row.pages.count()) is (state != ScanState.INFECTED)


def test_a_scanner_that_hangs_up_early_is_heard(settings):
    with clamd(b"INSTREAM size limit exceeded. ERROR\0", settings, reads=False):
        assert attached(bought()).scan == ScanState.NOT_SCANNED


def test_without_an_answer_a_file_is_not_scanned(settings, monkeypatch):
    settings.CLAMD_URL = "tcp://127.0.0.1:1"
    assert attached(bought(1)).scan == ScanState.NOT_SCANNED
    settings.CLAMD_URL = "unix:///nowhere/clamd.ctl"
    assert attached(bought(2)).scan == ScanState.NOT_SCANNED
    monkeypatch.setattr("support.scanning._SECONDS", 0.2)

    class Silent(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(65536):
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        settings.CLAMD_URL = f"tcp://127.0.0.1:{server.server_address[1]}"
        began = time.monotonic()
        assert attached(bought(3)).scan == ScanState.NOT_SCANNED
        assert time.monotonic() - began < 5
        server.shutdown()


def test_malware_is_kept_for_those_who_may_and_never_shown(settings):
    with clamd(b"stream: Eicar-Test-Signature FOUND\0", settings):
        row = attached(bought())
    assert row.refusal == "The virus scanner found malware in the file."
    client, _ = at_the_desk(Role.MANAGER)
    assert client.get(address(row)).status_code == 404
    assert client.get(address(row, page=None)).status_code == 200
    # Also where pictures were made before somebody knew.
    other = attached(bought(2))
    Attachment.objects.filter(pk=other.pk).update(scan=ScanState.INFECTED)
    assert client.get(address(other)).status_code == 404
    assert client.get(address(other, end="small/")).status_code == 404
