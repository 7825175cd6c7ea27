"""Deciding about reported cards: what would happen is said first, and nobody decides what he has not read."""

import pytest

from redemption.models import ApprovalAction, ApprovalRequest, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import decisions, judging
from support.models import AuditAction, AuditEvent, Message, Outcome, TicketStatus
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
WHY = "The seals were broken."


@pytest.fixture
def desk():
    return at_the_desk(Role.AGENT)


@pytest.fixture
def cards():
    return factories.cards(5, factories.batch(size=100, value=3000))


@pytest.fixture
def report(cards):
    """Four frozen cards, and one that somebody redeemed before."""
    taken = cards[4]
    redeem(account=factories.account(taken.batch.product.program), text=taken.text, channel=Channel.WEB)
    return factories.report(*cards)


def post(client, report, verb, **data):
    return client.post(f"/compromised/{report.reference}/do/{verb}/", data)


def confirm(client, report, verb, *, reason=WHY, **data):
    """From the plan's own page."""
    planned = post(client, report, verb, **data)
    assert planned.status_code == 200
    return post(client, report, verb, reason=reason, confirmed="1", seen=planned.context["seen"], **data)


def statuses(cards):
    return [CodeStatus(card.row.status) for card in cards]


def outcomes(report):
    return list(report.cards.order_by("serial").values_list("outcome", flat=True))


def test_the_plan_says_how_many_cards_what_they_are_worth_and_which_are_left_and_why_and_does_nothing(
    desk, report, cards
):
    client, agent = desk
    judging.clear(report, serials=[cards[0].serial], by=agent, reason=WHY)
    other = factories.card()
    chosen = [card.serial for card in (cards[0], cards[1], cards[2], cards[4], other)]
    response = post(client, report, "void", chosen=chosen)
    assert response.status_code == 200
    assert response.context["planned"].serials == [cards[1].serial, cards[2].serial]
    assert dict(response.context["planned"].skipped) == {
        "Decided before: Cleared: works again.": [cards[0].serial],
        "It is spent or ended: nothing is left to void.": [cards[4].serial],
        "It does not stand on this report.": [other.serial],
    }
    text = shown(response)
    assert "2 frozen, worth £60.00" in text
    assert "Ask to void 2 cards" in text
    assert not ApprovalRequest.objects.exists()
    assert statuses(cards)[1:3] == [CodeStatus.FROZEN] * 2


def test_ticked_cards_are_cleared_and_the_others_stay_as_they_are(desk, report, cards):
    client, agent = desk
    response = confirm(client, report, "clear", chosen=[cards[0].serial, cards[1].serial])
    assert (response.status_code, response["Location"]) == (303, f"/compromised/{report.reference}/")
    assert statuses(cards) == [CodeStatus.ACTIVE] * 2 + [CodeStatus.FROZEN] * 2 + [CodeStatus.REDEEMED]
    assert outcomes(report) == ["cleared", "cleared", "", "", ""]
    assert report.cards.filter(decided_by=agent).count() == 2
    assert "Cleared: 2 cards." in shown(client.get(response["Location"]))


def test_all_that_are_frozen_are_cleared_in_one_go(desk, report, cards):
    client, _ = desk
    assert confirm(client, report, "clear", which="frozen").status_code == 303
    assert outcomes(report) == ["cleared"] * 4 + [""]


def test_all_that_are_too_late_are_closed_in_one_go(desk, report, cards):
    client, _ = desk
    assert confirm(client, report, "close", which="too_late").status_code == 303
    assert outcomes(report) == [""] * 4 + ["closed"]


def test_voiding_asks_a_second_person_for_exactly_these_cards(desk, report, cards):
    client, agent = desk
    response = confirm(client, report, "void", which="frozen")
    asked = ApprovalRequest.objects.get()
    assert (asked.action, asked.target, asked.requested_by, asked.reason) == (
        ApprovalAction.VOID,
        f"report:{report.pk}",
        agent,
        WHY,
    )
    assert asked.payload["count"] == 4
    assert "A second person is asked to void 4 cards." in shown(client.get(response["Location"]))
    page = client.get(f"/compromised/{report.reference}/")
    assert "Void cards waits for a second person." in shown(page)
    assert post(client, report, "clear", which="frozen").context["planned"].serials == []
    again = post(client, report, "clear", chosen=[cards[0].serial]).context["planned"]
    assert again.skipped == {"It waits for a second person.": [cards[0].serial]}


def test_replacing_cards_that_were_redeemed_asks_who_pays(desk, report, cards):
    client, _ = desk
    chosen = {"chosen": [cards[0].serial, cards[4].serial]}
    refused = confirm(client, report, "replace", **chosen)
    assert refused.status_code == 422
    assert "Say who pays for cards that were redeemed" in shown(refused)
    assert WHY in refused.content.decode()
    assert confirm(client, report, "replace", source="goodwill", **chosen).status_code == 303
    assert ApprovalRequest.objects.get().payload["source"] == "goodwill"


def test_nobody_is_asked_who_pays_where_nothing_was_redeemed(desk, report, cards):
    client, _ = desk
    planned = post(client, report, "replace", chosen=[cards[0].serial])
    assert "source" not in planned.context["form"].fields
    assert confirm(client, report, "replace", chosen=[cards[0].serial]).status_code == 303
    assert ApprovalRequest.objects.get().payload["source"] is None


