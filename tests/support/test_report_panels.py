"""Reports of compromised cards where people meet them: on the card's page, on the ticket's, and in the box."""

import pytest
from django.db import transaction
from django.utils import timezone

from redemption import cards
from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.reports import settle
from support.models import Answer, Outcome, ReportedCard
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

WARNING = "It is on an open report, "


def came(report, outcome):
    serials = list(report.cards.values_list("serial", flat=True))
    with transaction.atomic():
        settle(
            retailer=report.retailer,
            serials=serials,
            outcome=outcome,
            by=factories.user(Role.AGENT),
            now=timezone.now(),
        )


def page_of(card, role=Role.AGENT):
    client, _ = at_the_desk(role)
    return client.get(f"/codes/{card.serial}/")


# --- On the card's page


def test_a_card_leads_to_its_reports_and_warns_whoever_would_thaw_it():
    card, other = factories.cards(2)
    report = factories.report(card)
    factories.report(other)
    page = page_of(card)
    words = shown(page)
    assert "Reported as compromised" in words
    assert f'href="/compromised/{report.reference}/"' in page.content.decode()
    assert "still to be judged" in words
    assert f"{WARNING}{report.reference}" in words
    # It stands on one already.
    assert "/compromised/new/" not in page.content.decode()
    assert len(page.context["standings"]) == 1


def test_what_is_judged_is_told_and_warns_nobody():
    card = factories.card()
    report = factories.report(card)
    came(report, Outcome.CLEARED)
    factories.report(card, by=factories.user(Role.AGENT))
    came(report, Outcome.CLEARED)
    page = page_of(card)
    assert [standing.state.word for standing in page.context["standings"]] == ["Cleared: works again"] * 2
    words = shown(page)
    assert words.count("Cleared: works again") == 2
    assert "still to be judged" not in words
    assert WARNING not in words


def test_a_redeemed_card_can_be_reported_too():
    card = factories.card()
    redeem(account=factories.account(card.batch.product.program), text=card.text, channel=Channel.WEB)
    page = page_of(card).content.decode()
    assert f'href="/compromised/new/?serial={card.serial}"' in page
    report = factories.report(card)
    words = shown(page_of(card))
    assert "Redeemed after the sale" in words
    assert f"{WARNING}{report.reference}" not in words


def test_a_stranger_who_names_the_card_is_not_told_of_there():
    card = factories.card()
    report = factories.report(factories.card())
    ReportedCard.objects.create(report=report, line=2, serial=card.serial, answer=Answer.UNKNOWN)
    page = page_of(card)
    assert report.reference not in page.content.decode()
    assert page.context["standings"] == []


def test_an_auditor_reads_of_reports_and_makes_none_and_the_social_media_team_does_neither():
    card = factories.card()
    report = factories.report(card)
    auditor, social = (page_of(card, role).content.decode() for role in (Role.AUDITOR, Role.SOCIAL_MEDIA))
    assert report.reference in auditor
    assert "/compromised/new/" not in auditor
    for page in ("/compromised/", "still to be judged"):
        assert page not in social


def test_three_reports_cost_the_card_page_as_many_queries_as_one(django_assert_num_queries):
    card = factories.card()
    clerk = factories.member(card.batch.retailer)
    client, _ = at_the_desk()
    factories.report(card, by=clerk)
    client.get(f"/codes/{card.serial}/")
    for number in (1, 3):
        with django_assert_num_queries(18):
            assert len(client.get(f"/codes/{card.serial}/").context["standings"]) == number
        for _ in range(2):
            factories.report(card, by=clerk)
            # The story of the card tells it as well, by a query of its own.
            cards.thaw_cards(first=card.serial, by=factories.user(Role.AGENT), reason="Again", now=timezone.now())


# --- On the ticket's page


def test_the_ticket_of_a_report_shows_how_it_stands_and_leads_to_the_judging():
    report = factories.report(*factories.cards(3))
    client, _ = at_the_desk()
    page = client.get(f"/tickets/{report.ticket.reference}/")
    words = shown(page)
    assert f"The report {report.reference}" in words
    assert "Frozen 3 Judge 3 cards" in words
    assert f'href="/compromised/{report.reference}/"' in page.content.decode()
    came(report, Outcome.CONFIRMED)
    words = shown(client.get(f"/tickets/{report.ticket.reference}/"))
    assert "Frozen 3 Confirmed: ended for good 3 Nothing is left to be judged." in words


def test_any_other_ticket_offers_to_report_its_card():
    card = factories.card()
    ticket = factories.ticket(code=card.row)
    link = f'href="/compromised/new/?serial={card.serial}&amp;ticket={ticket.reference}"'
    agent, auditor = (at_the_desk(role)[0].get(f"/tickets/{ticket.reference}/") for role in (Role.AGENT, Role.AUDITOR))
    assert link in agent.content.decode()
    assert "/compromised/new/" not in auditor.content.decode()
    assert (agent.context["reported"], auditor.context["reported"]) == (None, None)
    report = factories.report(card)
    assert "/compromised/new/" not in at_the_desk()[0].get(f"/tickets/{report.ticket.reference}/").content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_the_panel_costs_one_query_however_many_cards_there_are(count, django_assert_num_queries):
    report = factories.report(*factories.cards(count + 1))
    client, _ = at_the_desk()
    client.get(f"/tickets/{report.ticket.reference}/")
    with django_assert_num_queries(24):
        client.get(f"/tickets/{report.ticket.reference}/")


# --- In the box


def test_its_reference_in_the_box_opens_the_judging():
    report = factories.report(factories.card())
    client, _ = at_the_desk()
    response = client.post("/", {"typed": report.reference.lower()})
    assert (response.status_code, response.url) == (303, f"/compromised/{report.reference}/")
