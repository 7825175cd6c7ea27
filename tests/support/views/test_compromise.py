"""The page of one report: all that somebody needs to judge it, and for whom."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.models import Attempt, AttemptOutcome, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.roles import PERMISSIONS, Permission, Role
from support.models import AuditAction, AuditEvent, CardSign, CardSignKind, CompromiseKind
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(size=100)


@pytest.fixture
def desk():
    return at_the_desk(Role.AGENT)


def open_(client, report, query="", status=200):
    response = client.get(f"/compromised/{report.reference}/{query}")
    assert response.status_code == status
    return response


def redeemed(card, by=None):
    by = by or factories.account(card.batch.product.program)
    assert redeem(account=by, text=card.text, channel=Channel.WEB).is_redeemed
    return by


def tried(card, by=None, *, at=None, reason=RefusalReason.NOT_ACTIVATED):
    by = by or factories.account(card.batch.product.program)
    return Attempt.objects.create(
        account=by,
        program=card.batch.product.program,
        code=card.row,
        outcome=AttemptOutcome.REFUSED,
        reason=reason,
        channel=Channel.WEB,
        at=at or timezone.now(),
    )


def test_the_page_says_what_was_reported_by_whom_and_what_is_still_to_be_judged(desk, batch):
    client, _ = desk
    clerk = factories.member(batch.retailer, name="Carla Clerk")
    sold = timezone.now() - timedelta(days=2)
    report = factories.report(
        *factories.cards(3, batch),
        by=clerk,
        kind=CompromiseKind.TAMPERED,
        store="Main street 5",
        till="Till 4",
        receipt_number="B-778",
        police_reference="POL/1",
        customer_present=True,
        sold_at=sold,
        note="The foil was cut.",
    )
    text = shown(open_(client, report))
    assert "Tampered packaging: frozen, being looked into" in text
    assert "3 of 3 cards still to be judged." in text
    told = ["Main street 5, Till 4", "B-778", "POL/1", "The customer is present", "The foil was cut.", "Carla Clerk"]
    for words in [*told, f"{sold:%-d %B %Y, %H:%M UTC}", "(The retailers’ portal)", report.ticket.reference]:
        assert words in text, words


def test_cards_are_counted_by_what_was_found_what_they_are_now_and_what_was_decided(desk, batch):
    client, _ = desk
    cards = factories.cards(4, batch)
    redeemed(cards[0])
    other = factories.card()
    report = factories.report(*cards)
    report.cards.create(line=9, serial=other.serial, answer="unknown")
    report.cards.create(line=10, serial=None, problem="not_a_serial", answer="bad")
    groups = open_(client, report).context["groups"]
    found = [(group.answer.word, group.now, group.decision and group.decision.word, group.count) for group in groups]
    assert found == [
        ("Frozen", "Frozen", "To be judged", 3),
        ("Redeemed after the sale", "Redeemed", "To be judged", 1),
        ("Not read", "", None, 1),
        ("Not one of your cards", "Active", None, 1),
    ]
    for group in groups:
        lines = open_(client, report, f"?{group.filters.address}").context["lines"]
        assert len(lines) == group.count
    assert [line.serial for line in open_(client, report, "?answer=after_sale").context["lines"]] == [cards[0].serial]


@pytest.mark.parametrize("query", ["?answer=lost", "?status=9", "?decision=maybe", "?after=x"])
def test_what_is_no_filter_is_not_found(desk, batch, query):
    client, _ = desk
    open_(client, factories.report(factories.card(batch)), query, status=404)


def test_each_line_says_how_its_card_is_now_who_redeemed_it_and_what_was_tried_before_it_was_sold(desk, batch):
    client, _ = desk
    taken, spied, plain = factories.cards(3, batch)
    thief = redeemed(taken)
    for hours in (1, 2):
        tried(spied, at=spied.row.activated_at - timedelta(hours=hours))
    tried(plain, at=timezone.now() + timedelta(minutes=1))
    response = open_(client, factories.report(taken, spied, plain))
    lines = {line.serial: line for line in response.context["lines"]}
    assert [(line.state.word, line.tries) for line in lines.values()] == [("Redeemed", 0), ("Frozen", 2), ("Frozen", 0)]
    assert thief.reference in shown(response)
    assert thief.email in shown(response)
    early = response.context["early"]
    assert ([row.serial for row in early.rows], early.cards, early.tries) == ([spied.serial], 1, 2)
    assert "2 tries on 1 card before a till had activated it" in shown(response)


def test_who_may_not_see_who_a_customer_is_reads_of_nobody(desk, batch, monkeypatch):
    client, _ = desk
    card = factories.card(batch)
    thief = redeemed(card)
    report = factories.report(card)
    monkeypatch.setitem(
        PERMISSIONS, Role.AGENT, PERMISSIONS[Role.AGENT] - {Permission.SEE_PERSONAL_DATA, Permission.VIEW_ACCOUNTS}
    )
    text = open_(client, report).content.decode()
    assert thief.email not in text
    assert thief.reference not in text
    event = AuditEvent.objects.get(action=AuditAction.COMPROMISE_OPENED)
    assert f"account:{thief.pk}" not in event.details["also"]


def test_the_same_account_in_other_reports_stands_first_with_links_to_them(desk, batch):
    client, _ = desk
    first, second, third, fourth = factories.cards(4, batch)
    busy, thief = redeemed(first), redeemed(second)
    redeemed(third, busy)
    elsewhere = factories.card(factories.batch(batch.product))
    redeemed(elsewhere, thief)
    other = factories.report(elsewhere)
    factories.report(factories.card(factories.batch(batch.product)))
    tried(fourth, factories.account(batch.product.program))
    takers = open_(client, factories.report(first, second, third, fourth)).context["takers"]
    found = [(taker.account, taker.redeemed, taker.tried, taker.others) for taker in takers.rows]
    assert found[:2] == [(thief, 1, 1, [(other, 1)]), (busy, 2, 2, [])]
    assert [row[1:] for row in found[2:]] == [(0, 1, [])]
    assert takers.count == 3


def test_the_cards_beside_a_run_are_told_with_what_happened_to_them(desk, batch):
    client, _ = desk
    cards = factories.cards(30, batch)
    redeemed(cards[8])
    tried(cards[16])
    tried(cards[16])
    report = factories.report(*cards[10:15])
    (run,) = open_(client, report).context["runs"].rows
    serials = [card.serial for card in cards]
    assert (run.first, run.last, run.cards) == (serials[10], serials[14], 5)
    assert (run.before.first, run.before.last, run.before.counts) == (
        serials[0],
        serials[9],
        [("active", 9), ("redeemed", 1)],
    )
    assert [neighbour.serial for neighbour in run.before.redeemed] == [serials[8]]
    assert run.before.freezes == (serials[9], serials[9])
    assert (run.after.first, run.after.last, run.after.refused) == (serials[15], serials[24], 2)
    assert run.after.freezes == (serials[15], serials[24])


def test_neighbours_of_another_batch_and_cards_of_the_report_are_no_neighbours(desk):
    client, _ = desk
    batch = factories.batch(size=4)
    factories.cards(20, factories.batch(batch.product, first_serial=batch.serials.upper, size=20))
    cards = factories.cards(4, batch)
    runs = open_(client, factories.report(cards[0], cards[2], cards[3])).context["runs"]
    assert [(run.first, run.cards) for run in runs.rows] == [(cards[2].serial, 2), (cards[0].serial, 1)]
    sides = [(run.before and run.before.counts, run.after and run.after.counts) for run in runs.rows]
    assert sides == [([("active", 1)], None), (None, [("active", 1)])]


def test_signs_over_these_cards_and_the_retailers_other_reports_are_named(desk, batch):
    client, _ = desk
    now = timezone.now()
    cards = factories.cards(10, batch)
    for kind, first, last in (
        (CardSignKind.NOT_ACTIVATED, cards[0].serial, cards[3].serial),
        (CardSignKind.ALREADY_REDEEMED, cards[6].serial, cards[9].serial),
    ):
        CardSign.objects.create(
            kind=kind, batch=batch, first_serial=first, last_serial=last, is_run=True, cards=4, tried=3, tries=5,
            expected=0.1, chance=1e-7, since=now, until=now, raised_at=now,
        )  # fmt: skip
    earlier = factories.report(cards[9])
    factories.report(factories.card())
    context = open_(client, factories.report(cards[2])).context
    assert [sign.kind for sign in context["runs"].signs] == [CardSignKind.NOT_ACTIVATED]
    assert [other for other, _ in context["others"]] == [earlier]


def test_opening_is_audited_with_the_accounts_and_cards_that_are_seen(desk, batch):
    client, agent = desk
    card, plain = factories.cards(2, batch)
    thief = redeemed(card)
    report = factories.report(card, plain)
    open_(client, report)
    event = AuditEvent.objects.get(action=AuditAction.COMPROMISE_OPENED)
    assert (event.actor_id, event.target) == (agent.pk, f"report:{report.pk}")
    assert event.details["also"] == [
        f"ticket:{report.ticket_id}",
        f"account:{thief.pk}",
        f"code:{card.serial}",
        f"code:{plain.serial}",
    ]


def test_lines_are_paged_in_their_order(desk, monkeypatch):
    client, _ = desk
    monkeypatch.setattr("support.report_cards.PAGE", 3)
    batch = factories.batch(size=7)
    cards = factories.cards(7, batch)
    report = factories.report(*cards)
    # As a range is: several cards of one line.
    report.cards.filter(line__gt=2).update(line=2)
    seen, query = [], ""
    for _ in range(3):
        context = open_(client, report, query).context
        seen += [line.serial for line in context["lines"]]
        query = f"?after={context['last']}"
    assert seen == [card.serial for card in cards]
    assert not context["has_more"]
    other = factories.report(factories.card())
    assert open_(client, report, f"?after={other.cards.get().pk}").context["lines"] == []


def test_nobody_finds_a_report_that_is_not_there_and_any_spelling_finds_one_that_is(desk, batch):
    client, _ = desk
    report = factories.report(factories.card(batch))
    assert client.get("/compromised/RP-0000-0000-0000/").status_code == 404
    assert client.get("/compromised/everything/").status_code == 404
    assert client.get(f"/compromised/{report.reference.lower()}/").status_code == 200


def test_the_page_asks_the_database_as_often_for_three_cards_as_for_one(desk, batch):
    client, _ = desk
    cards = factories.cards(12, batch)
    reports = [factories.report(cards[0]), factories.report(cards[2], cards[4], cards[7])]
    for card in (cards[0], cards[2], cards[4], cards[7]):
        tried(card, at=card.row.activated_at - timedelta(hours=1))
        tried(card)
    counts = []
    for report in reports:
        open_(client, report)
        with CaptureQueriesContext(connection) as queries:
            open_(client, report)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_card_that_does_not_exist_or_is_another_retailers_tells_nothing_of_it(desk, batch):
    client, _ = desk
    other = factories.card()
    thief = redeemed(other)
    report = factories.report(factories.card(batch))
    report.cards.create(line=7, serial=other.serial, answer="unknown")
    context = open_(client, report).context
    assert context["takers"].rows == []
    assert [run.batch for run in context["runs"].rows] == [batch]
    assert thief.reference in open_(client, report).content.decode()
    assert CodeStatus(other.row.status) == CodeStatus.REDEEMED
