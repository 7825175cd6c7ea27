"""A report's page: what was found, what came of it, what was written; and nothing of anybody else's."""

import csv
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Channel, Code, CodeStatus, MemberRole, RetailerMember
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.messages import UNDO, add_customer_message, write_staff_message
from support.actions.reports import Told, freeze_next, open_report, settle
from support.models import (
    CompromiseKind,
    CompromiseReport,
    Message,
    MessageKind,
    Outcome,
    ReportChannel,
    ReportedCard,
    TicketStatus,
)
from support.portal import shown_report
from support.reported_lines import typed_lines
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


def place(report, end=""):
    return f"/retailer/reports/{report.reference}/{end}"


def reported(clerk, retailer, text, **told):
    told = {"kind": CompromiseKind.STOLEN, **told}
    return open_report(
        retailer=retailer, lines=typed_lines(text), told=Told(**told), by=clerk, channel=ReportChannel.PORTAL
    ).report


def decided(report, card, outcome, **more):
    by = factories.user(Role.MANAGER)
    settle(retailer=report.retailer, serials=[card.serial], outcome=outcome, by=by, now=more.get("now", timezone.now()))
    report.refresh_from_db()


def rows(page):
    return [
        (row.line, row.serial, row.answer.word, row.outcome.word if row.outcome else "") for row in page.context["rows"]
    ]


# --- What was found


def test_each_card_says_what_was_found_and_a_redeemed_one_when_but_not_by_whom(client, clerk, batch):
    now = timezone.now()
    cards = factories.cards(4, batch)
    account = factories.account(batch.product.program, email="thief@example.com")
    for card in cards[:2]:
        assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    Code.objects.filter(pk=cards[3].serial).update(status=CodeStatus.VOID)
    serials = "\n".join(str(card.serial) for card in cards)
    report = reported(
        clerk, batch.retailer, f"{serials}\n{factories.card().serial}\nx", sold_at=now - timedelta(days=1)
    )
    page = client.get(place(report))
    assert [(line, word) for line, _, word, _ in rows(page)] == [
        (1, "Redeemed after the sale"),
        (2, "Redeemed after the sale"),
        (3, "Frozen"),
        (4, "Ended before"),
        (5, "Not one of your cards"),
        (6, "Not read"),
    ]
    words = shown(page)
    assert "1 frozen, 2 redeemed after the sale, 1 ended before, 1 not among your cards, 1 not read." in words
    assert words.count(f"on {timezone.now():%-d %b %Y}") == 2
    assert "No serial number: it has ten digits." in words
    for secret in ("thief", account.reference, account.email, cards[0].text, cards[0].code):
        assert secret not in page.content.decode()
    before = reported(clerk, batch.retailer, str(cards[0].serial), sold_at=timezone.now() + timedelta(minutes=1))
    assert rows(client.get(place(before)))[0][2] == "Redeemed before the sale"


def test_the_steps_go_on_as_it_is_judged(client, clerk, batch):
    cards = factories.cards(3, batch)
    report = reported(clerk, batch.retailer, f"{cards[0].serial}-{cards[2].serial}")

    def steps():
        return [(step.name, step.state) for step in client.get(place(report)).context["steps"]]

    assert steps() == [
        ("Received", "done"),
        ("Frozen", "done"),
        ("Confirmed, cleared or too late", "now"),
        ("Replaced or credited", "ahead"),
    ]
    report.ticket.status = TicketStatus.WAITING_FOR_RETAILER
    report.ticket.save()
    assert steps()[2] == ("We need to know more", "now")
    assert "Read our question" in shown(client.get(place(report)))
    decided(report, cards[0], Outcome.CLEARED)
    decided(report, cards[1], Outcome.CONFIRMED)
    assert steps()[-2:] == [("Confirmed, Cleared", "ahead"), ("Replaced or credited", "ahead")]
    decided(report, cards[2], Outcome.REPLACED)
    assert steps() == [
        ("Received", "done"),
        ("Frozen", "done"),
        ("Confirmed, Cleared", "done"),
        ("Replaced", "done"),
    ]
    assert [row[3] for row in rows(client.get(place(report)))] == [
        "Cleared: works again",
        "Confirmed: ended for good",
        "Replaced",
    ]


