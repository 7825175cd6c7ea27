"""The form by which a retailer's people report cards: what it takes, what it refuses, and what it never shows again."""

import uuid
from datetime import timedelta
from io import BytesIO

import pytest
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from xlsxwriter import Workbook

from redemption.models import Code, CodeStatus, MemberRole, RetailerMember
from support.actions.reports import SMALL
from support.models import Attachment, CompromiseReport, Message, Priority, ReportedCard, Ticket
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.hostile_files import photo, saved

pytestmark = pytest.mark.django_db
ADDRESS = "/retailer/reports/new/"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def send(client, cards="", **fields):
    form = {"kind": "stolen", "cards": cards, "send_key": uuid.uuid4().hex, **fields}
    return client.post(ADDRESS, form)


def report_of(response):
    assert response.status_code == 303, shown(response)
    [reference] = [part for part in response.headers["Location"].split("/") if part.startswith("RP-")]
    return CompromiseReport.objects.get(reference=reference)


def answers(report):
    return dict(report.cards.exclude(serial=None).values_list("serial", "answer"))


def statuses(cards):
    rows = Code.objects.filter(pk__in=[card.serial for card in cards]).order_by("pk")
    return list(rows.values_list("status", flat=True))


# --- What is taken


def test_typed_serial_numbers_and_ranges_are_frozen_and_neighbours_are_not(client, clerk, batch):
    cards = factories.cards(8, batch)
    serial = [card.serial for card in cards]
    response = send(client, f"{serial[1]}\r\n{serial[3]}–{serial[5]}\r\n\r\n{serial[3]}\r\nsix\r\n")
    report = report_of(response)
    assert answers(report) == dict.fromkeys([serial[1], *serial[3:6]], "frozen")
    assert list(report.cards.filter(serial=None).values_list("line", "problem")) == [(4, "twice"), (5, "not_a_serial")]
    active, frozen = CodeStatus.ACTIVE, CodeStatus.FROZEN
    assert statuses(cards) == [active, frozen, active, frozen, frozen, frozen, active, active]
    assert (report.by, report.reporter_name, report.retailer) == (clerk, "Clara Clerk", batch.retailer)
    page = shown(client.get(response.headers["Location"]))
    assert "4 frozen, 2 not read. 4 cards still to be judged" in page


def test_everything_that_is_told_is_kept_with_times_as_where_they_are_typed(client, clerk, batch):
    card = factories.card(batch)
    told = {
        "kind": "not_activated",
        "store": "Hauptbahnhof",
        "till": "4",
        "sold_at": "2026-06-01T10:05",
        "discovered_at": "2026-06-01T11:00",
        "receipt_number": "R-77",
        "customer_present": "on",
        "police_reference": "P/12",
        "note": "The seal was torn.",
        "zone": "America/New_York",
    }
    report = report_of(send(client, str(card.serial), **told))
    assert (report.sold_at.isoformat(), report.discovered_at.isoformat()) == (
        "2026-06-01T14:05:00+00:00",
        "2026-06-01T15:00:00+00:00",
    )
    texts = ("kind", "store", "till", "receipt_number", "police_reference", "note")
    assert [getattr(report, name) for name in texts] == [told[name] for name in texts]
    assert report.customer_present
    assert (report.ticket.priority, report.ticket.requester_email) == (Priority.URGENT, clerk.email)


