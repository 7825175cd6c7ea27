"""Tickets in the box: by reference, by the requester's address, by words; for each role what it may see."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption.models import Code, Throttle
from redemption.roles import PERMISSIONS, Permission, Role
from support import ticket_search
from support.actions.messages import add_customer_message, write_staff_message
from support.models import AuditAction, AuditEvent, Message, MessageKind, Ticket, TicketChannel, TicketStatus
from support.search import MOST_LISTED, search
from support.ticket_search import find
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


def look_up(text, by):
    return search(text, by=by, now=timezone.now())


def without_the_newest(monkeypatch):
    """As if what is looked for were old: it is found by the index."""
    monkeypatch.setattr(
        ticket_search, "_AMONG_NEWEST", "SELECT 0 AS id WHERE %(words)s || %(beginning)s || %(names)s = ''"
    )


# --- References


def test_a_reference_opens_its_ticket_in_any_spelling(agent):
    ticket = factories.ticket()
    factories.ticket()
    reference = ticket.reference
    for text in (
        reference,
        f"  {reference.lower()} ",
        reference.replace("-", ""),
        reference.replace("-", " – "),
        reference[:3] + reference[3:].replace("0", "O").replace("1", "l"),
        f"order {reference}",
        f"Re: [{reference}] My card does not work",
        f"what became of {reference.lower().replace('-', ' ')}?",
    ):
        assert look_up(text, agent).only == ticket, text


def test_two_references_in_a_sentence_find_two_tickets(agent):
    first, second = factories.ticket(), factories.ticket()
    found = look_up(f"{first.reference} and {second.reference} are the same", agent)
    assert {ticket.pk for ticket in found.records} == {first.pk, second.pk}


def test_a_reference_within_a_message_is_found_exactly(agent):
    about = factories.account().reference
    ticket = factories.ticket(body=f"My order ORD-2024-7781A, for account {about}, never arrived.")
    factories.ticket(body=f"My order ORD-2024-7782A, for account {about[:-1]}{'2' if about[-1] != '2' else '3'}.")
    assert find("ORD-2024-7781A", by=agent, limit=9) == [ticket]
    assert find(about, by=agent, limit=9) == [ticket]
    assert find("order ord-2024-7781a", by=agent, limit=9) == [ticket]
    other = factories.ticket(body=f"The same as {ticket.reference}")
    ticket.reference, gone = "TK-0000-0000-0000", ticket.reference
    ticket.save()
    assert find(gone, by=agent, limit=9) == [other]


# --- Words


@pytest.mark.parametrize("is_old", [False, True])
def test_words_of_subject_error_requester_and_messages_are_found(agent, is_old, monkeypatch):
    if is_old:
        without_the_newest(monkeypatch)
    ticket = factories.ticket(
        subject="Gift card from Grandma",
        error_message="This code is not valid",
        requester_name="Ada Lovelace",
        body="I scratched it with a coin",
    )
    write_staff_message(ticket=ticket, kind=MessageKind.NOTE, body="Looks like a photocopied receipt", by=agent)
    factories.ticket(subject="Wholly different", body="Something else", requester_name="Bob")
    for text in (
        "grandma",
        "GRANDMA’S gran",
        '"not valid"',
        "lovelace",
        "coin",
        "photocopied receipt",
        "photocopied rece",
        "receipt or nonsense",
        "receipt -refund",
        "scratched coin",
    ):
        assert find(text, by=agent, limit=9) == ([] if "’S" in text else [ticket]), text
    for text in (
        "valid not nonsense",
        '"valid not"',
        "receipt -photocopied",
        "recei photocopied",
        "-refund",
        "",
        "…",
        "or",
    ):
        assert find(text, by=agent, limit=9) == [], text


@pytest.mark.parametrize("is_old", [False, True])
def test_the_latest_changed_come_first_and_no_more_than_asked_for(agent, is_old, monkeypatch):
    if is_old:
        without_the_newest(monkeypatch)
    tickets = [
        factories.ticket(subject="Refund", now=factories.NOON + timedelta(minutes=number)) for number in range(5)
    ]
    add_customer_message(ticket=tickets[1], body="And?", now=factories.NOON + timedelta(hours=1))
    newest = [tickets[1], tickets[4], tickets[3], tickets[2], tickets[0]]
    assert find("refund", by=agent, limit=9) == newest
    assert find("refund", by=agent, limit=3) == newest[:3]


def test_old_tickets_are_found_beside_new_ones(agent, monkeypatch):
    monkeypatch.setattr(ticket_search, "_AMONG_NEWEST", ticket_search._AMONG_NEWEST.replace("LIMIT 2000", "LIMIT 1"))
    tickets = [factories.ticket(body="Refund", now=factories.NOON + timedelta(minutes=n)) for n in range(3)]
    assert find("refund", by=agent, limit=9) == tickets[::-1]
    # Enough are found among the newest: the index is left alone.
    assert find("refund", by=agent, limit=1) == tickets[2:]


def test_any_sign_is_answered(agent):
    factories.ticket()
    for text in (
        "'",
        '"',
        "\\",
        "a & b | !c",
        "((",
        ":*",
        "foo:*",
        "it's",
        "100%",
        "%s",
        "😀",
        "\u0663\u0664\u0665",
        "_" * 9,
        "<->",
    ):
        find(text, by=agent, limit=9)


# --- Customers and cards


def test_an_address_finds_tickets_in_any_case_beside_the_account_or_alone(agent):
    ticket = factories.ticket(requester_email="Ada@Example.com")
    factories.ticket(requester_email="ada@example.org")
    assert look_up("aDA@example.COM", agent).only == ticket
    account = factories.account(email="ada@example.com")
    found = look_up("ada@example.com", agent)
    assert (found.only, found.tickets) == (account, [ticket])


def test_a_serial_number_opens_the_card_and_beside_several_cards_stand_their_tickets(agent):
    card = factories.card()
    ticket = factories.ticket(code=card.row)
    assert look_up(str(card.serial), agent).only == card.row
    assert look_up(card.text, agent).only == card.row
    serial = card.batch.serials.lower + 50
    Code.objects.create(serial=serial, digest=b"x" * 16, batch=card.batch, key_version=1, last_four=card.code[-4:])
    found = look_up(card.code[-4:], agent)
    assert (len(found.records), found.tickets) == (2, [ticket])


def test_the_page_lists_them_with_their_status_and_who_asks():
    client, _ = at_the_desk()
    ticket = factories.ticket(subject="Gift card from Grandma", requester_name="Ada Lovelace")
    response = client.post("/", {"typed": "grandma"})
    assert response.status_code == 200
    for text in (ticket.reference, "New", "Gift card from Grandma", "Ada Lovelace", "Tickets that hold these words."):
        assert text in shown(response)
    assert f"/tickets/{ticket.reference}/" in response.content.decode()
    opened = client.post("/", {"typed": ticket.reference})
    assert (opened.status_code, opened.headers["Location"]) == (303, f"/tickets/{ticket.reference}/")


# --- Guesses


def test_words_are_no_guesses_and_are_answered_beyond_the_limit(agent, settings):
    settings.ATTEMPTS_PER_AGENT = 2
    for text in (
        "refund",
        "the card does not work",
        "no such words anywhere in here",
        "7K2M Nowhere",
        "TK-0000-0000-0000",
    ):
        assert look_up(text, agent).blocked_until is None
    assert not Throttle.objects.exists()
    card = factories.card()
    ticket = factories.ticket(subject="A refund of ada@example.com", requester_email="ada@example.com")
    for text in ("nobody@example.com", "7K2M Saturn"):
        assert look_up(text, agent).blocked_until is None
    for text in ("ada@example.com", card.text, card.code[-4:], f"{card.code[-4:]} {card.batch.retailer.name}"):
        found = look_up(text, agent)
        assert (bool(found.blocked_until), found.records, found.tickets) == (True, [], []), text
    assert look_up("refund", agent).tickets == [ticket]
    assert look_up(ticket.reference, agent).only == ticket


# --- Roles


@pytest.mark.parametrize("role", [role for role in Role if Permission.LOOK_UP in PERMISSIONS[role]])
def test_each_role_finds_the_tickets_that_it_may_see(role):
    person = factories.user(role)
    private = factories.ticket(subject="Refund", requester_email="ada@example.com")
    public = factories.ticket(subject="Refund", requester_email="ada@example.com", channel=TicketChannel.SOCIAL)
    sees_people = Permission.SEE_PERSONAL_DATA in PERMISSIONS[role]
    seen = {public, private} if role != Role.SOCIAL_MEDIA else {public}
    assert set(look_up("refund", person).tickets) == seen
    for ticket in (private, public):
        assert look_up(ticket.reference, person).records == ([ticket] if ticket in seen else [])
    assert set(look_up("ada@example.com", person).records) == (seen if sees_people else set())


@pytest.mark.parametrize("is_old", [False, True])
def test_who_may_not_see_names_cannot_find_a_ticket_by_one(is_old, monkeypatch):
    if is_old:
        without_the_newest(monkeypatch)
    person, agent = factories.user(Role.SOCIAL_MEDIA), factories.user(Role.AGENT)
    ticket = factories.ticket(
        subject="Refund", requester_name="Ada Lovelace", error_message="Not valid", channel=TicketChannel.SOCIAL
    )
    assert find("lovelace", by=agent, limit=9) == [ticket]
    assert find("lovelace", by=person, limit=9) == []
    assert find("refund", by=person, limit=9) == find("valid", by=person, limit=9) == [ticket]
    body = factories.ticket(body="Write to ada@example.com", channel=TicketChannel.SOCIAL)
    assert look_up("ada@example.com", agent).tickets == [body]
    known, unknown = look_up("ada@example.com", person), look_up("nobody@example.com", person)
    assert known == unknown


def test_the_social_media_team_reads_masked_names():
    client, _ = at_the_desk(Role.SOCIAL_MEDIA)
    factories.ticket(subject="Refund", requester_name="Ada Lovelace", channel=TicketChannel.SOCIAL)
    words = shown(client.post("/", {"typed": "refund"}))
    assert "A••• L•••" in words
    assert "Lovelace" not in words


def test_what_was_listed_is_recorded(agent):
    tickets = [factories.ticket(subject="Refund") for _ in range(2)]
    look_up("refund", agent)
    event = AuditEvent.objects.get()
    assert (event.action, event.target) == (AuditAction.LOOKED_UP, "")
    assert event.details == {"also": [f"ticket:{tickets[1].pk}", f"ticket:{tickets[0].pk}"]}


# --- Lists of a card and of an account


def test_an_accounts_tickets_are_its_own_and_unclaimed_ones_from_its_address_the_unfinished_first(agent):
    account = factories.account(email="ada@example.com")
    own = factories.ticket(account=account)
    unclaimed = factories.ticket(requester_email="ADA@example.com", now=factories.NOON + timedelta(hours=1))
    Ticket.objects.filter(pk=unclaimed.pk).update(status=TicketStatus.SOLVED)
    factories.ticket(requester_email="ada@example.com", account=factories.account(email="ada@example.com"))
    assert list(ticket_search.of_account(account, by=agent)) == [own, unclaimed]
    assert list(ticket_search.of_account(account, by=factories.user(Role.SOCIAL_MEDIA))) == []


# --- Bounds


def test_twenty_tickets_cost_as_many_queries_as_one(agent, django_assert_num_queries):
    factories.ticket(subject="Refund")
    look_up("refund", agent)
    with django_assert_num_queries(9):
        assert len(look_up("refund", agent).tickets) == 1
    for _ in range(2):
        factories.ticket(subject="Refund")
    with django_assert_num_queries(9):
        assert len(look_up("refund", agent).tickets) == 3


def test_frequent_words_are_found_without_the_index_and_lists_are_cut(agent, django_assert_num_queries):
    for _ in range(MOST_LISTED + 1):
        factories.ticket(subject="Refund")
    with django_assert_num_queries(7):
        assert len(look_up("refund", agent).tickets) == MOST_LISTED


def test_the_index_serves_rare_words(agent):
    """Not a sequence scan: the words stand in a subquery, of which the planner knows nothing."""
    from django.db import connection

    factories.ticket()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {ticket_search._AMONG_ALL}", {"words": "x", "beginning": "", "names": True})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "ticket_words" in plan
    assert "message_words" in plan
    assert Message.objects.exists()
