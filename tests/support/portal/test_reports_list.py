"""The list of a retailer's reports: the newest first, narrowed down, and never anybody else's."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import MemberRole, RetailerMember
from support.models import Outcome, TicketStatus
from support.portal.views import reports as views
from tests import factories
from tests.support.desk import shown
from tests.support.portal.test_report_page import decided

pytestmark = pytest.mark.django_db
ADDRESS = "/retailer/reports/"


def listed(page):
    assert page.status_code == 200
    return [report.reference for report, _ in page.context["rows"]]


def find(client, typed, **fields):
    return client.post(ADDRESS, {"q": typed, **fields}, follow=True)


def test_the_newest_come_first_and_strangers_never(client, clerk, batch):
    assert "No cards have been reported yet." in shown(client.get(ADDRESS))
    first, second = (factories.report(factories.card(batch), by=clerk) for _ in range(2))
    factories.report(factories.card())
    page = client.get(ADDRESS)
    assert listed(page) == [second.reference, first.reference]
    assert page.headers["Cache-Control"] == "no-store"


def test_pages_go_on_where_the_last_ended(client, clerk, batch, monkeypatch):
    monkeypatch.setattr(views, "PER_PAGE", 2)
    made = [factories.report(factories.card(batch), by=clerk).reference for _ in range(5)][::-1]
    found, page = [], client.get(ADDRESS)
    while True:
        found += listed(page)
        if not (older := page.context["older"]):
            break
        page = client.get(ADDRESS, {"before": older})
    assert found == made
    assert "No report matches." in shown(client.get(ADDRESS, {"before": "1"}))
    assert client.get(ADDRESS, {"before": "x"}).status_code == 404


def test_by_stage(client, clerk, batch, monkeypatch):
    frozen, asked, answered = (factories.report(factories.card(batch), by=clerk) for _ in range(3))
    asked.ticket.status = TicketStatus.WAITING_FOR_RETAILER
    asked.ticket.save()
    decided(answered, answered.cards.get(), Outcome.CLEARED)
    monkeypatch.setattr("support.actions.reports.SMALL", 0)
    received = factories.report(factories.card(batch), by=clerk)
    expected = {"received": received, "frozen": frozen, "needs_information": asked, "answered": answered}
    for stage, report in expected.items():
        page = client.get(ADDRESS, {"stage": stage})
        assert listed(page) == [report.reference]
        report.refresh_from_db()
        assert report.stage == stage
    assert client.get(ADDRESS, {"stage": "boom"}).status_code == 404


def test_by_retailer_for_who_belongs_to_several(client, clerk, batch):
    other = factories.batch()
    ours = factories.report(factories.card(batch), by=clerk)
    assert '<select id="retailer"' not in client.get(ADDRESS).content.decode()
    RetailerMember.objects.create(retailer=other.retailer, user=clerk, role=MemberRole.CLERK)
    theirs = factories.report(factories.card(other), by=clerk)
    assert listed(client.get(ADDRESS)) == [theirs.reference, ours.reference]
    assert listed(client.get(ADDRESS, {"retailer": batch.retailer.slug})) == [ours.reference]
    stranger = factories.retailer()
    there, none = (client.get(ADDRESS, {"retailer": slug}) for slug in (stranger.slug, "no-such-shop"))
    assert (there.status_code, there.content) == (404, none.content)


def test_by_serial_number_or_reference_however_they_are_typed(client, clerk, batch):
    cards = factories.cards(3, batch)
    both, one = factories.report(*cards[:2], by=clerk), factories.report(cards[1], by=clerk)
    foreign = factories.report(factories.card())
    serial = str(cards[1].serial)
    assert listed(find(client, f" {serial[:3]} {serial[3:6]} {serial[6:]} ")) == [one.reference, both.reference]
    assert listed(find(client, str(cards[0].serial), stage="frozen")) == [both.reference]
    assert listed(find(client, str(cards[0].serial), stage="answered")) == []
    assert listed(find(client, one.reference.lower().replace("-", " "))) == [one.reference]
    # Somebody else's, and none.
    for typed in (foreign.reference, str(foreign.cards.get().serial), "RP-0000-0000-0000", "9876543210"):
        page = find(client, typed)
        assert listed(page) == []
        assert "No report matches." in shown(page)
    assert listed(find(client, "")) == [one.reference, both.reference]


def test_a_code_is_not_looked_up_and_stands_in_no_address(client, clerk, batch):
    card = factories.card(batch)
    factories.report(card, by=clerk)
    response = client.post(ADDRESS, {"q": card.text})
    assert (response.status_code, "it was not looked up" in shown(response)) == (422, True)
    assert card.text not in response.content.decode()
    assert response.context["rows"] is not None
    other = client.post(ADDRESS, {"q": "Hauptbahnhof <b>"})
    assert (other.status_code, "Hauptbahnhof" in other.content.decode()) == (422, False)
    assert client.get(ADDRESS, {"card": "Hauptbahnhof"}).status_code == 404


def test_the_same_queries_for_one_report_and_for_many(client, clerk, batch):
    counts = []
    for more in (1, 3):
        for _ in range(more):
            factories.report(factories.card(batch), by=clerk)
        client.get(ADDRESS)
        with CaptureQueriesContext(connection) as queries:
            client.get(ADDRESS)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 16
