"""A report that an agent takes down: of whose cards, what comes of it, and what is refused."""

import re

import pytest

from redemption.models import CardEvent, CardEventKind, CodeStatus, User
from redemption.roles import Role
from support.models import (
    Answer,
    AuditAction,
    AuditEvent,
    CompromiseReport,
    MessageKind,
    ReportChannel,
    Ticket,
)
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

PLACE = "/compromised/new/"


def cards_of(count=2, name="Saturn"):
    retailer = factories.retailer(name=name, contact_email="fraud@saturn.example")
    return factories.cards(count, factories.batch(retailer_id=retailer.pk))


def form(*cards, **fields):
    return {"cards": "\n".join(str(card.serial) for card in cards), "kind": "scam", "send_key": "0" * 32, **fields}


def statuses(cards):
    return [card.row.status for card in cards]


def test_an_agent_freezes_what_a_shop_names_on_the_telephone():
    cards = cards_of(3)
    client, agent = at_the_desk()
    sent = form(
        *cards[:2],
        store="Mitte",
        till="3",
        sold_at="2026-06-15T14:05",
        discovered_at="2026-06-15T15:00",
        receipt_number="R 17",
        police_reference="P/1",
        customer_present="on",
        note="She was called by a “bank”.",
    )
    response = client.post(PLACE, sent)
    report = CompromiseReport.objects.get()
    assert (response.status_code, response.url) == (303, f"/compromised/{report.reference}/")
    assert statuses(cards) == [CodeStatus.FROZEN, CodeStatus.FROZEN, CodeStatus.ACTIVE]
    assert (report.channel, report.by_id, report.retailer.name) == (ReportChannel.DESK, agent.pk, "Saturn")
    # As clocks show it in the program's zone, which is two hours ahead.
    assert f"{report.sold_at:%H:%M} {report.discovered_at:%H:%M}" == "12:05 13:00"
    told = (report.store, report.till, report.receipt_number, report.police_reference, report.customer_present)
    assert told == ("Mitte", "3", "R 17", "P/1", True)
    assert report.note == "She was called by a “bank”."
    # What the retailer's people read names no agent.
    ticket = report.ticket
    assert (report.reporter_name, ticket.requester_name, ticket.messages.get().author_name) == (
        "Support",
        "Saturn",
        "Saturn",
    )
    assert ticket.requester_email == "fraud@saturn.example"
    page = shown(client.get(response.url))
    assert "Reported for Saturn. Cards frozen: 2." in page
    event = AuditEvent.objects.get(action=AuditAction.CARDS_REPORTED)
    assert (event.actor_id, event.target, event.details) == (
        agent.pk,
        f"report:{report.pk}",
        {"cards": 2, "channel": "desk"},
    )


def test_a_range_and_a_list_are_taken_and_neighbours_left_alone():
    cards = cards_of(6)
    first, last = cards[1].serial, cards[3].serial
    client, _ = at_the_desk()
    assert client.post(PLACE, form(cards=f"{first}–{last}\n{first}")).status_code == 303
    frozen, active = CodeStatus.FROZEN, CodeStatus.ACTIVE
    assert statuses(cards) == [active, frozen, frozen, frozen, active, active]


def test_sent_twice_it_makes_one_report():
    cards = cards_of(1)
    client, _ = at_the_desk()
    places = {client.post(PLACE, form(*cards)).url for _ in range(2)}
    assert len(places) == CompromiseReport.objects.count() == Ticket.objects.count() == 1


def test_the_code_page_leads_here_with_its_card_and_its_clocks():
    card = cards_of(1)[0]
    client, _ = at_the_desk()
    page = client.get(f"{PLACE}?serial={card.serial}&last={card.serial + 4}").content.decode()
    assert re.search(rf"<textarea[^>]*>\s*{card.serial}–{card.serial + 4}</textarea>", page)
    page = client.get(f"{PLACE}?serial={card.serial}").content.decode()
    assert re.search(rf"<textarea[^>]*>\s*{card.serial}</textarea>", page)
    assert page.count("As clocks show it in Europe/Stockholm.") == 2


def test_the_ticket_in_which_it_came_up_and_the_reports_own_name_each_other():
    card = cards_of(1)[0]
    asked = factories.ticket()
    client, agent = at_the_desk()
    page = client.get(f"{PLACE}?serial={card.serial}&ticket={asked.reference}").content.decode()
    assert f'value="{asked.reference}"' in page
    for _ in range(2):
        client.post(PLACE, form(card, ticket=asked.reference.lower()))
    report = CompromiseReport.objects.get()
    notes = [
        list(ticket.messages.filter(kind=MessageKind.NOTE).values_list("body", "author"))
        for ticket in (asked, report.ticket)
    ]
    assert notes == [
        [(f"Reported as {report.reference}, in {report.ticket.reference}.", agent.pk)],
        [(f"It came up in {asked.reference}.", agent.pk)],
    ]


# --- Refused


def test_cards_of_several_retailers_are_reported_one_by_one():
    first, second = cards_of(2, "Saturn"), cards_of(1, "Media Markt")
    client, _ = at_the_desk()
    response = client.post(PLACE, form(*first, *second, note="Both in one bag"))
    assert response.status_code == 409
    page = shown(response)
    assert (
        "These cards are of 2 retailers: make a report for each. "
        f"Saturn: 2 cards, such as {first[0].serial}; Media Markt: 1 card, such as {second[0].serial}." in page
    )
    assert "Both in one bag" in page
    assert str(second[0].serial) in page
    assert not CompromiseReport.objects.exists()
    assert statuses([*first, *second]) == [CodeStatus.ACTIVE] * 3


