"""What a customer asked and was answered: his own requests, what is for his eyes in them, and writing more."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from redemption.roles import Role
from support.actions import links
from support.actions.contact import Question, ask
from support.actions.messages import write_staff_message
from support.actions.tickets import change
from support.attachments import attach
from support.customers.urls import urlpatterns
from support.models import MessageKind, Ticket, TicketChannel, TicketStatus
from support.told_form import new_key
from tests import factories
from tests.support.customers.people import customer
from tests.support.desk import shown
from tests.support.test_attachments import bought

pytestmark = pytest.mark.django_db
LIST = "/account/requests/"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def asked(user, subject="Help me", body="It fails.", **fields):
    return ask(Question(subject, body, **fields), by=user, mailed_to=user.email, send_key=new_key())


def answered(ticket, body="Try it again.", kind=MessageKind.REPLY, *, is_out=True):
    """By an agent whose name the customer must not learn; out, or still to be taken back."""
    agent = factories.user(Role.AGENT, name="Agnes Surname")
    message = write_staff_message(ticket=ticket, kind=kind, body=body, by=agent, seen=10**9)
    if is_out and message.undo_until:
        type(message).objects.filter(pk=message.pk).update(undo_until=timezone.now() - timedelta(seconds=1))
    return message


def place(ticket):
    return f"{LIST}{ticket.reference}/"


def wrote(client, ticket, **fields):
    return client.post(f"{place(ticket)}write/", {"body": "And it still fails.", "send_key": new_key(), **fields})


# --- What he reads


def test_he_reads_his_words_and_our_answers_and_no_note_and_no_name():
    client, user = customer()
    ticket = asked(user)
    answered(ticket)
    answered(ticket, "He seems angry.", MessageKind.NOTE)
    answered(ticket, "Not yet out.", is_out=False)
    page = shown(client.get(place(ticket)))
    for words in ("It fails.", "Try it again.", "Your turn", "You ", "Support "):
        assert words in page, words
    for words in ("angry", "Not yet out", "Agnes", "Surname"):
        assert words not in page, words


def test_a_reference_is_read_however_it_is_spelled():
    client, user = customer()
    ticket = asked(user)
    assert client.get(f"{LIST}{ticket.reference.lower().replace('-', ' ')}/").status_code == 200


def test_the_list_has_his_requests_the_newest_first():
    client, user = customer()
    asked(factories.user(), "Somebody else’s")
    for subject in ("First one", "Second one"):
        asked(user, subject)
    factories.ticket(requester_email=user.email.upper(), subject="By mail, with SPOTIFY-…-7XYZ")
    page = shown(client.get(LIST))
    assert "Somebody else" not in page
    assert page.index("E-mail, 15 June 2026") < page.index("Second one") < page.index("First one")
    # Masks of what came by mail say whether a code is real.
    assert "7XYZ" not in page


def test_the_list_goes_on():
    client, user = customer()
    tickets = [asked(user, f"Number {number:02}") for number in range(27)]
    first = client.get(LIST).content.decode()
    assert f"before={tickets[2].pk}" in first
    second = shown(client.get(f"{LIST}?before={tickets[2].pk}"))
    assert "Number 01" in second
    assert "Number 02" not in second
    assert client.get(f"{LIST}?before=x").status_code == 404


def test_what_came_by_mail_is_his_where_the_address_is_proved_and_its_words_are_not_repeated():
    client, user = customer()
    card = factories.card()
    mailed = factories.ticket(requester_email=user.email, body=f"My code is {card.text}")
    assert mailed.messages.get().body != "My code is [code]"
    answered(mailed)
    page = client.get(place(mailed))
    assert "Try it again." in shown(page)
    assert "by e-mail" in shown(page)
    assert card.code[-4:] not in page.content.decode()
    stranger, _ = customer(confirmed=False, email="not-" + user.email)
    assert stranger.get(place(mailed)).status_code == 404
    unproved, other = customer(confirmed=False)
    assert unproved.get(place(factories.ticket(requester_email=other.email))).status_code == 404


def test_an_account_on_a_ticket_makes_it_nobodys_request():
    client, user = customer()
    account = factories.account(user=user)
    theirs = factories.ticket(account.program, account=account, requester_email="stranger@example.com")
    assert client.get(place(theirs)).status_code == 404
    assert theirs.reference not in client.get(LIST).content.decode()


@pytest.mark.parametrize("channel", [TicketChannel.RETAILER, TicketChannel.SOCIAL])
def test_what_belongs_elsewhere_is_not_read_here(channel):
    client, user = customer()
    ticket = factories.ticket(requester_email=user.email, channel=channel)
    assert client.get(place(ticket)).status_code == 404


def test_a_members_report_is_read_in_the_portal_only():
    batch = factories.batch()
    member = factories.member(batch.retailer)
    report = factories.report(factories.card(batch), by=member)
    client = Client()
    client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(place(report.ticket)).status_code == 404
    assert report.ticket.reference not in client.get(LIST).content.decode()


def test_merged_requests_are_one_thread_and_somebody_elses_is_not_shown():
    client, user = customer()
    one, two = asked(user, body="The first."), asked(user, body="The second.")
    theirs = asked(factories.user(), body="A stranger’s.")
    agent = factories.user(Role.AGENT)
    for merged in (two, theirs):
        links.merge(ticket=merged, into=one, by=agent)
    sent_on = client.get(place(two))
    assert (sent_on.status_code, sent_on["Location"]) == (302, place(one))
    page = shown(client.get(place(one)))
    assert "The first." in page
    assert "The second." in page
    assert "A stranger" not in page


def test_a_request_merged_into_a_strangers_keeps_its_own_page():
    client, user = customer()
    own, theirs = asked(user), asked(factories.user(), body="A stranger’s.")
    links.merge(ticket=own, into=theirs, by=factories.user(Role.AGENT))
    page = client.get(place(own))
    assert page.status_code == 200
    assert "A stranger" not in shown(page)


def test_the_pages_ask_the_same_number_of_questions_whatever_there_is():
    counts = []
    for rows in (1, 3):
        client, user = customer()
        for _ in range(rows):
            ticket = asked(user)
        for _ in range(rows):
            wrote(client, ticket, attachments=SimpleUploadedFile("a.jpg", bought()))
        found = []
        for path in (LIST, place(ticket)):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            found.append(len(queries))
        counts.append(found)
    assert counts[0] == counts[1]


# --- Writing more


def test_writing_more_brings_a_solved_request_back_to_us():
    client, user = customer()
    ticket = asked(user)
    change(ticket=ticket, by=factories.user(Role.AGENT), status=TicketStatus.SOLVED)
    assert "Done" in shown(client.get(place(ticket)))
    sent = wrote(client, ticket)
    assert (sent.status_code, sent["Location"]) == (303, f"{place(ticket)}#messages")
    ticket.refresh_from_db()
    assert ticket.status == TicketStatus.OPEN
    written = ticket.messages.order_by("pk").last()
    assert (written.kind, written.author, written.body) == (MessageKind.CUSTOMER, user, "And it still fails.")
    page = shown(client.get(place(ticket)))
    assert "And it still fails." in page
    assert "With us" in page


def test_sent_twice_it_is_written_once():
    client, user = customer()
    ticket, key = asked(user), new_key()
    for _ in range(2):
        assert wrote(client, ticket, send_key=key).status_code == 303
    assert ticket.messages.count() == 2


def test_a_code_in_it_is_taken_out_and_linked_for_us_alone():
    client, user = customer()
    ticket, card = asked(user), factories.card()
    wrote(client, ticket, body=f"It is {card.text}")
    ticket.refresh_from_db()
    assert ticket.messages.order_by("pk").last().body == "It is [code]"
    assert ticket.code_id == card.serial
    page = client.get(place(ticket)).content.decode()
    assert "was taken out" in page
    assert str(card.serial) not in page


def test_an_empty_message_is_asked_for_and_nothing_is_written():
    client, user = customer()
    ticket = asked(user)
    assert wrote(client, ticket, body=" ").status_code == 422
    assert ticket.messages.count() == 1
    assert client.get(f"{place(ticket)}write/").status_code == 303


def test_files_of_our_answers_are_his_to_open_and_a_notes_and_a_drafts_are_not():
    client, user = customer()
    ticket = asked(user)
    rows = {}
    for kind in (MessageKind.REPLY, MessageKind.NOTE):
        message = answered(ticket, kind=kind)
        (rows[kind],) = attach(
            ticket=ticket, message=message, files=[SimpleUploadedFile("a.jpg", bought())], by=message.author
        )
    (rows["draft"],) = attach(
        ticket=ticket, message=None, files=[SimpleUploadedFile("a.jpg", bought())], by=factories.user(Role.AGENT)
    )
    (rows["unsent"],) = attach(
        ticket=ticket,
        message=answered(ticket, is_out=False),
        files=[SimpleUploadedFile("a.jpg", bought())],
        by=None,
    )
    for end in ("", "small/"):
        found = {name: client.get(f"{place(ticket)}files/{row.pk}/1/{end}").status_code for name, row in rows.items()}
        assert found == {MessageKind.REPLY: 200, MessageKind.NOTE: 404, "draft": 404, "unsent": 404}


# --- Everybody's


def test_what_is_somebody_elses_is_answered_at_every_address_like_what_does_not_exist():
    """The addresses are read from the list: a new one without its arguments here fails."""
    client, _ = customer()
    _, other = customer()
    theirs = asked(other)
    message = theirs.messages.get()
    (file,) = attach(ticket=theirs, message=message, files=[SimpleUploadedFile("a.jpg", bought())], by=other)
    nobody = {"reference": "TK-0000-0000-0000", "attachment": 2**40, "page": 1}
    named = {"reference": theirs.reference, "attachment": file.pk, "page": 1}
    asked_for = 0
    for pattern in urlpatterns:
        names = set(pattern.pattern.converters)
        assert names <= set(nobody), f"{pattern.name} has an argument without a row here"
        if not names:
            continue
        asked_for += 1
        address, nothing = (
            f"/account/{pattern.pattern._route}".replace("<str:reference>", arguments["reference"])
            .replace("<int:attachment>", str(arguments["attachment"]))
            .replace("<int:page>", str(arguments["page"]))
            for arguments in (named, nobody)
        )
        for method in ("get", "head", "post", "put", "patch", "delete"):
            answers = [getattr(client, method)(path) for path in (address, nothing)]
            assert {answer.status_code for answer in answers} <= {404, 405}, (method, address)
            assert answers[0].status_code == answers[1].status_code, (method, address)
            assert answers[0].content == answers[1].content, (method, address)
    assert asked_for == 4
    assert theirs.messages.count() == 1
    assert Ticket.objects.get() == theirs