def test_a_telephone_that_names_no_zone_or_an_unknown_one_is_where_the_program_is(client):
    batch = factories.batch(factories.product(factories.program(time_zone="Asia/Tokyo")))
    client.force_login(factories.member(batch.retailer))
    for zone in ("", "Mars/Olympus"):
        card = factories.card(batch)
        report = report_of(send(client, str(card.serial), sold_at="2026-06-01T10:05", zone=zone))
        assert report.sold_at.isoformat() == "2026-06-01T01:05:00+00:00"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_is_read_row_by_row_with_its_bad_rows(client, clerk, batch, kind):
    cards = factories.cards(3, batch)
    rows = ["Serial", *(card.serial for card in cards[:2]), "broken", cards[2].serial]
    if kind == "csv":
        contents = "\r\n".join(f"gift;{row}" for row in rows).encode()
    else:
        file = BytesIO()
        with Workbook(file) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(rows):
                sheet.write(number, 1, row)
        contents = file.getvalue()
    response = send(client, file=SimpleUploadedFile(f"list.{kind}", contents))
    report = report_of(response)
    assert answers(report) == dict.fromkeys((card.serial for card in cards), "frozen")
    assert list(report.cards.filter(serial=None).values_list("line", "problem")) == [(4, "not_a_serial")]
    assert report.total == 3


def test_a_large_list_is_left_to_the_worker_and_its_page_shows_how_far_it_is(client, clerk, batch):
    contents = "\n".join(str(batch.serials.lower + number) for number in range(SMALL + 1)).encode()
    response = send(client, file=SimpleUploadedFile("list.csv", contents))
    report = report_of(response)
    assert (report.frozen_at, report.total) == (None, SMALL + 1)
    page = client.get(response.headers["Location"])
    assert "0 of 5,001 cards are looked up" in shown(page)
    assert b'http-equiv="refresh"' in page.content
    part = client.get(f"{response.headers['Location']}?progress")
    assert "<h1" not in part.content.decode()
    assert "data-done" not in part.content.decode()


def test_sending_twice_is_one_report(client, clerk, batch):
    card = factories.card(batch)
    sent = [send(client, str(card.serial), send_key="5e" * 16) for _ in range(2)]
    assert sent[0].headers["Location"] == sent[1].headers["Location"]
    assert (CompromiseReport.objects.count(), Ticket.objects.count(), Message.objects.count()) == (1, 1, 1)


def test_photos_come_with_it_and_a_bad_one_costs_nothing_else(client, clerk, batch):
    card = factories.card(batch)
    files = [SimpleUploadedFile("seal.png", saved("PNG", photo())), SimpleUploadedFile("seal.svg", b"<svg>")]
    response = send(client, str(card.serial), attachments=files, **{"attachments-kind": ["card_photo", "other"]})
    report = report_of(response)
    rows = Attachment.objects.filter(message__ticket=report.ticket).order_by("pk")
    assert [(row.name, row.kind, bool(row.refusal), row.uploaded_by) for row in rows] == [
        ("file 1.png", "card_photo", False, clerk),
        ("file 2.svg", "other", True, clerk),
    ]
    assert "file 2.svg: This is no JPEG" in shown(client.get(response.headers["Location"]))


def test_who_belongs_to_several_retailers_says_for_which_one(client, clerk, batch):
    other = factories.retailer()
    RetailerMember.objects.create(retailer=other, user=clerk, role=MemberRole.CLERK)
    card = factories.card(batch)
    response = send(client, str(card.serial))
    assert response.status_code == 422
    assert "Choose one of the list." in shown(response)
    stranger = factories.retailer()
    assert send(client, str(card.serial), retailer=stranger.slug).status_code == 422
    assert not CompromiseReport.objects.exists()
    report = report_of(send(client, str(card.serial), retailer=batch.retailer.slug))
    assert (report.retailer, answers(report)) == (batch.retailer, {card.serial: "frozen"})
    # Each for its own: the other one learns nothing of the card, and freezes nothing.
    second = report_of(send(client, str(card.serial), retailer=other.slug))
    assert answers(second) == {card.serial: "unknown"}