def test_a_large_report_is_under_way_until_the_worker_is_through(client, clerk, batch, monkeypatch):
    monkeypatch.setattr("support.actions.reports.SMALL", 2)
    monkeypatch.setattr("support.actions.reports.CHUNK", 2)
    cards = factories.cards(3, batch)
    report = reported(clerk, batch.retailer, f"{cards[0].serial}-{cards[2].serial}")
    page = client.get(place(report))
    assert "0 of 3 cards are looked up" in shown(page)
    assert [step.state for step in page.context["steps"]][:2] == ["done", "now"]
    assert rows(page)[0][2] == "Being looked up"
    assert freeze_next(report)
    assert "2 of 3 cards are looked up and frozen (66 %)" in shown(client.get(place(report, "?progress")))
    assert not freeze_next(report)
    part = client.get(place(report, "?progress")).content.decode()
    assert "data-done" in part
    assert b"http-equiv" not in client.get(place(report)).content


def test_cards_are_narrowed_by_answer_and_outcome_and_paged(client, clerk, batch, monkeypatch):
    monkeypatch.setattr(shown_report, "PER_PAGE", 2)
    monkeypatch.setattr("support.portal.views.report.PER_PAGE", 2)
    cards = factories.cards(5, batch)
    report = reported(clerk, batch.retailer, f"{cards[0].serial}-{cards[4].serial}\nx")
    decided(report, cards[3], Outcome.CLEARED)
    found = [rows(client.get(place(report, f"?page={number}"))) for number in (1, 2, 3)]
    assert [row[1] for page in found for row in page] == [*(card.serial for card in cards), None]
    assert [row[1] for row in rows(client.get(place(report, "?only=cleared")))] == [cards[3].serial]
    assert [row[0] for row in rows(client.get(place(report, "?only=bad")))] == [2]
    assert [row[1] for row in rows(client.get(place(report, "?only=frozen&page=3")))] == [cards[4].serial]
    assert rows(client.get(place(report, "?only=unknown"))) == []
    for wrong in (
        "?page=4",
        "?page=0",
        "?page=-1",
        "?page=x",
        "?page=1000000",
        "?only=x",
        "?before=x",
        "?only=bad&page=2",
    ):
        assert client.get(place(report, wrong)).status_code == 404


def test_the_same_queries_whatever_the_length(client, clerk, batch):
    cards = factories.cards(60, batch)
    account = factories.account(batch.product.program)
    short = reported(clerk, batch.retailer, str(cards[0].serial))
    redeem(account=account, text=cards[1].text, channel=Channel.WEB)
    long = reported(clerk, batch.retailer, f"{cards[1].serial}-{cards[59].serial}\nx\ny")
    for number in range(4):
        add_customer_message(ticket=long.ticket, body=f"{number}", author=clerk, author_name=str(clerk))
        write_staff_message(
            ticket=long.ticket,
            kind=MessageKind.REPLY,
            body="and?",
            by=factories.user(Role.AGENT),
            now=timezone.now() - timedelta(minutes=number + 1),
        )
    decided(long, cards[5], Outcome.CLEARED)
    counts = []
    for report in (short, long):
        client.get(place(report))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(place(report)).status_code == 200
        counts.append(len(queries))
    # With messages, their files are asked for; both have messages.
    assert counts[0] == counts[1] <= 24


def test_all_of_it_as_a_file(client, clerk, batch):
    cards = factories.cards(3, batch)
    report = reported(clerk, batch.retailer, f"{cards[0].serial}-{cards[1].serial}\nx\n{cards[0].serial}")
    decided(report, cards[1], Outcome.CLEARED)
    response = client.get(place(report, "cards/"))
    assert response.headers["Content-Disposition"] == f'attachment; filename="{report.reference}.csv"'
    table = list(csv.reader(StringIO(response.content.decode("utf-8-sig"))))
    assert table[0] == [
        "Line",
        "Serial number",
        "Found",
        "Why not read",
        "Redeemed at (UTC)",
        "Outcome",
        "Decided at (UTC)",
    ]
    assert [row[:4] + row[5:6] for row in table[1:]] == [
        ["1", str(cards[0].serial), "Frozen", "", ""],
        ["1", str(cards[1].serial), "Frozen", "", "Cleared: works again"],
        ["2", "", "Not read", "No serial number: it has ten digits.", ""],
        ["3", "", "Not read", "The same serial number stands further up.", ""],
    ]


def test_what_was_told_stands_on_the_page(client, clerk, batch):
    card = factories.card(batch)
    told = {"store": "Mitte <b>", "till": "T4", "receipt_number": "R1", "police_reference": "P9"}
    report = reported(clerk, batch.retailer, str(card.serial), customer_present=True, note="one\ntwo", **told)
    words = shown(client.get(place(report)))
    for told in ("Store Mitte <b>", "Till T4", "Activation receipt R1", "Police reference P9", "was there and waited"):
        assert told in words
    assert b"<b>" not in client.get(place(report)).content.replace(b"<b>1</b>", b"")


# --- What was written


