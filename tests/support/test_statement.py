"""The statement on paper: what it says, read back from the PDF, and what it never says."""

from datetime import timedelta

import pypdfium2
import pytest
from django.db import transaction

from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.reports import Told, open_report, settle
from support.models import (
    TO_BE_JUDGED,
    Answer,
    AuditAction,
    AuditEvent,
    CompromiseKind,
    CompromiseReport,
    Outcome,
    ReportChannel,
)
from support.paper import draw, printable
from support.printed_report import ALWAYS, MOST_ROWS, MOST_SINGLE, saying, statement
from support.reported_lines import Line
from tests import factories
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db

NOW = factories.NOON
LATER = NOW + timedelta(hours=3)


def world(count=3, **fields):
    """A clerk, and cards of his retailer; the program is Swedish."""
    program = factories.program()
    program.name = "Spotify Premium"
    program.save()
    saturn = factories.retailer(**{"name": "Saturn", **fields})
    batch = factories.batch(factories.product(program), retailer_id=saturn.pk, size=max(count, 100))
    return factories.member(saturn, name="Clara Clerk"), factories.cards(count, batch)


def stored(report):
    CompromiseReport.objects.filter(pk=report.pk).update(created_at=NOW)
    return CompromiseReport.objects.select_related("retailer", "ticket").get(pk=report.pk)


def text_of(pdf):
    """The lines of each page."""
    document = pypdfium2.PdfDocument(pdf)
    return [page.get_textpage().get_text_bounded().replace("\r", "").split("\n") for page in document]


def printed(report, now=LATER):
    return text_of(draw(statement(stored(report), now=now)))


def came(report, outcome, *serials):
    with transaction.atomic():
        settle(retailer=report.retailer, serials=serials, outcome=outcome, by=factories.user(Role.AGENT), now=LATER)


def test_it_says_what_was_reported_found_and_done():
    clerk, cards = world(3)
    report = factories.report(
        *cards, by=clerk, now=NOW, store="Mitte", till="3", receipt_number="R 17", police_reference="P/1", sold_at=NOW
    )
    came(report, Outcome.CLEARED, cards[0].serial)
    first, second, third = (card.serial for card in cards)
    assert printed(report) == [
        [
            "Redemption Desk",
            "Statement on reported cards",
            f"Reference {report.reference}",
            "Stage Frozen, being looked into",
            "Retailer Saturn",
            "Program Spotify Premium",
            "Product Gift card",
            "Kind Stolen stock",
            "Reported 15 June 2026, 14:00 CEST",
            "Reported by Clara Clerk",
            "Store Mitte",
            "Till 3",
            "Time of sale 15 June 2026, 14:00 CEST",
            "Activation receipt R 17",
            "Police reference P/1",
            "Looked up and frozen 15 June 2026, 14:00 CEST",
            "How many cards",
            "Frozen 3",
            "Cleared: works again 1",
            "Still being looked into 2",
            "What you may tell the customer",
            "Frozen. Cleared: works again The card is in order and works again.",
            "Frozen The card is blocked: nobody can redeem it. We are looking into it:",
            "give no other card for it until then.",
            *(f"• {line}" for line in ALWAYS),
            "The cards",
            "Serial number Cards What was found What came of it",
            f"{first} 1 Frozen",
            "15 June 2026, 14:00 CEST",
            "Cleared: works again",
            "15 June 2026, 17:00 CEST",
            f"{second} 1 Frozen",
            "15 June 2026, 14:00 CEST",
            "Being looked into",
            f"{third} 1 Frozen",
            "15 June 2026, 14:00 CEST",
            "Being looked into",
            f"{report.reference}. Printed on 15 June 2026, 17:00 CEST: this is how it stood then. Page 1 of 1",
        ]
    ]


def test_a_card_that_was_redeemed_before_its_sale_says_when_and_nobody_whose():
    clerk, (card, *_) = world(1)
    thief = factories.account(card.batch.product.program, email="thief@example.com")
    redeem(account=thief, text=card.text, channel=Channel.WEB)
    row = card.row
    report = factories.report(
        card, by=clerk, sold_at=row.redemption.at + timedelta(hours=1), note=f"He showed me {card.text}"
    )
    came(report, Outcome.CLOSED, card.serial)
    paper = statement(stored(report), now=LATER)
    pdf = draw(paper)
    whole = "\n".join(line for page in text_of(pdf) for line in page)
    at = row.redemption.at.astimezone(card.batch.product.program.zone)
    assert (
        f"{card.serial} 1 Redeemed before the sale\n{at:%-d %B %Y, %H:%M %Z}\nToo late: nothing more is done\n" in whole
    )
    assert "Somebody redeemed the card before it was sold. Nothing more is" in whole
    for secret in (card.text, card.code, card.text[-4:], thief.email, thief.reference, "showed me"):
        assert secret not in whole
        assert secret not in repr(paper)


