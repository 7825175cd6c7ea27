"""What a retailer's people write and read again: no code in it, and no way to try codes by its masks."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Throttle, User
from redemption.roles import Role
from support.actions.messages import add_customer_message
from support.actions.reports import ReportError, Told, open_report
from support.attachments import attach
from support.models import CompromiseKind, CompromiseReport, ReportChannel
from support.reported_lines import Line
from support.told_back import GuessError, told_back
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def pin():
    return factories.card(factories.batch(factories.product(factories.pin_program())))


def read(retailer, **texts):
    return told_back(texts, retailer=retailer, now=timezone.now())


def counted():
    return {row.key: len(row.recent) for row in Throttle.objects.filter(scope="retailer")}


def test_masks_say_nothing_of_the_card_and_words_stay(pin):
    card, retailer = factories.card(), factories.retailer()
    told = read(retailer, note=f"they had {card.text} and {pin.code}", store="Saturn 4")
    assert told.texts == {"note": "they had [code] and [code]", "store": "Saturn 4"}
    assert told.is_masked
    assert not read(retailer, note="nothing of that", store="Saturn 4").is_masked


def test_what_may_be_a_guess_is_counted_whether_a_card_has_it_or_not(pin, settings):
    settings.ATTEMPTS_PER_RETAILER = 3
    retailer, other = factories.retailer(), factories.retailer()
    read(retailer, note="the till was broken", store="Till 4, telephone 030")
    assert counted() == {}
    read(retailer, note="PIN 98765432109", store="Saturn")
    read(retailer, note=f"PIN {pin.code}")
    assert counted() == {str(retailer.pk): 2}
    read(retailer, note="PIN 98765432108")
    with CaptureQueriesContext(connection) as queries, pytest.raises(GuessError, match="leave them out"):
        read(retailer, note=f"PIN {pin.code}")
    assert not [query for query in queries if "redemption_code" in query["sql"].replace("redemption_codeformat", "")]
    # Without numbers it goes on, and nobody else is stopped.
    assert read(retailer, note=f"code {factories.card().text}").is_masked
    assert read(other, note=f"PIN {pin.code}").is_masked


def test_a_list_of_guesses_is_refused_as_a_whole(pin):
    retailer = factories.retailer()
    with pytest.raises(GuessError, match="too many numbers") as refused:
        read(retailer, note="\n".join(f"PIN {98765432100 + number}." for number in range(40)))
    assert (counted(), "98765" in str(refused.value)) == ({}, False)


def test_mails_to_a_report_are_counted_and_not_kept_above_the_limit(pin, settings):
    settings.ATTEMPTS_PER_RETAILER = 2
    ticket = factories.report(factories.card()).ticket

    def kept(body, name):
        message = add_customer_message(ticket=ticket, body=body, author_name=f"PIN {pin.code}", mail_id=f"<{name}@x>")
        return message.body, message.author_name

    assert kept(f"PIN {pin.code}", 1) == ("PIN [code]", "PIN [code]")
    assert kept("PIN 98765432109", 2) == ("PIN 98765432109", "PIN [code]")
    assert kept(f"PIN {pin.code}", 3)[0].startswith("[This mail was not kept")
    # By the portal it was counted before.
    assert add_customer_message(ticket=ticket, body=f"PIN {pin.code}").body == "PIN [code]"
    assert counted() == {str(ticket.retailer_id): 2}


def test_names_of_files_say_nothing_of_cards(pin):
    report = factories.report(factories.card())
    names = [f"{pin.code}.jpg", "98765432109.jpg", "card.98765432109"]
    rows = attach(
        ticket=report.ticket,
        message=report.ticket.messages.get(),
        files=[SimpleUploadedFile(name, b"no picture") for name in names],
        by=report.by,
    )
    assert [row.name for row in rows] == ["file 1.jpg", "file 2.jpg", "file 3"]


def test_halves_of_a_code_in_two_fields_are_not_put_together(pin):
    who = factories.member()
    told = Told(CompromiseKind.STOLEN, police_reference=pin.code[:5], note=pin.code[5:])
    report = open_report(
        retailer=who.memberships.get().retailer,
        lines=[Line(1, 1_000_000_000)],
        told=told,
        by=who,
        channel=ReportChannel.PORTAL,
    ).report
    body = report.ticket.messages.get().body
    assert f"Police reference: {pin.code[:5]}" in body
    assert f"Note: {pin.code[5:]}" in body


def test_a_report_of_a_member_or_a_till_counts_and_one_of_the_desk_does_not(pin, settings):
    settings.ATTEMPTS_PER_RETAILER = 1
    card = factories.card()
    retailer = card.batch.retailer

    def reported(by, channel):
        told = Told(CompromiseKind.STOLEN, receipt_number="98765432109")
        return open_report(retailer=retailer, lines=[Line(1, card.serial)], told=told, by=by, channel=channel)

    agent, clerk = factories.user(Role.AGENT), factories.member(retailer)
    for _ in range(2):
        reported(agent, ReportChannel.DESK)
    assert counted() == {}
    reported(clerk, ReportChannel.PORTAL)
    with pytest.raises(ReportError, match="leave them out"):
        reported(clerk, ReportChannel.PORTAL)
    assert CompromiseReport.objects.count() == 3
    # A till cannot leave a number out: its cards are frozen, and its words are not kept.
    opened = reported(User.objects.system(), ReportChannel.TILL)
    assert (opened.report.receipt_number, opened.is_masked) == ("", True)
    assert opened.report.cards.get().answer == "frozen"
