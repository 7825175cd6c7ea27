"""The second person's page of what is asked for about a report's cards: in words, in money, and as they are by now."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import Book, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.roles import Role
from support import deciding
from support.actions import decisions, judging
from support.asked import read
from support.models import AuditAction, AuditEvent, Outcome
from support.reported_request import reported
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def desk():
    return at_the_desk(Role.MANAGER)


@pytest.fixture
def cards():
    return factories.cards(4)


@pytest.fixture
def report(cards):
    redeem(account=factories.account(cards[3].batch.product.program), text=cards[3].text, channel=Channel.WEB)
    return factories.report(*cards)


def void(report, cards, by):
    serials = [card.serial for card in cards]
    return judging.request_void(report, serials=serials, by=by, reason="Cut open.")


def open_(client, asked):
    response = client.get(f"/approvals/{asked.pk}/")
    assert response.status_code == 200
    return response


def spend(card):
    """As before this issue's freeze was: somebody had it thawed, and redeemed it."""
    card.batch.codes.filter(pk=card.serial).update(status=CodeStatus.ACTIVE)
    account = factories.account(card.batch.product.program)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed


def test_voiding_is_said_in_words_with_what_it_is_worth_and_leads_to_the_report(desk, report, cards, agent):
    client, _ = desk
    page = open_(client, void(report, cards[:3], agent))
    text = shown(page)
    assert f"Void 3 cards of report {report.reference}" in text
    assert "Approve: Void 3 cards" in text
    assert "3 frozen, worth £90.00" in text
    assert "3 cards worth £90.00" in text
    assert "Changed since it was asked for" not in text
    assert page.context["hindrance"] == ""
    assert f'href="/compromised/{report.reference}/"' in page.content.decode()
    assert client.get(f"/compromised/{report.reference}/").status_code == 200


def test_replacing_says_who_pays_and_counts_what_was_redeemed(desk, report, cards, agent):
    client, _ = desk
    serials = [cards[0].serial, cards[3].serial]
    asked = judging.request_replacement(report, serials=serials, source=Book.GOODWILL, by=agent, reason="Torn.")
    page = open_(client, asked)
    text = shown(page)
    assert f"Replace 2 cards of report {report.reference}" in text
    assert "paid out of goodwill" in text
    assert "1 redeemed, worth £30.00" in text
    assert "1 frozen, worth £30.00" in text
    assert "2 cards worth £60.00" in text
    assert client.post(f"/approvals/{asked.pk}/approve/", {}).status_code == 303
    assert f'href="/compromised/{report.reference}/"' in open_(client, asked).content.decode()


def test_cards_of_two_currencies_are_summed_apart(desk, agent):
    client, _ = desk
    batch = factories.batch()
    kroner = factories.product(currency="SEK", value=20_000)
    others = factories.cards(1, factories.batch(kroner, retailer_id=batch.retailer_id))
    cards = [*factories.cards(2, batch), *others]
    asked = void(factories.report(*cards), cards, agent)
    totals = open_(client, asked).context["reported"].totals
    assert [(part.currency, part.count, part.value) for part in totals] == [("GBP", 2, 6000), ("SEK", 1, 20_000)]


def test_what_was_spent_since_is_told_and_left_out_of_the_sum(desk, report, cards, agent):
    client, _ = desk
    asked = void(report, cards[:3], agent)
    spend(cards[0])
    page = open_(client, asked)
    assert page.context["reported"].left == [("Redeemed or ended since.", 1)]
    assert [(part.count, part.value) for part in page.context["reported"].totals] == [(2, 6000)]
    assert page.context["hindrance"] == ""
    decisions.approve(asked, by=factories.user(Role.SENIOR_AGENT))
    outcomes = list(report.cards.order_by("serial").values_list("outcome", flat=True))
    assert outcomes == ["", Outcome.CONFIRMED, Outcome.CONFIRMED, ""]


def test_where_nothing_is_left_to_void_it_says_so_before_anybody_tries_and_approving_is_refused(
    desk, report, cards, agent
):
    client, _ = desk
    asked = void(report, cards[:1], agent)
    spend(cards[0])
    page = open_(client, asked)
    assert page.context["hindrance"] == "None of its cards is left to be voided."
    assert "As things stand, approving would be refused" in shown(page)
    assert client.post(f"/approvals/{asked.pk}/approve/", {}).status_code == 409


def test_where_its_cards_are_not_those_that_were_asked_for_approving_is_refused(desk, report, cards, agent):
    client, _ = desk
    asked = void(report, cards[:2], agent)
    report.cards.filter(serial=cards[0].serial).update(request=None)
    page = open_(client, asked)
    assert "asked for anew" in page.context["hindrance"]
    assert client.post(f"/approvals/{asked.pk}/approve/", {}).status_code == 409


def test_a_replacement_that_nothing_is_left_for_says_so(desk, report, cards, agent):
    client, _ = desk
    serials = [cards[0].serial]
    asked = judging.request_replacement(report, serials=serials, source=None, by=agent, reason="Torn.")
    cards[0].batch.codes.filter(pk=cards[0].serial).update(status=CodeStatus.VOID)
    assert open_(client, asked).context["hindrance"] == "None of its cards is left to be replaced."


@pytest.mark.parametrize(("role", "status"), [(Role.AGENT, 404), (Role.AUDITOR, 404), (Role.SENIOR_AGENT, 303)])
def test_only_who_may_approve_decides(report, cards, agent, role, status):
    asked = void(report, cards[:2], agent)
    client, _ = at_the_desk(role)
    assert client.post(f"/approvals/{asked.pk}/approve/", {}).status_code == status
    is_void = [CodeStatus(card.row.status) == CodeStatus.VOID for card in cards[:2]]
    assert is_void == [status == 303] * 2


def test_opening_it_is_audited_with_the_report(desk, report, cards, agent):
    client, manager = desk
    asked = void(report, cards[:2], agent)
    open_(client, asked)
    event = AuditEvent.objects.get(action=AuditAction.REQUEST_OPENED)
    assert (event.actor_id, event.details["also"]) == (
        manager.pk,
        [f"ticket:{report.ticket_id}", f"report:{report.pk}"],
    )


def test_a_request_for_three_cards_costs_as_many_queries_as_one_for_one(desk, agent):
    client, _ = desk
    counts = []
    for count in (1, 3):
        cards = factories.cards(count)
        asked = void(factories.report(*cards), cards, agent)
        open_(client, asked)
        with CaptureQueriesContext(connection) as queries:
            open_(client, asked)
        counts.append(len(queries))
        decisions.reject(asked, by=factories.user(Role.MANAGER), reason="Not these.")
    assert counts[0] == counts[1]


def test_what_was_read_already_is_not_read_again(report, cards, agent):
    (asked,) = read([void(report, cards[:2], agent)])
    found = reported(asked.request, now=asked.request.requested_at)
    with CaptureQueriesContext(connection) as queries:
        assert deciding.hindrance(asked, now=asked.request.requested_at, about=found) == ""
    assert len(queries) == 0