def large(serials, by, retailer):
    opened = open_report(
        retailer=retailer,
        lines=[Line(number, serial) for number, serial in enumerate(serials, start=1)],
        told=Told(CompromiseKind.STOLEN),
        by=by,
        channel=ReportChannel.PORTAL,
        now=NOW,
    )
    return opened.report


def test_many_cards_are_told_by_runs_and_a_change_within_one_parts_it():
    clerk, cards = world(MOST_SINGLE + 20)
    serials = [card.serial for card in cards]
    gap = serials.pop(50)
    report = large(serials, clerk, cards[0].batch.retailer)
    came(report, Outcome.CONFIRMED, serials[10])
    paper = statement(stored(report), now=LATER)
    assert [(row.serials, row.count, row.found, row.came) for row in paper.rows] == [
        (f"{serials[0]}–{serials[9]}", 10, "Frozen", "Being looked into"),
        (f"{serials[10]}", 1, "Frozen", "Confirmed: ended for good"),
        (f"{serials[11]}–{gap - 1}", 39, "Frozen", "Being looked into"),
        (f"{gap + 1}–{serials[-1]}", 69, "Frozen", "Being looked into"),
    ]
    assert paper.unlisted == 0
    assert "Many cards: each line is a run of serial numbers without a gap that are alike." in text_of(draw(paper))[0]


def test_exactly_so_many_have_a_row_each_and_one_more_has_runs():
    clerk, cards = world(MOST_SINGLE + 1)
    serials = [card.serial for card in cards]
    few, many = (large(part, clerk, cards[0].batch.retailer) for part in (serials[:-1], serials))
    assert len(statement(stored(few), now=LATER).rows) == MOST_SINGLE
    assert len(statement(stored(many), now=LATER).rows) == 1


def test_of_a_list_of_strays_it_says_how_many_are_left_out_and_ends_after_some_pages():
    clerk, cards = world(1)
    strays = range(cards[0].serial, cards[0].serial + 2 * (MOST_ROWS + 700), 2)
    report = large(strays, clerk, cards[0].batch.retailer)
    paper = statement(stored(report), now=LATER)
    pages = text_of(draw(paper))
    assert (len(paper.rows), paper.unlisted) == (MOST_ROWS, 700)
    assert "700 more cards are not listed here: the report’s page has every one." in pages[0]
    assert len(pages) < 13
    feet = [page[-1].partition("then. ")[2] for page in pages]
    assert feet == [f"Page {number} of {len(pages)}" for number in range(1, len(pages) + 1)]
    # The head of the table stands on every page of it.
    assert all("Serial number Cards What was found What came of it" in page for page in pages)


def test_a_report_that_is_still_looked_up_has_its_paper_too():
    clerk, cards = world(2)
    report = factories.report(*cards, by=clerk, now=NOW)
    CompromiseReport.objects.filter(pk=report.pk).update(frozen_at=None)
    report.cards.update(answer=Answer.PENDING)
    lines = printed(report)[0]
    assert "Stage Received" in lines
    assert "Being looked up The card is being looked up: do not sell it meanwhile." in lines


def test_who_at_the_desk_took_it_down_is_not_named():
    _, cards = world(1)
    report = factories.report(*cards, by=factories.user(Role.AGENT, name="Agnes Agent"), now=NOW)
    lines = printed(report)[0]
    assert "Reported by Support" in lines
    assert not [line for line in lines if "Agnes" in line]


def test_cards_of_programs_in_several_zones_are_told_in_utc():
    clerk, cards = world(1)
    other = factories.batch(factories.product(factories.pin_program()), retailer_id=cards[0].batch.retailer_id)
    report = factories.report(cards[0], factories.card(other), by=clerk, now=NOW)
    assert "Reported 15 June 2026, 12:00 UTC" in printed(report)[0]


def test_another_retailers_card_is_none_of_yours_and_its_program_is_not_named():
    clerk, cards = world(1)
    foreign = factories.card(factories.batch(factories.product(factories.program("Secret program"))))
    report = large([foreign.serial], clerk, cards[0].batch.retailer)
    lines = printed(report)[0]
    assert f"{foreign.serial} 1 Not one of your cards" in lines
    assert not [line for line in lines if "Secret program" in line]


