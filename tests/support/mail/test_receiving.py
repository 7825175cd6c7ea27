"""A mail's way to its ticket: threads, strangers, machines, floods, and the same mail twice."""

import itertools
import logging
from datetime import timedelta

import pytest
from django.db import OperationalError
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption.roles import Role
from support.actions.messages import write_staff_message
from support.mail import receiving
from support.mail.incoming import LONGEST_TEXT
from support.mail.outgoing import acknowledgement
from support.mail.receiving import MAILS_AN_HOUR, Outcome, receive
from support.models import Message, MessageKind, Ticket, TicketChannel, TicketStatus
from tests import factories
from tests.support.mail.hostile import HOSTILE
from tests.support.mail.mails import ADA, PNG, mail

pytestmark = pytest.mark.django_db

NOW = factories.NOON
MALLORY = "Mallory <mallory@example.net>"


def ticket(**fields):
    return factories.ticket(**{"requester_email": "ada@example.com", "mail_id": "<first@example.com>", **fields})


def answered(of, by=None):
    return write_staff_message(
        ticket=of, kind=MessageKind.REPLY, body="Which country?", by=by or factories.user(Role.AGENT), now=NOW
    )


def only_ticket():
    return Ticket.objects.get()


def bodies(of):
    return [message.body for message in of.messages.filter(kind=MessageKind.CUSTOMER).order_by("pk")][1:]


def acknowledgements():
    return ProcrastinateJob.objects.filter(task_name="support.send_acknowledgement", status="todo")


# --- A new ticket


def test_a_mail_opens_a_ticket():
    account = factories.account(email="Ada@example.com")
    assert receive(mail(message_id="<1@example.com>"), now=NOW) is Outcome.OPENED
    of = only_ticket()
    assert (of.channel, of.subject, of.requester_name, of.requester_email, of.status) == (
        TicketChannel.EMAIL,
        "My card",
        "Ada Lovelace",
        "ada@example.com",
        TicketStatus.NEW,
    )
    assert (of.account, of.created_at) == (account, NOW)
    message = of.messages.get()
    assert (message.body, message.mail_id) == ("I scratched it and it says it is not valid.", "<1@example.com>")
    assert [job.args for job in acknowledgements()] == [{"ticket_id": of.pk}]


def test_a_code_in_a_mail_is_masked_wherever_it_stands_and_linked():
    card = factories.card()
    raw = mail(
        f"It is {card.text}\n\nOn Monday Desk wrote:\n> {card.text}",
        subject=f"Broken {card.text}",
        sender=f"{card.text} <ada@example.com>",
    )
    receive(raw)
    of = only_ticket()
    message = of.messages.get()
    assert of.code == card.row
    for text in (of.subject, of.requester_name, message.body, message.quoted, message.author_name):
        assert card.text not in text
        assert card.code not in text


def test_an_address_with_several_accounts_is_linked_to_none():
    for _ in range(2):
        factories.account(email="ada@example.com")
    receive(mail())
    assert only_ticket().account is None


def test_the_same_mail_twice_makes_one_message():
    for raw in (mail(message_id="<1@example.com>"), mail()):
        assert receive(raw, now=NOW) is Outcome.OPENED
        assert receive(raw, now=NOW + timedelta(minutes=1)) is Outcome.KNOWN
    assert Message.objects.count() == 2
    assert acknowledgements().count() == 2


def test_two_deliveries_at_one_moment_make_one_message(monkeypatch):
    raw = mail(message_id="<1@example.com>")
    receive(raw)
    looked = []
    known = receiving._known

    def too_early(parsed):
        looked.append(parsed)
        return None if len(looked) == 1 else known(parsed)

    monkeypatch.setattr(receiving, "_known", too_early)
    monkeypatch.setattr(receiving, "_id_of", lambda parsed: parsed.message_id)
    assert receive(raw) is Outcome.KNOWN
    assert len(looked) == 2
    assert Message.objects.count() == 1


def test_a_machine_that_gives_every_mail_one_id_loses_nobodys_mail():
    receive(mail("My card", message_id="<1@broken>"))
    receive(mail("My other card", message_id="<1@broken>"))
    receive(mail("Another card", message_id="<1@broken>", sender=MALLORY))
    receive(mail("Another card", message_id="<1@broken>", sender=MALLORY))
    assert sorted(Message.objects.values_list("body", flat=True)) == ["Another card", "My card", "My other card"]


# --- The thread


@pytest.mark.parametrize("header", ["in_reply_to", "references"])
def test_an_answer_to_our_mail_goes_on_its_ticket_and_brings_it_back(header):
    of = ticket()
    ours = answered(of)
    raw = mail("GB\n\nOn Monday, Redemption Desk wrote:\n> Which country?", subject="Re: x", **{header: ours.mail_id})
    assert receive(raw, now=NOW) is Outcome.ADDED
    of.refresh_from_db()
    assert (bodies(of), of.status) == (["GB"], TicketStatus.OPEN)
    assert of.messages.last().quoted == "On Monday, Redemption Desk wrote:\n> Which country?"
    assert not acknowledgements().exists()


