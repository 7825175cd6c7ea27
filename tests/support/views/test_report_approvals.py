"""A request about a report's cards, in words, and decided on its page."""

import pytest

from redemption.models import Book, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import judging
from support.asked import read
from support.models import AuditEvent, Outcome
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


def serials(cards):
    return [card.serial for card in cards]


def page(client, asked):
    return client.get(f"/approvals/{asked.pk}/")


def approve(client, asked):
    return client.post(f"/approvals/{asked.pk}/approve/", {"approve-reason": ""}, follow=True)


def test_voiding_says_whose_cards_and_how_many(agent):
    cards = factories.cards(4)
    report = factories.report(*cards)
    asked = judging.request_void(report, serials=serials(cards[:3]), by=agent, reason="They were stolen.")
    client, manager = at_the_desk(Role.MANAGER)
    words = shown(page(client, asked))
    assert f"Void 3 cards of report {report}" in words
    assert (
        f"3 cards that {report.retailer} reported, as far as unspent, are ended for good, and their value goes back to "
        "the retailer’s account. It cannot be undone." in words
    )
    assert report.ticket.subject in words
    seen = AuditEvent.objects.filter(action="request_opened", actor_id=manager.pk).last()
    assert f"report:{report.pk}" in seen.details["also"]
    assert shown(approve(client, asked)).count(f"Approved: Void 3 cards of report {report}.") == 1
    assert [card.row.status for card in cards] == [CodeStatus.VOID] * 3 + [CodeStatus.FROZEN]


def test_a_refusal_is_said_and_decides_nothing(agent):
    card = factories.card()
    report = factories.report(card)
    asked = judging.request_void(report, serials=[card.serial], by=agent, reason="They were stolen.")
    report.cards.update(outcome=Outcome.CLEARED, decided_at=factories.NOON, decided_by=agent)
    client, _ = at_the_desk(Role.MANAGER)
    response = client.post(f"/approvals/{asked.pk}/approve/", {"approve-reason": ""})
    assert (response.status_code, "None of these cards is left to be voided" in shown(response)) == (409, True)
    assert card.row.status == CodeStatus.FROZEN


def test_replacing_says_who_pays_and_where_the_new_cards_are_handed_over(agent):
    spent, kept = cards = factories.cards(2)
    account = factories.account(spent.batch.product.program)
    assert redeem(account=account, text=spent.text, channel=Channel.WEB).is_redeemed
    report = factories.report(*cards)
    asked = judging.request_replacement(
        report, serials=serials(cards), source=Book.GOODWILL, by=agent, reason="They were stolen."
    )
    client, _ = at_the_desk(Role.MANAGER)
    words = shown(page(client, asked))
    assert f"Replace 2 cards of report {report}" in words
    assert (
        f"2 cards that {report.retailer} reported may then be replaced, each once. What a stranger took of it is paid "
        "out of goodwill. Nothing changes until a new card is handed over." in words
    )
    approve(client, asked)
    decided = page(client, asked)
    assert "The new cards are handed over on the report’s page" in shown(decided)
    assert f'href="/compromised/{report.reference}/"' in decided.content.decode()
    assert kept.row.status == CodeStatus.FROZEN


def test_one_card_is_spoken_of_as_one(agent):
    card = factories.card()
    report = factories.report(card)
    asked = judging.request_replacement(report, serials=[card.serial], source=None, by=agent, reason="Torn.")
    (words,) = read([asked])
    assert (words.title, words.button) == (f"Replace 1 card of report {report}", "Allow the replacement")
    assert words.effect == (
        f"1 card that {report.retailer} reported may then be replaced, once. It hands its value on to a new one. "
        "Nothing changes until a new card is handed over."
    )


def test_many_requests_are_read_in_as_few_queries_as_one(agent, django_assert_num_queries):
    asked = []
    for _ in range(3):
        card = factories.card()
        asked.append(
            judging.request_void(factories.report(card), serials=[card.serial], by=agent, reason="They were stolen.")
        )
    for some in (asked[:1], asked):
        with django_assert_num_queries(1):
            assert len(read(some)) == len(some)