# --- Letters


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Łukasz Żółć", "Łukasz Żółć"),
        ("Ωμέγα Жуков", "Ωμέγα Жуков"),
        ("A\u030angstro\u0308m", "Ångström"),
        ("王小明", "???"),
        ("<b>Bold</b> & Co", "<b>Bold</b> & Co"),
        ("two\r\nlines\tand \u202eturned\u202c", "two lines and turned"),
        ("\ud83d smile 😀 \x00\x07", "? smile ?"),
        ("", ""),
    ],
)
def test_any_name_is_printed_or_shown_as_unknown(name, shown):
    assert printable(name) == shown


def test_a_name_that_cannot_be_printed_says_so():
    clerk, cards = world(1, name="王府井")
    report = factories.report(*cards, by=clerk, now=NOW)
    lines = printed(report)[0]
    assert "Retailer ???" in lines
    assert "Letters that cannot be printed here are shown as “?”; the report’s page has them." in lines


def test_a_name_without_end_and_markup_in_it_fail_at_nothing():
    clerk, cards = world(1, name="<para>&" + "W" * 70)
    report = factories.report(*cards, by=clerk, now=NOW, store="x" * 80)
    assert printed(report)[0][4].startswith("Retailer <para>&WWW")


def test_the_same_statement_is_the_same_bytes():
    clerk, cards = world(2)
    paper = statement(stored(factories.report(*cards, by=clerk, now=NOW)), now=LATER)
    assert draw(paper) == draw(paper)


@pytest.mark.parametrize("answer", [answer for answer in Answer if answer != Answer.BAD])
def test_there_is_something_to_say_of_every_card(answer):
    outcomes = [None, *Outcome] if answer in TO_BE_JUDGED else [None]
    said = [saying(answer, outcome) for outcome in outcomes]
    assert all(name and text.endswith(".") for name, text in said)
    assert len(set(said)) == len(outcomes)


@pytest.mark.parametrize("count", [1, 3])
def test_it_asks_the_database_the_same_of_one_card_and_of_several(count, django_assert_num_queries):
    clerk, cards = world(count)
    report = stored(factories.report(*cards, by=clerk, now=NOW))
    with django_assert_num_queries(4):
        statement(report, now=LATER)


# --- Its pages

MOST_CAREFUL = {
    "Content-Type": "application/pdf",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
}


def test_a_clerk_prints_it_at_the_till(client):
    clerk, cards = world(2)
    report = factories.report(*cards, by=clerk)
    client.force_login(clerk)
    response = client.get(f"/retailer/reports/{report.reference.lower()}/statement/")
    assert {name: response.headers[name] for name in MOST_CAREFUL} == MOST_CAREFUL
    assert response.headers["Content-Disposition"] == f'inline; filename="{report.reference}.pdf"'
    lines = text_of(response.content)[0]
    assert lines[:6] == [
        "Redemption Desk",
        "Statement on reported cards",
        f"Reference {report.reference}",
        "Stage Frozen, being looked into",
        "Retailer Saturn",
        "Program Spotify Premium",
    ]
    assert f"{cards[1].serial} 1 Frozen" in lines


def test_to_another_retailers_clerk_it_is_as_one_that_does_not_exist(client):
    clerk, cards = world(1)
    report = factories.report(*cards, by=clerk)
    client.force_login(factories.member())
    foreign, unknown = (
        client.get(f"/retailer/reports/{reference}/statement/") for reference in (report.reference, "RP-0000-0000-0000")
    )
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content


def test_the_desk_prints_the_same_and_is_recorded():
    clerk, cards = world(1)
    report = factories.report(*cards, by=clerk)
    client, auditor = at_the_desk(Role.AUDITOR)
    response = client.get(f"/compromised/{report.reference}/statement/")
    assert {name: response.headers[name] for name in MOST_CAREFUL} == MOST_CAREFUL
    assert f"{cards[0].serial} 1 Frozen" in text_of(response.content)[0]
    events = AuditEvent.objects.filter(actor_id=auditor.pk).exclude(action=AuditAction.SIGNED_IN)
    assert list(events.values_list("action", "target")) == [(AuditAction.COMPROMISE_OPENED, f"report:{report.pk}")]
    social, _ = at_the_desk(Role.SOCIAL_MEDIA)
    assert social.get(f"/compromised/{report.reference}/statement/").status_code == 404