def test_the_nearest_mail_decides():
    one, other = ticket(), ticket(mail_id="<other@example.com>")
    receive(mail("More", references="<other@example.com> <first@example.com>"))
    assert (bodies(one), bodies(other)) == (["More"], [])


@pytest.mark.parametrize("status", [TicketStatus.SOLVED, TicketStatus.CLOSED])
def test_a_finished_ticket_is_opened_again(status):
    of = ticket()
    ours = answered(of)
    Ticket.objects.filter(pk=of.pk).update(status=status)
    receive(mail("It broke again", in_reply_to=ours.mail_id))
    of.refresh_from_db()
    assert of.status == TicketStatus.OPEN


def test_somebody_whom_the_customer_asked_is_shown_with_his_address():
    of = ticket()
    receive(mail("I am her father", sender=MALLORY, in_reply_to="<first@example.com>"))
    assert of.messages.last().author_name == "Mallory <mallory@example.net>"
    of.refresh_from_db()
    assert of.requester_email == "ada@example.com"


# --- A reference in the subject


@pytest.mark.parametrize("whose", ["requester", "account"])
def test_the_requester_names_his_ticket_in_the_subject(whose):
    account = factories.account(email="ada@example.com") if whose == "account" else None
    of = ticket(account=account, requester_email="Ada@example.com" if whose == "requester" else "old@example.com")
    assert receive(mail("More", subject=f"Question [{of.reference.lower()}]")) is Outcome.ADDED
    assert bodies(of) == ["More"]


def test_a_stranger_who_quotes_a_reference_gets_a_ticket_of_his_own():
    of = ticket()
    assert receive(mail("Let me in", sender=MALLORY, subject=f"Re: My card [{of.reference}]")) is Outcome.OPENED
    assert bodies(of) == []
    stranger = Ticket.objects.exclude(pk=of.pk).get()
    assert (stranger.subject, stranger.requester_email) == ("Re: My card", "mallory@example.net")
    assert of.reference not in acknowledgement(stranger).message().as_string()


def test_a_name_that_looks_like_the_requesters_address_does_not_let_a_stranger_in():
    of = ticket()
    for sender in (
        '"ada@example.com" <mallory@example.net>',
        "ada@example.com <mallory@example.net>",
        "=?utf-8?q?ada=40example=2Ecom_=3Cada=40example=2Ecom=3E=2C?= <mallory@example.net>",
    ):
        raw = mail("Let me in", subject=f"[{of.reference}]").replace(ADA.encode(), sender.encode())
        assert receive(raw) is Outcome.OPENED
    assert bodies(of) == []
    assert set(Ticket.objects.exclude(pk=of.pk).values_list("requester_email", flat=True)) == {"mallory@example.net"}


def test_an_unknown_reference_opens_a_ticket_just_the_same():
    assert receive(mail(subject="[TK-AAAA-BBBB-CCCC] hello")) is Outcome.OPENED
    assert only_ticket().subject == "hello"


# --- Merged tickets


def merged(**fields):
    target = factories.ticket(**fields)
    of = ticket()
    Ticket.objects.filter(pk=of.pk).update(merged_into=target, status=TicketStatus.CLOSED)
    return of, target


def test_on_a_merged_ticket_the_requester_of_both_goes_on_with_the_other():
    of, target = merged(requester_email="ada@example.com")
    Ticket.objects.filter(pk=target.pk).update(status=TicketStatus.SOLVED)
    for raw in (mail("More", in_reply_to="<first@example.com>"), mail("And more", subject=f"[{of.reference}]")):
        assert receive(raw) is Outcome.ADDED
    target.refresh_from_db()
    assert (bodies(target), target.status, bodies(of)) == (["More", "And more"], TicketStatus.OPEN, [])


def test_on_a_merged_ticket_anybody_else_opens_one_of_his_own():
    of, target = merged(requester_email="bob@example.com")
    for raw in (mail("More", in_reply_to="<first@example.com>"), mail("And more", subject=f"[{of.reference}]")):
        assert receive(raw) is Outcome.OPENED
    assert (bodies(of), bodies(target)) == ([], [])


def test_a_ticket_that_is_merged_at_this_moment_passes_the_mail_on(monkeypatch):
    of, target = merged(requester_email="ada@example.com")
    found = receiving.ticket_of
    looked = []

    def too_early(parsed):
        looked.append(parsed)
        return of if len(looked) == 1 else found(parsed)

    monkeypatch.setattr(receiving, "ticket_of", too_early)
    receive(mail("More", in_reply_to="<first@example.com>"))
    assert (bodies(of), bodies(target)) == ([], ["More"])


# --- Machines


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-replied"},
        {"auto_submitted": "auto-generated; x=y"},
        {"x_autoreply": "yes"},
        {"precedence": "auto_reply"},
        {"precedence": "bulk"},
        {"precedence": "List"},
        {"list_id": "<news.example.com>"},
        {"return_path": "<>"},
        {"sender": "MAILER-DAEMON@example.com"},
        {"sender": "Redemption Desk <Support@localhost>"},
    ],
)
def test_what_a_machine_sent_makes_no_ticket_no_message_and_no_answer(headers):
    of = ticket()
    ours = answered(of)
    outcome = receive(mail("I am on holiday", in_reply_to=ours.mail_id, **headers))
    assert outcome in (Outcome.AUTOMATIC, Outcome.OURS)
    assert (Ticket.objects.count(), bodies(of), ours.mail_state) == (1, [], "queued")
    ours.refresh_from_db()
    assert ours.mail_state == "queued"
    assert not acknowledgements().exists()


