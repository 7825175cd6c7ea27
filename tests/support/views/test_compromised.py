"""The list of reports of compromised cards: what waits, in which order, narrowed down, and read by none unrecorded."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import judging
from support.models import AuditAction, AuditEvent, CompromiseKind, CompromiseReport
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
ADDRESS = "/compromised/"


@pytest.fixture
def desk():
    return at_the_desk(Role.AGENT)


def listed(client, **query):
    response = client.get(ADDRESS, query)
    assert response.status_code == 200
    return [row.report for row in response.context["rows"]]


def reported(**told):
    return factories.report(factories.card(), **told)


def answered(by):
    report = reported()
    judging.clear(report, serials=[report.cards.get().serial], by=by, reason="Found again.")
    return CompromiseReport.objects.get(pk=report.pk)


def test_the_longest_waiting_stands_first_and_above_it_where_a_customer_is_present(desk):
    client, agent = desk
    old, new = reported(), reported()
    present, later = reported(customer_present=True), reported(customer_present=True)
    answered(agent)
    assert listed(client) == [present, later, old, new]
    text = shown(client.get(ADDRESS))
    assert text.count("The customer is present") == 2
    assert "To be judged 4" in text


def test_reports_are_told_apart_by_stage_and_the_answered_ones_are_newest_first(desk):
    client, agent = desk
    received = reported()
    CompromiseReport.objects.filter(pk=received.pk).update(frozen_at=None)
    frozen, asked = reported(), reported()
    judging.ask_information(asked, text="Which store was it?", by=agent)
    done, last = answered(agent), answered(agent)
    assert listed(client, stage="received") == [received]
    assert listed(client, stage="frozen") == [frozen]
    assert listed(client, stage="needs_information") == [asked]
    assert listed(client, stage="answered") == [last, done]
    counts = {tab.label: tab.count for tab in client.get(ADDRESS).context["tabs"]}
    assert counts == {
        "To be judged": 3,
        "Received": 1,
        "Frozen, being looked into": 1,
        "We need to know more": 1,
        "Answered": None,
    }


def test_they_are_narrowed_down_by_retailer_and_kind(desk):
    client, _ = desk
    batch = factories.batch()
    theirs = factories.report(*factories.cards(1, batch), kind=CompromiseKind.SCAM)
    other_kind = factories.report(factories.cards(1, batch)[0], kind=CompromiseKind.DRAINED)
    elsewhere = reported(kind=CompromiseKind.SCAM)
    assert listed(client, retailer=batch.retailer_id) == [theirs, other_kind]
    assert listed(client, kind="scam") == [theirs, elsewhere]
    assert listed(client, kind="scam", retailer=batch.retailer_id) == [theirs]
    assert client.get(ADDRESS, {"kind": "scam"}).context["tabs"][0].count == 2


@pytest.mark.parametrize("query", ["stage=lost", "kind=lost", "retailer=x", "after=x", "after=987654"])
def test_what_is_no_filter_is_not_found(desk, query):
    assert desk[0].get(f"{ADDRESS}?{query}").status_code == 404


def test_a_row_says_how_many_cards_are_frozen_too_late_and_still_to_be_judged_and_who_reported(desk):
    client, agent = desk
    cards = factories.cards(4)
    redeem(account=factories.account(cards[0].batch.product.program), text=cards[0].text, channel=Channel.WEB)
    clerk = factories.member(cards[0].batch.retailer, name="Carla Clerk")
    report = factories.report(*cards, by=clerk, store="Main street")
    judging.clear(report, serials=[cards[1].serial], by=agent, reason="Found again.")
    (row,) = client.get(ADDRESS).context["rows"]
    assert (row.report.total, row.frozen, row.too_late, row.report.undecided) == (4, 3, 1, 3)
    text = shown(client.get(ADDRESS))
    assert "3 frozen, 1 too late" in text
    assert "Carla Clerk (the retailers’ portal)" in text
    assert "Main street" in text


def test_the_list_goes_on_where_it_ended_whatever_is_answered_meanwhile(desk, monkeypatch):
    client, agent = desk
    monkeypatch.setattr("support.report_list.PAGE", 2)
    monkeypatch.setattr("support.views.compromised.PAGE", 2)
    plain = [reported() for _ in range(3)]
    present = [reported(customer_present=True) for _ in range(2)]
    wanted = [*present, *plain]
    seen, query = [], {}
    while True:
        response = client.get(ADDRESS, query)
        seen += [row.report for row in response.context["rows"]]
        if response.context["more"] is None:
            break
        query = {"after": response.context["more"]}
        judging.clear(seen[-1], serials=[seen[-1].cards.get().serial], by=agent, reason="Found again.")
    assert seen == wanted


def test_nothing_waits(desk):
    client, _ = desk
    assert "No report waits to be judged." in shown(client.get(ADDRESS))
    assert "No such report." in shown(client.get(ADDRESS, {"kind": "scam"}))
    report = reported()
    assert "No more." in shown(client.get(ADDRESS, {"after": report.pk}))


def test_the_sidebar_counts_what_waits(desk):
    client, agent = desk
    reported(), reported(), answered(agent)
    page = client.get("/tickets/")
    links = {item["title"]: item["badge"] for group in page.context["sidebar_navigation"] for item in group["items"]}
    assert links["Compromised cards"] == 2


def test_listing_is_audited_with_what_is_listed(desk):
    client, agent = desk
    report = reported()
    listed(client)
    event = AuditEvent.objects.get(action=AuditAction.REPORTS_LISTED)
    assert (event.actor_id, event.details) == (agent.pk, {"stage": "open", "also": [f"report:{report.pk}"]})


def test_three_reports_cost_as_many_queries_as_one(desk):
    client, _ = desk
    counts = []
    for _ in range(2):
        reported()
        reported(customer_present=True)
        listed(client)
        with CaptureQueriesContext(connection) as queries:
            listed(client)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_how_long_it_waits_is_said(desk):
    client, _ = desk
    CompromiseReport.objects.filter(pk=reported().pk).update(created_at=timezone.now() - timedelta(hours=5))
    assert "5 h ago" in shown(client.get(ADDRESS))