def test_what_changed_since_it_was_looked_at_is_shown_again_with_what_was_typed(desk, report, cards):
    client, agent = desk
    planned = post(client, report, "void", which="frozen")
    judging.clear(report, serials=[cards[0].serial], by=agent, reason=WHY)
    response = post(
        client, report, "void", which="frozen", confirmed="1", reason="Broken seals.", seen=planned.context["seen"]
    )
    assert response.status_code == 409
    assert "Cards have changed since you looked" in shown(response)
    assert "Broken seals." in response.content.decode()
    assert len(response.context["planned"].serials) == 3
    assert not ApprovalRequest.objects.exists()


def test_a_reason_is_needed_and_holds_no_code(desk, report, cards):
    client, _ = desk
    for reason, said in (("", "Say why"), (f"It was {cards[0].text}", "There is a code in it")):
        response = confirm(client, report, "clear", reason=reason, chosen=[cards[0].serial])
        assert response.status_code == 422
        assert said in shown(response)
    assert outcomes(report) == [""] * 5


def test_what_the_domain_refuses_is_said_and_keeps_what_was_typed(desk, report, cards):
    client, _ = desk
    assert confirm(client, report, "void", chosen=[cards[0].serial]).status_code == 303
    refused = confirm(client, report, "void", chosen=[cards[1].serial], reason="These as well.")
    assert refused.status_code == 409
    assert "Somebody has asked for this already" in shown(refused)
    assert "These as well." in refused.content.decode()


def test_nothing_ticked_leads_back_and_says_so(desk, report):
    client, _ = desk
    response = post(client, report, "clear")
    assert (response.status_code, response["Location"]) == (303, f"/compromised/{report.reference}/#cards")
    assert "Tick at least one card." in shown(client.get(f"/compromised/{report.reference}/"))


@pytest.mark.parametrize("data", [{"which": "every"}, {"chosen": ["x"]}, {"serials": "1 " * 1001}])
def test_what_is_no_choice_is_not_found(desk, report, data):
    assert post(desk[0], report, "clear", **data).status_code == 404


def test_what_is_no_verb_or_no_report_is_not_found(desk, report):
    client, _ = desk
    assert post(client, report, "burn", which="frozen").status_code == 404
    assert client.post("/compromised/RP-0000-0000-0000/do/clear/", {"which": "frozen"}).status_code == 404
    assert client.get(f"/compromised/{report.reference}/do/clear/")["Location"] == f"/compromised/{report.reference}/"


@pytest.mark.parametrize("verb", ["clear", "void", "replace", "close", "ask"])
def test_who_only_reads_decides_nothing_and_is_offered_nothing(report, verb):
    client, _ = at_the_desk(Role.AUDITOR)
    assert post(client, report, verb, which="frozen", text="Which store?").status_code == 404
    page = client.get(f"/compromised/{report.reference}/").content.decode()
    assert f"/do/{verb}/" not in page


def test_the_retailer_is_asked_in_the_tickets_thread_and_the_report_waits(desk, report):
    client, agent = desk
    response = post(client, report, "ask", **{"ask-text": "Which store was it?"})
    assert response.status_code == 303
    report.ticket.refresh_from_db()
    assert report.ticket.status == TicketStatus.WAITING_FOR_RETAILER
    assert Message.objects.filter(ticket=report.ticket, author=agent, body="Which store was it?").count() == 1
    assert "we need to know more" in shown(client.get(response["Location"]))


def test_an_empty_question_is_refused_on_the_reports_page(desk, report):
    response = post(desk[0], report, "ask", **{"ask-text": " "})
    assert response.status_code == 422
    assert "Write what we need to know." in shown(response)
    assert 'id="ask"' in response.content.decode()


def test_looking_at_what_would_happen_is_audited(desk, report, cards):
    client, agent = desk
    post(client, report, "void", chosen=[cards[1].serial])
    event = AuditEvent.objects.get(action=AuditAction.COMPROMISE_OPENED)
    assert (event.actor_id, event.target) == (agent.pk, f"report:{report.pk}")
    assert event.details == {"did": "void", "cards": 1, "also": [f"code:{cards[1].serial}"]}


def test_the_way_to_a_credit_names_the_card_and_the_ticket_and_never_whoever_took_the_money(desk, report, cards):
    client, _ = desk
    page = client.get(f"/compromised/{report.reference}/").content.decode()
    address = f"/credits/new/?card={cards[4].serial}&amp;ticket={report.ticket.reference}"
    assert f'href="{address}"' in page
    response = client.get(address.replace("&amp;", "&"))
    assert response.status_code == 200
    assert response.context["choices"] == []


def test_a_judged_report_shows_the_outcomes_and_offers_nothing_more(desk, report, cards):
    client, _ = desk
    confirm(client, report, "void", which="frozen")
    manager = factories.user(Role.MANAGER)
    decisions.approve(ApprovalRequest.objects.get(), by=manager)
    confirm(client, report, "close", which="too_late")
    assert outcomes(report) == [Outcome.CONFIRMED] * 4 + [Outcome.CLOSED]
    page = client.get(f"/compromised/{report.reference}/")
    assert "All is judged since" in shown(page)
    assert page.context["verbs"] == []