def test_a_strangers_card_and_none_get_the_same_page(client, clerk):
    foreign = factories.card()
    there = send(client, str(foreign.serial))
    missing = send(client, "9876543210")
    pages = []
    for response, serial in ((there, foreign.serial), (missing, 9876543210)):
        report = report_of(response)
        page = client.get(response.headers["Location"]).content.decode()
        pages.append(page.replace(report.reference, "RP").replace(str(serial), "SERIAL"))
    masked = [
        __import__("re").sub(r'value="[A-Za-z0-9_-]{20,}"|datetime="[^"]*"|message-\d+', "", page) for page in pages
    ]
    assert masked[0] == masked[1]
    assert statuses([foreign]) == [CodeStatus.ACTIVE]


# --- What is refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cards": ""}, "Name the cards: type or scan their serial numbers, or choose a file."),
        ({"kind": ""}, "Choose one of the list."),
        ({"kind": "<b>boom</b>"}, "Choose one of the list."),
        ({"cards": "one\ntwo"}, "No serial number was found. line 1: No serial number: it has ten digits."),
        ({"cards": "1000000000-1000200000"}, "A report has at most 100,000 cards"),
        ({"cards": "1000000001\n" * 5001}, "More than 5,000 lines go into a file"),
        ({"sold_at": "soon"}, "Write a day and a time."),
        ({"sold_at": "2026-06-02T10:00", "discovered_at": "2026-06-01T10:00"}, "This is before the sale."),
        ({"discovered_at": "2999-01-01T10:00"}, "This is in the future."),
        ({"sold_at": "1970-01-01T10:00"}, "This is too long ago."),
        ({"store": "x" * 81}, "at most 80 characters"),
        ({"note": "nul\0"}, "Null characters are not allowed."),
        ({"file": SimpleUploadedFile("a.csv", b"")}, "The file is empty."),
        ({"file": SimpleUploadedFile("a.csv", b"1000000001")}, "Either type the serial numbers here or choose a file"),
        ({"cards": "", "file": SimpleUploadedFile("a.xlsx", b"PK\x03\x04junk")}, "This Excel file cannot be read"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(client, clerk, fields, said):
    response = send(client, **{"cards": "1000000001", "till": "Till seven", **fields})
    assert response.status_code == 422
    assert said in shown(response)
    assert 'value="Till seven"' in response.content.decode()
    assert b"boom" not in response.content
    assert ("choose them again" in shown(response)) == ("file" in fields)
    assert not CompromiseReport.objects.exists()
    assert not Ticket.objects.exists()


def test_the_list_typed_stays_where_another_field_is_wrong(client, clerk):
    response = send(client, "1000000001\r\n1000000002-1000000005\r\nmistyped", kind="")
    assert response.context["form"]["cards"].value() == "1000000001\n1000000002-1000000005\nmistyped"


def test_a_clock_that_is_minutes_ahead_is_no_error(client, clerk, batch):
    card = factories.card(batch)
    ahead = (timezone.now() + timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M")
    report_of(send(client, str(card.serial), sold_at=ahead, zone="UTC"))


# --- Never the code


FIELDS = ["store", "till", "receipt_number", "police_reference", "note"]


@pytest.mark.parametrize("name", FIELDS)
def test_a_code_in_any_field_is_taken_out_and_said(client, clerk, batch, name):
    card = factories.card(batch)
    response = send(client, str(card.serial), **{name: f"it was {card.text}"})
    report = report_of(response)
    assert getattr(report, name) == "it was [code]"
    page = client.get(response.headers["Location"])
    assert "Never send us codes" in shown(page)
    everything = page.content.decode() + repr(list(Message.objects.values())) + repr(list(Ticket.objects.values()))
    assert card.text not in everything
    assert card.code not in everything


@pytest.mark.parametrize("name", [*FIELDS, "cards", "sold_at", "discovered_at", "kind", "zone", "send_key", "retailer"])
def test_a_form_that_is_shown_again_shows_no_code(client, clerk, batch, name):
    card = factories.card(batch)
    fields = {"kind": "", "cards": str(card.serial), name: card.text}
    for text in (card.text, card.code):
        response = send(client, **{**fields, name: text})
        assert response.status_code == 422
        assert card.code not in response.content.decode().replace("-", "")
        assert card.text not in response.content.decode()
    if name in [*FIELDS, "cards"]:
        assert "Never send us codes" in shown(response)


def test_among_serial_numbers_a_code_is_named_by_its_line(client, clerk, batch):
    card = factories.card(batch)
    report = report_of(send(client, f"{card.serial}\n{card.text}"))
    assert list(ReportedCard.objects.values_list("line", "serial", "problem").order_by("line")) == [
        (1, card.serial, ""),
        (2, None, "a_code"),
    ]
    page = client.get(f"/retailer/reports/{report.reference}/")
    assert "That looks like a code" in shown(page)
    assert card.text not in page.content.decode()


def test_codes_in_a_file_are_kept_nowhere(client, clerk, batch):
    cards = factories.cards(2, batch)
    contents = f"serial;code\n{cards[0].serial};{cards[0].text}\n{cards[1].text};{cards[1].text}\n".encode()
    report = report_of(send(client, file=SimpleUploadedFile(f"{cards[0].text}.csv", contents)))
    assert answers(report) == {cards[0].serial: "frozen"}
    kept = repr(list(ReportedCard.objects.values())) + repr(list(Message.objects.values()))
    kept += repr([session.get_decoded() for session in Session.objects.all()])
    assert cards[0].text not in kept
    assert cards[1].text not in kept


def test_guesses_are_refused_and_serial_numbers_still_taken(client, clerk, batch, settings):
    settings.ATTEMPTS_PER_RETAILER = 1
    factories.card(factories.batch(factories.product(factories.pin_program())))
    card = factories.card(batch)
    report_of(send(client, str(card.serial), receipt_number="98765432109"))
    refused = send(client, str(card.serial), receipt_number="98765432108")
    assert (refused.status_code, "leave them out of what you write" in shown(refused)) == (409, True)
    assert "98765432108" not in refused.content.decode()
    report_of(send(client, str(card.serial), receipt_number=""))
    # A form with errors is no way round: what it shows again is counted as well.
    again = send(client, str(card.serial), receipt_number="98765432108", kind="")
    assert "98765432108" not in again.content.decode()


# --- Whose it is


def test_nobody_else_has_this_page(client):
    assert client.get(ADDRESS).status_code == 302
    desk, _ = at_the_desk()
    assert (desk.get(ADDRESS).status_code, desk.post(ADDRESS).status_code) == (404, 404)
    client.force_login(factories.user())
    assert (client.get(ADDRESS).status_code, client.post(ADDRESS).status_code) == (404, 404)


def test_a_card_may_be_named_by_the_page_that_led_here(client, clerk):
    page = client.get(ADDRESS, {"card": "1000000123"})
    assert page.context["form"]["cards"].value() == 1000000123
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (ADDRESS, 422),
        ("/retailer/reports/RP-0000-0000-0000/write/", 404),
        ("/retailer/reports/", 413),
        ("/retailer/", 413),
    ],
)
def test_large_files_are_taken_where_files_are_chosen_and_nowhere_else(client, clerk, settings, path, code):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000
    file = SimpleUploadedFile("list.csv", b"no serial number\n" * 1_000)
    assert client.post(path, {"file": file}).status_code == code
    settings.UPLOAD_MAX_REQUEST_BYTES = 6_000
    assert client.post(path, {"file": SimpleUploadedFile("list.csv", b"x" * 7_000)}).status_code == 413


def test_too_large_a_list_is_refused_with_a_sentence(client, clerk, monkeypatch):
    monkeypatch.setattr("support.portal.report_form.LARGEST_LIST", 1_000_000)
    response = send(client, file=SimpleUploadedFile("list.csv", b"1000000001\n" * 100_000))
    assert (response.status_code, "The file has more than 1 MB: divide it." in shown(response)) == (422, True)