def test_our_own_mails_that_come_back_are_dropped():
    of = ticket()
    ours = answered(of)
    for mail_id in (ours.mail_id, acknowledgement(of).message()["Message-ID"]):
        assert receive(mail(message_id=mail_id)) is Outcome.OURS
    assert Ticket.objects.count() == 1


def test_our_own_address_as_a_mailing_list_is_no_list(settings):
    settings.SUPPORT_ADDRESS = "Help <help@desk.example.com>"
    raw = mail(list_id="Help <help.desk.example.com>", precedence="list")
    assert receive(raw) is Outcome.OPENED


def test_who_wants_no_automatic_answer_is_heard_and_gets_none():
    assert receive(mail(x_auto_response_suppress="All")) is Outcome.OPENED
    assert not acknowledgements().exists()


def test_a_flood_is_kept_on_one_ticket():
    for number in range(MAILS_AN_HOUR + 3):
        receive(mail(f"Mail {number}", message_id=f"<{number}@example.com>"), now=NOW)
    assert Ticket.objects.count() == MAILS_AN_HOUR
    assert Message.objects.count() == MAILS_AN_HOUR + 3
    assert acknowledgements().count() == 3
    assert receive(mail("Somebody else", sender=MALLORY), now=NOW) is Outcome.OPENED
    assert receive(mail("Later"), now=NOW + timedelta(hours=1)) is Outcome.OPENED


# --- Files


@pytest.fixture
def attached(monkeypatch):
    calls = []
    monkeypatch.setattr(receiving, "attach", lambda **keywords: calls.append(keywords))
    return calls


def test_files_are_attached_to_the_message_once_it_is_committed(attached):
    receive(mail(files=[("receipt.png", PNG, "image/png"), ("terms.pdf", b"%PDF-", "application/pdf")]), now=NOW)
    (call,) = attached
    of = only_ticket()
    assert (call["ticket"], call["message"], call["by"], call["now"]) == (of, of.messages.get(), None, NOW)
    assert [(file.name, file.read()) for file in call["files"]] == [("receipt.png", PNG), ("terms.pdf", b"%PDF-")]


def test_a_photo_is_on_the_ticket():
    receive(mail(files=[("receipt.png", PNG, "image/png")]))
    attachment = only_ticket().attachments.get()
    assert (attachment.name, attachment.message) == ("receipt.png", only_ticket().messages.get())


def test_a_crash_before_the_files_brings_the_mail_again_with_them(monkeypatch, attached):
    raw = mail(files=[("receipt.png", PNG, "image/png")])

    def dies(**keywords):
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as crash:
        crash.setattr(receiving, "attach", dies)
        with pytest.raises(OperationalError):
            receive(raw)
    assert receive(raw) is Outcome.KNOWN
    assert (Message.objects.count(), len(attached)) == (1, 1)


def test_files_that_cannot_be_kept_take_no_words_with_them(monkeypatch, caplog):
    def fails(**keywords):
        raise ZeroDivisionError("receipt.png")

    monkeypatch.setattr(receiving, "attach", fails)
    assert receive(mail("Here it is", files=[("receipt.png", PNG, "image/png")])) is Outcome.OPENED
    assert only_ticket().messages.get().body == ("Here it is\n\n(1 files came with this mail and could not be kept.)")
    assert "receipt.png" not in caplog.text


# --- What nobody should write


def test_every_hostile_mail_is_kept_as_a_message(attached):
    for number, (name, raw) in enumerate(HOSTILE.items()):
        raw = raw.replace(b"<1@example.com>", b"<%d@example.com>" % number)
        assert receive(raw) in (Outcome.OPENED, Outcome.ADDED), name
    assert Message.objects.count() == len(HOSTILE)


@pytest.mark.parametrize("letters", ["abcdefghij", "äöüßéèêçñø", "漢字仮名交文中国日本"])
def test_the_longest_text_with_as_many_words_as_it_holds_is_indexed_and_kept(letters):
    words = itertools.product(letters, repeat=6)
    text = " ".join("".join(word) for word in itertools.islice(words, LONGEST_TEXT // 7))
    assert receive(mail(text, cte="base64")) is Outcome.OPENED
    assert len(Message.objects.get().body) > LONGEST_TEXT - 10


# --- What is said of it


def test_the_log_says_what_became_of_a_mail_and_nothing_of_what_it_says(caplog):
    caplog.set_level(logging.DEBUG)
    raw = mail("The secret words", subject="Secret subject", message_id="<secret@example.com>")
    receive(raw)
    assert f"A mail of {len(raw)} bytes opened a ticket." in caplog.text
    assert "ecret" not in caplog.text
    assert "ada" not in caplog.text.lower()