def test_the_thread_has_answers_when_they_are_out_and_never_a_note(client, clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    agent = factories.user(Role.AGENT, name="Agatha Agent")
    write_staff_message(ticket=report.ticket, kind=MessageKind.NOTE, body="they steal themselves", by=agent)
    write_staff_message(ticket=report.ticket, kind=MessageKind.REPLY, body="Which till?", by=agent)
    words = shown(client.get(place(report)))
    assert ("Which till?" in words, "steal" in words) == (False, False)
    Message.objects.exclude(undo_until=None).update(undo_until=timezone.now() - UNDO)
    page = client.get(place(report))
    words = shown(page)
    assert "Redemption Desk" in words[words.index("Messages") :]
    assert ("Which till?" in words, "Clara Clerk" in words, "Agatha" in words) == (True, True, False)
    assert [letter.is_ours for letter in page.context["letters"]] == [False, True]


def write(client, report, body, **fields):
    return client.post(place(report, "write/"), {"body": body, "send_key": uuid.uuid4().hex, **fields})


def test_what_is_written_reaches_the_ticket_and_opens_it_again(client, clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    report.ticket.status = TicketStatus.SOLVED
    report.ticket.save()
    response = write(client, report, "There are more of them.")
    assert (response.status_code, response.headers["Location"]) == (303, f"{place(report)}#messages")
    message = Message.objects.order_by("pk").last()
    report.ticket.refresh_from_db()
    assert (message.ticket, message.author, message.author_name) == (report.ticket, clerk, "Clara Clerk")
    assert (message.kind, message.body, report.ticket.status) == ("customer", "There are more of them.", "open")
    assert "There are more of them." in shown(client.get(place(report)))


def test_written_twice_it_is_one_message_and_anothers_key_is_no_way_to_theirs(client, clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    key = uuid.uuid4().hex
    for _ in range(2):
        assert write(client, report, "once", send_key=key).status_code == 303
    assert Message.objects.filter(body="once").count() == 1


def test_a_code_that_is_written_is_taken_out_and_said(client, clerk, batch):
    card = factories.card(batch)
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    report = reported(clerk, batch.retailer, str(card.serial))
    write(client, report, f"it was {card.text}, and {pin.code}")
    message = Message.objects.order_by("pk").last()
    assert message.body == "it was [code], and [code]"
    assert report.ticket.code_id == card.serial
    page = client.get(place(report))
    assert "Never send us codes" in shown(page)
    assert (card.text in page.content.decode(), card.row.last_four in message.body) == (False, False)


@pytest.mark.parametrize("body", ["", "   ", "x" * 10_001])
def test_what_cannot_be_written_is_shown_again_without_codes(client, clerk, batch, body):
    card = factories.card(batch)
    report = reported(clerk, batch.retailer, str(card.serial))
    text = f"{card.text} {body}" if body.strip() else body
    response = write(client, report, text)
    assert response.status_code == 422
    assert card.text not in response.content.decode()
    assert Message.objects.count() == 1


def test_guesses_in_messages_are_counted(client, clerk, batch, settings):
    settings.ATTEMPTS_PER_RETAILER = 1
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    assert write(client, report, "98765432109").status_code == 303
    refused = write(client, report, pin.code)
    assert (refused.status_code, pin.code in refused.content.decode()) == (409, False)
    assert "leave them out" in shown(refused)
    assert Message.objects.count() == 2


# --- Nobody else's


def test_a_strangers_report_is_as_none(clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    stranger = Client()
    stranger.force_login(factories.member())
    missing = CompromiseReport(reference="RP-0000-0000-0000")
    for end in ("", "cards/", "?progress", "write/"):
        there, none = (stranger.get(place(one, end)) for one in (report, missing))
        assert (there.status_code, none.status_code) == (404, 404)
        assert there.content == none.content
    for one in (report, missing):
        assert write(stranger, one, "hello").status_code == 404
    assert Message.objects.count() == 1
    desk, _ = at_the_desk(Role.MANAGER)
    assert desk.get(place(report)).status_code == 404


def test_who_left_sees_nothing_and_colleagues_do(client, clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    colleague = Client()
    colleague.force_login(factories.member(batch.retailer, role=MemberRole.MANAGER))
    assert "Clara Clerk" in shown(colleague.get(place(report)))
    RetailerMember.objects.filter(user=clerk).delete()
    assert client.get(place(report)).status_code == 404
    assert write(client, report, "x").status_code == 404


def test_the_reference_is_forgiven_its_spelling(client, clerk, batch):
    report = reported(clerk, batch.retailer, str(factories.card(batch).serial))
    assert client.get(f"/retailer/reports/{report.reference.lower()}/").status_code == 200
    assert ReportedCard.objects.count() == 1