def test_of_many_retailers_some_are_named():
    cards = [cards_of(1, f"Shop {number}")[0] for number in range(7)]
    client, _ = at_the_desk()
    page = shown(client.post(PLACE, form(*cards)))
    assert "These cards are of 7 retailers" in page
    assert page.count("1 card, such as") == 5


def test_numbers_that_no_card_has_are_said_while_somebody_is_on_the_telephone():
    client, _ = at_the_desk()
    response = client.post(PLACE, form(cards="1999999999"))
    assert response.status_code == 409
    assert "No card has such a serial number: compare it with the one on the card." in shown(response)
    assert not Ticket.objects.exists()


def test_beside_a_card_of_ours_a_number_of_none_is_kept_as_unknown():
    card = cards_of(1)[0]
    client, _ = at_the_desk()
    client.post(PLACE, form(cards=f"{card.serial}\n1999999999"))
    found = CompromiseReport.objects.get().cards.order_by("line").values_list("serial", "answer")
    assert list(found) == [(card.serial, Answer.FROZEN), (1999999999, Answer.UNKNOWN)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cards": ""}, "This field is required."),
        ({"cards": "\n \n"}, "This field is required."),
        ({"cards": "1000000001\nnonsense"}, "Line 2: No serial number: it has ten digits."),
        ({"kind": ""}, "Choose one of the list."),
        ({"kind": "burnt"}, "Choose one of the list."),
        ({"sold_at": "yesterday"}, "Write a day and a time."),
        ({"sold_at": "2999-01-01T10:00"}, "This is in the future."),
        ({"discovered_at": "0001-01-01T00:00"}, "This is too long ago."),
        ({"sold_at": "2026-06-15T14:05", "discovered_at": "2026-06-15T14:04"}, "This is before the sale."),
        ({"ticket": "TK-0000-0000-0000"}, "No ticket has this reference."),
        ({"store": "x" * 81}, "Ensure this value has at most 80 characters (it has 81)."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(wrong, said):
    card = cards_of(1)[0]
    client, _ = at_the_desk()
    response = client.post(PLACE, {**form(card), **wrong})
    assert response.status_code == 422
    assert said in shown(response)
    assert not CompromiseReport.objects.exists()


def test_a_code_that_is_typed_is_kept_nowhere_and_shown_to_nobody():
    cards = cards_of(2)
    client, _ = at_the_desk()
    refused = client.post(PLACE, form(cards=f"{cards[0].serial}\n{cards[1].text}", note=f"It was {cards[1].text}"))
    assert refused.status_code == 422
    page = shown(refused)
    assert "Line 2: That looks like a code." in page
    assert str(cards[0].serial) in page
    taken = client.post(PLACE, form(cards[0], note=f"It was {cards[1].text}"))
    followed = client.get(taken.url)
    assert "What looked like a code was taken out before it was kept." in shown(followed)
    report = CompromiseReport.objects.get()
    kept = report.note + report.ticket.messages.get().body + refused.content.decode() + followed.content.decode()
    for secret in (cards[1].text, cards[1].code):
        assert secret not in kept


TAKEN_OUT = "What looked like a code was taken out."


@pytest.mark.parametrize(
    "field",
    ["cards", "store", "till", "sold_at", "discovered_at", "receipt_number", "police_reference", "note", "ticket"],
)
def test_a_code_in_any_field_does_not_come_back_in_the_page_that_refuses_it(field):
    card, other = cards_of(2)
    client, _ = at_the_desk()
    response = client.post(PLACE, {**form(card, kind=""), field: other.text})
    assert response.status_code == 422
    page = shown(response)
    assert TAKEN_OUT in page
    for secret in (other.text, other.code):
        assert secret not in page


@pytest.mark.parametrize("field", ["kind", "customer_present", "send_key"])
def test_nor_does_one_that_a_program_sends_where_nobody_types(field):
    card, other = cards_of(2)
    client, _ = at_the_desk()
    response = client.post(PLACE, {**form(card, sold_at="yesterday"), field: other.text})
    assert response.status_code == 422
    for secret in (other.text, other.code):
        assert secret not in shown(response)


def test_what_holds_no_code_comes_back_as_typed():
    card = cards_of(1)[0]
    client, _ = at_the_desk()
    typed = form(card, sold_at="2026-06-15T14:05", discovered_at="2999-01-01T10:00", store="Mitte", ticket="TK-1")
    response = client.post(PLACE, typed)
    assert response.status_code == 422
    fields = response.context["form"]
    names = ("cards", "kind", "sold_at", "discovered_at", "store", "ticket")
    assert {name: fields[name].value() for name in names} == {name: typed[name] for name in names}
    assert TAKEN_OUT not in shown(response)


def test_reporting_a_card_again_freezes_nothing_twice():
    card = cards_of(1)[0]
    client, _ = at_the_desk()
    client.post(PLACE, form(card))
    client.post(PLACE, form(card, send_key="1" * 32))
    assert [report.cards.get().answer for report in CompromiseReport.objects.all()] == [Answer.FROZEN] * 2
    assert CardEvent.objects.filter(first_serial=card.serial, kind=CardEventKind.FROZEN).count() == 1


@pytest.mark.parametrize("role", [Role.SOCIAL_MEDIA, Role.AUDITOR, Role.RETAILER, Role.CUSTOMER])
def test_for_others_the_page_does_not_exist(role):
    card = cards_of(1)[0]
    client, _ = at_the_desk(role)
    assert client.get(PLACE).status_code == client.post(PLACE, form(card)).status_code == 404
    assert card.row.status == CodeStatus.ACTIVE


def test_the_system_is_no_agent():
    client, _ = at_the_desk(user=User.objects.system())
    assert client.get(PLACE).status_code in (302, 404)
