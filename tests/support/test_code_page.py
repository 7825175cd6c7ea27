"""A card's page: what stands on it for whom, and the diagnosis."""

import pytest
from django.urls import reverse
from django.utils import timezone

from redemption import cards
from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import PERMISSIONS, Permission, Role
from support.actions.messages import add_customer_message, write_staff_message
from support.diagnosis import State
from support.models import AuditAction, AuditEvent, MessageKind, TicketChannel, TicketStatus
from support.pages import LATEST
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def redeemed():
    """A card that Mary redeemed after Bob, in Germany, had failed to."""
    card = factories.card()
    program = card.batch.product.program
    mary = factories.account(program, email="mary@example.com")
    bob = factories.account(program, email="bob@example.com", country="DE", currency="EUR")
    redeem(account=bob, text=card.text, channel=Channel.WEB, apparent_country="DE")
    redeem(account=mary, text=card.text, channel=Channel.WEB, apparent_country="GB")
    return card, mary, bob


def events():
    return [
        (event.action, event.target, event.details)
        for event in AuditEvent.objects.order_by("pk")
        if event.action != "signed_in"
    ]


def test_an_agent_reads_state_card_and_story(redeemed):
    card, mary, bob = redeemed
    client, agent = at_the_desk()
    response = client.get(f"/codes/{card.serial}/")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    words = shown(response)
    for text in (
        State.REDEEMED.icon,
        "Redeemed It was redeemed on ",
        "mary@example.com",
        card.batch.code_format.pattern.mask(card.code[-4:]),
        "£30.00 credit",
        str(card.batch.retailer),
        card.batch.reference,
        "Refused: Another country's card",
        "from DE",
        mary.reference,
        bob.reference,
    ):
        assert text in words
    assert reverse("admin:redemption_batch_change", args=[card.batch.pk]) in response.content.decode()
    assert events() == [(AuditAction.CODE_OPENED, f"code:{card.serial}", {})]
    assert AuditEvent.objects.get().actor_id == agent.pk


def test_the_code_itself_is_nowhere(redeemed):
    card, _, _ = redeemed
    client, _ = at_the_desk()
    page = client.get(f"/codes/{card.serial}/").content.decode()
    assert card.code not in page.replace("-", "").upper()
    assert card.row.digest.hex() not in page


def test_the_social_media_role_sees_the_state_and_nobody(redeemed):
    card, mary, bob = redeemed
    client, person = at_the_desk(Role.SOCIAL_MEDIA)
    response = client.get(f"/codes/{card.serial}/?account={mary.reference}")
    assert response.status_code == 200
    words = shown(response)
    assert "It was redeemed on " in words
    assert "Refused: Another country" in words
    for secret in ("mary", "bob", "@example.com", mary.reference, bob.reference, "from DE", "AT-"):
        assert secret not in words.replace(str(person), "").replace(person.email, "")
    for address in (mary.reference, bob.reference, "/customers/", "/attempts/"):
        assert address not in response.content.decode()
    assert response.context.get("diagnosis") is None


@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_its_page(role, redeemed):
    card, _, _ = redeemed
    client, _ = at_the_desk(role)
    may = PERMISSIONS[role]
    page = client.get(f"/codes/{card.serial}/")
    assert page.status_code == (200 if Permission.LOOK_UP in may else 404)
    if page.status_code == 200:
        assert ("mary@example.com" in page.content.decode()) is (Permission.SEE_PERSONAL_DATA in may)
        assert ("Why would it fail?" in page.content.decode()) is (Permission.DIAGNOSE in may)
    diagnosed = client.post(f"/codes/{card.serial}/diagnose/", {"account": "mary@example.com"})
    assert diagnosed.status_code == (303 if Permission.DIAGNOSE in may else 404)


def test_who_is_not_signed_in_gets_nothing(client, redeemed):
    card, _, _ = redeemed
    for response in (client.get(f"/codes/{card.serial}/"), client.post(f"/codes/{card.serial}/diagnose/")):
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize("serial", ["1", "1000000000", "9999999999", "10000000000", "9" * 25, "9" * 4000])
def test_numbers_of_no_card_are_not_found(serial):
    client, _ = at_the_desk()
    assert client.get(f"/codes/{serial}/").status_code == 404
    assert client.post(f"/codes/{serial}/diagnose/", {"account": "x"}).status_code == 404
    assert events() == []


# --- Diagnosis


def test_an_address_is_posted_and_the_reference_stands_in_the_address(redeemed):
    card, _, bob = redeemed
    client, _ = at_the_desk()
    for text in ("BOB@example.com", bob.reference.lower().replace("-", " ")):
        response = client.post(f"/codes/{card.serial}/diagnose/", {"account": text})
        address = f"/codes/{card.serial}/?account={bob.reference}#diagnosis"
        assert (response.status_code, response.headers["Location"]) == (303, address)


def test_the_diagnosis_shows_every_check_the_first_refusal_and_what_the_customer_saw():
    card = factories.card()
    bob = factories.account(card.batch.product.program, country="DE", currency="EUR")
    client, _ = at_the_desk()
    response = client.get(f"/codes/{card.serial}/", {"account": bob.reference})
    words = shown(response)
    assert f"Diagnosis for {bob.reference}" in words
    assert "For the account's country failed : redeeming stops here".replace(" :", ":") in words
    assert "In the account's currency failed" in words
    assert "Plan allowed passed" in words
    assert "(card GB, account DE)" in words
    assert "Waiting alone does not help" in words
    assert response.context["diagnosis"].answer in words
    assert response.content.decode().count('aria-current="true"') == 1
    assert events() == [
        (AuditAction.CODE_OPENED, f"code:{card.serial}", {}),
        (AuditAction.DIAGNOSED, f"code:{card.serial}", {"account": bob.pk}),
    ]


def test_a_hypothetical_account_is_described_in_the_address():
    card = factories.card()
    client, _ = at_the_desk()
    asked = {"country": "GB", "plan": "free", "billing": "direct"}
    assert "Every check passes" in shown(client.get(f"/codes/{card.serial}/", asked))
    refused = shown(client.get(f"/codes/{card.serial}/", {**asked, "billing": "apple"}))
    assert "Another company bills this subscription." in refused
    later = shown(client.get(f"/codes/{card.serial}/", {**asked, "day": "2099-01-01"}))
    assert "Every check passes" in later


@pytest.mark.parametrize(
    "query",
    [
        "country=XX&plan=free&billing=direct",
        "country=GB",
        "country=GB&plan=free&billing=direct&day=yesterday",
        "country=GB&plan=free&billing=direct&day=9999-12-31",
        "country=GB&plan=free&billing=direct&day=0001-01-01",
        "account=AC-1",
    ],
)
def test_what_describes_no_account_gets_the_page_without_a_diagnosis(query):
    card = factories.card()
    client, _ = at_the_desk()
    response = client.get(f"/codes/{card.serial}/?{query}")
    assert (response.status_code, response.context["diagnosis"]) == (200, None)


def test_an_account_of_another_service_is_said_to_be_none_of_this_one():
    card, stranger = factories.card(), factories.account(email="mary@example.com")
    client, _ = at_the_desk()
    for text in ("mary@example.com", stranger.reference, "nobody", "a\0b", "x" * 400):
        response = client.post(f"/codes/{card.serial}/diagnose/", {"account": text})
        assert response.status_code == 422
        assert "errors" in response.content.decode()
    assert f"{card.batch.product.program} has no such account" in shown(
        client.post(f"/codes/{card.serial}/diagnose/", {"account": stranger.reference})
    )


def test_the_page_costs_as_many_queries_for_a_long_story_as_for_a_short_one(django_assert_num_queries):
    card = factories.card()
    program = card.batch.product.program
    client, agent = at_the_desk()
    url = f"/codes/{card.serial}/"
    client.get(url)
    for _ in range(3):
        with django_assert_num_queries(17):
            client.get(url)
        cards.freeze_cards(first=card.serial, by=agent, reason="Again", now=timezone.now())
        cards.thaw_cards(first=card.serial, by=agent, reason="Again", now=timezone.now())
        redeem(account=factories.account(program, country="DE"), text=card.text, channel=Channel.WEB)


def test_its_tickets_are_listed_and_stand_in_the_story():
    card = factories.card()
    client, agent = at_the_desk()
    done = factories.ticket(code=card.row, subject="Found it", now=factories.NOON)
    write_staff_message(ticket=done, kind=MessageKind.NOTE, body="A note of mine", by=agent, status=TicketStatus.SOLVED)
    asked = factories.ticket(code=card.row, subject="Is it real?", body="It looks odd", requester_name="Ada Lovelace")
    factories.ticket(code=factories.card().row, subject="Another card’s")
    page = client.get(f"/codes/{card.serial}/")
    words = shown(page)
    assert words.index("Is it real?") < words.index("Found it")
    for text in ("Ada Lovelace", "Solved", "New", "Ticket opened", "It looks odd", "Internal note", "A note of mine"):
        assert text in words
    assert f'href="/tickets/{asked.reference}/"' in page.content.decode()
    assert f"?card={card.serial}" in page.content.decode()
    assert "Another card’s" not in words


def test_the_social_media_team_sees_what_was_asked_in_public_only():
    card = factories.card()
    factories.ticket(code=card.row, subject="Private matter")
    factories.ticket(
        code=card.row, subject="Public matter", channel=TicketChannel.SOCIAL, requester_name="Ada Lovelace"
    )
    words = shown(at_the_desk(Role.SOCIAL_MEDIA)[0].get(f"/codes/{card.serial}/"))
    assert "Public matter" in words
    assert "A••• L•••" in words
    assert "Private matter" not in words
    assert "Lovelace" not in words


def test_three_tickets_cost_as_many_queries_as_one(django_assert_num_queries):
    card = factories.card()
    client, _ = at_the_desk()
    factories.ticket(code=card.row)
    client.get(f"/codes/{card.serial}/")
    for number in range(2):
        with django_assert_num_queries(18):
            assert len(client.get(f"/codes/{card.serial}/").context["tickets"].rows) == 1 + 2 * number
        for _ in range(2):
            add_customer_message(ticket=factories.ticket(code=card.row), body="And?")


def test_of_many_tickets_the_latest_are_listed_and_the_others_on_demand():
    card = factories.card()
    for _ in range(LATEST + 1):
        factories.ticket(code=card.row)
    client, _ = at_the_desk()
    latest = client.get(f"/codes/{card.serial}/")
    assert len(latest.context["tickets"].rows) == LATEST
    assert "?all=tickets#tickets" in latest.content.decode()
    every = client.get(f"/codes/{card.serial}/?all=tickets")
    assert len(every.context["tickets"].rows) == LATEST + 1
    assert "?all=tickets" not in every.content.decode()
