"""Answers by mail: once, in their thread, taken back in time, and never lost in silence."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption.roles import Role
from support import jobs
from support.actions.messages import UNDO, add_customer_message, unsend, write_staff_message
from support.actions.tickets import TicketError
from support.mail.outgoing import acknowledge, acknowledgement, answer, give_up, send
from support.mail.receiving import Outcome, receive
from support.mail.servers import may_pass
from support.models import (
    Attachment,
    AuditAction,
    AuditEvent,
    Draft,
    MailState,
    Message,
    MessageKind,
    Ticket,
    TicketStatus,
)
from tests import factories
from tests.support.mail.mails import mail as raw_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mail_server")]

NOW = factories.NOON
LATER = NOW + UNDO


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


def ticket(**fields):
    return factories.ticket(requester_email="ada@example.com", mail_id="<first@example.com>", **fields)


def reply(of, by, body="Which country is the account in?", **fields):
    return write_staff_message(ticket=of, kind=MessageKind.REPLY, body=body, by=by, now=NOW, **fields)


def queued(task="support.send_message"):
    return ProcrastinateJob.objects.filter(task_name=task, status="todo").order_by("pk")


# --- Queueing


def test_an_answer_is_queued_for_when_it_cannot_be_taken_back_any_more(agent):
    message = reply(ticket(), agent)
    job = queued().get()
    assert job.args == {"message_id": message.pk}
    assert job.scheduled_at == message.undo_until == LATER
    assert (message.mail_state, mail.outbox) == (MailState.QUEUED, [])


def test_sending_the_form_twice_makes_one_message_one_job_and_one_mail(agent):
    of = ticket()
    messages = {reply(of, agent, send_key="k").pk for _ in range(2)}
    assert queued().count() == 1
    for message in messages:
        send(message_id=message, tries=0, now=LATER)
    assert len(mail.outbox) == 1


def test_an_answer_that_is_not_committed_is_not_mailed(agent):
    of = ticket()
    with transaction.atomic():
        reply(of, agent)
        transaction.set_rollback(True)
    assert not queued().exists()


def test_notes_and_answers_given_by_telephone_are_not_mailed(agent):
    write_staff_message(ticket=ticket(), kind=MessageKind.NOTE, body="Looks stolen", by=agent, now=NOW)
    reply(ticket_by_phone := factories.ticket(channel="phone", requester_email="ada@example.com"), agent)
    assert not queued().exists()
    assert ticket_by_phone.messages.last().mail_id is None


# --- What is sent


def test_a_mail_is_threaded_and_names_its_ticket(agent):
    of = ticket()
    first = reply(of, agent)
    send(message_id=first.pk, tries=0, now=LATER)
    add_customer_message(ticket=of, body="GB", mail_id="<second@example.com>")
    second = reply(of, agent)
    send(message_id=second.pk, tries=0, now=LATER)
    sent = [message.message() for message in mail.outbox]
    assert [one["Message-ID"] for one in sent] == [first.mail_id, second.mail_id]
    assert [one["In-Reply-To"] for one in sent] == ["<first@example.com>", "<second@example.com>"]
    assert sent[1]["References"].split()[1:] == ["<first@example.com>", first.mail_id, "<second@example.com>"]
    assert sent[0]["Subject"] == f"Re: My card does not work [{of.reference}]"
    assert sent[0]["From"] == sent[0]["Reply-To"] == "Redemption Desk <support@localhost>"
    assert sent[0]["To"] == "ada@example.com"
    assert sent[0]["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert sent[0].get_payload() == f"Which country is the account in?\n\n-- \nRedemption Desk\n{of.reference}\n"


def test_a_mail_holds_no_notes_and_nothing_that_breaks_its_headers(agent):
    of = ticket(subject="Help\r\nBcc: eve@example.com")
    write_staff_message(ticket=of, kind=MessageKind.NOTE, body="Looks stolen", by=agent, now=NOW)
    message = reply(of, agent)
    assert send(message_id=message.pk, tries=0, now=LATER) is None
    sent = mail.outbox[0]
    assert "stolen" not in sent.body
    assert sent.recipients() == ["ada@example.com"]
    assert sent.subject == f"Re: Help Bcc: eve@example.com [{of.reference}]"


def test_a_mail_holds_no_code_that_was_unknown_when_it_was_written(agent):
    message = reply(ticket(), agent)
    card = factories.card()
    Message.objects.filter(pk=message.pk).update(body=f"Here is {card.text}, again {card.code}")
    message.refresh_from_db()
    sent = answer(message).message().as_string()
    assert card.text not in sent
    assert card.code not in sent
    assert sent.count("••••") or "=E2=80=A2" in sent or "4oCi" in sent


# --- Once


def test_delivered_twice_a_job_sends_one_mail(agent):
    message = reply(ticket(), agent)
    for _ in range(2):
        assert send(message_id=message.pk, tries=0, now=LATER) is None
    message.refresh_from_db()
    assert (len(mail.outbox), message.mail_state) == (1, MailState.SENT)


def test_after_a_crash_between_mail_and_commit_the_same_mail_goes_out_under_the_same_id(agent):
    message = reply(ticket(), agent)
    with transaction.atomic():
        send(message_id=message.pk, tries=0, now=LATER)
        transaction.set_rollback(True)
    send(message_id=message.pk, tries=0, now=LATER)
    first, second = (one.message() for one in mail.outbox)
    assert first["Message-ID"] == second["Message-ID"] == message.mail_id
    assert first.as_bytes() == second.as_bytes() or first.get_payload() == second.get_payload()


def test_a_worker_that_comes_too_early_waits(agent):
    message = reply(ticket(), agent)
    assert send(message_id=message.pk, tries=0, now=LATER - timedelta(seconds=3)) == timedelta(seconds=3)
    assert mail.outbox == []


# --- Refused


@pytest.mark.parametrize(
    "error", [smtplib.SMTPServerDisconnected("x"), smtplib.SMTPDataError(451, b"x"), ConnectionRefusedError("x")]
)
def test_a_server_that_is_away_is_tried_again_later_each_time(agent, mail_server, error, caplog):
    message = reply(ticket(), agent, body="The words of the answer")
    mail_server.error = type(error)(*error.args[:-1], "The words of the answer")
    assert [send(message_id=message.pk, tries=tries, now=LATER) for tries in range(9)] == [
        timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 64, 128, 256)
    ]
    mail_server.error = None
    send(message_id=message.pk, tries=3, now=LATER)
    assert len(mail.outbox) == 1
    assert "The words" not in caplog.text
    assert type(error).__name__ in caplog.text


def test_the_job_puts_itself_back(agent, mail_server, time_machine):
    time_machine.move_to(LATER, tick=False)
    message = reply(ticket(), agent)
    mail_server.error = ConnectionRefusedError()
    jobs.send_message_job(message.pk)
    again = queued().last()
    assert again.args == {"message_id": message.pk, "tries": 1}
    assert again.scheduled_at == LATER + timedelta(minutes=1)


def assert_failed(message, of):
    message.refresh_from_db()
    of.refresh_from_db()
    assert (message.mail_state, of.status) == (MailState.FAILED, TicketStatus.OPEN)
    assert of.events.filter(kind="mail_failed").count() == 1


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ConnectionRefusedError(), 9),
        (smtplib.SMTPRecipientsRefused({"ada@example.com": (550, b"no such user")}), 0),
        (smtplib.SMTPDataError(554, b"no"), 0),
        (ValueError("a broken address"), 0),
    ],
)
def test_what_will_never_arrive_is_said_on_the_ticket_which_comes_back(agent, mail_server, error, tries):
    of = ticket()
    message = reply(of, agent)
    mail_server.error = error
    assert send(message_id=message.pk, tries=tries, now=LATER) is None
    assert_failed(message, of)
    assert send(message_id=message.pk, tries=tries, now=LATER) is None
    assert_failed(message, of)


def test_on_a_merged_ticket_the_other_one_comes_back(agent):
    of, target = ticket(), factories.ticket()
    message = reply(of, agent)
    Ticket.objects.filter(pk=of.pk).update(merged_into=target, status=TicketStatus.CLOSED)
    Ticket.objects.filter(pk=target.pk).update(status=TicketStatus.SOLVED)
    assert give_up(message_id=message.pk, now=LATER)
    assert_failed(message, target)
    of.refresh_from_db()
    assert of.status == TicketStatus.CLOSED


def test_a_wrong_password_is_mended_by_an_administrator():
    assert may_pass(smtplib.SMTPAuthenticationError(535, b"no"))
    assert may_pass(smtplib.SMTPRecipientsRefused({"a@example.com": (451, b"later")}))


BOUNCE = """\
From: MAILER-DAEMON@mx.example.com
To: support@localhost
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce@mx.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I am sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; ada@example.com
Action: {action}
Status: 5.1.1

--b
Content-Type: {kind}

From: support@localhost
Message-ID: {mail_id}
Subject: Re: x

--b--
"""


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_says_on_the_ticket_that_the_answer_did_not_arrive(agent, kind):
    of = ticket()
    message = reply(of, agent)
    send(message_id=message.pk, tries=0, now=LATER)
    bounce = BOUNCE.format(action="failed", kind=kind, mail_id=message.mail_id).encode()
    assert receive(bounce) is Outcome.BOUNCED
    assert_failed(message, of)
    assert receive(bounce) is Outcome.AUTOMATIC
    assert_failed(message, of)


def test_a_mail_that_is_only_late_and_one_that_we_never_sent_change_nothing(agent):
    of = ticket()
    message = reply(of, agent)
    send(message_id=message.pk, tries=0, now=LATER)
    late = BOUNCE.format(action="delayed", kind="message/rfc822", mail_id=message.mail_id)
    strange = BOUNCE.format(action="failed", kind="message/rfc822", mail_id="<first@example.com>")
    for bounce in (late, strange):
        assert receive(bounce.encode()) is Outcome.AUTOMATIC
    message.refresh_from_db()
    of.refresh_from_db()
    assert (message.mail_state, of.status, of.messages.count()) == (
        MailState.SENT,
        TicketStatus.WAITING_FOR_CUSTOMER,
        2,
    )


# --- Taken back


def test_taking_an_answer_back_leaves_the_ticket_as_it_was_and_the_text_as_a_draft(agent):
    of = ticket()
    message = reply(of, agent, body="Oh no")
    unsend(message=message, by=agent, now=LATER - timedelta(milliseconds=1))
    of.refresh_from_db()
    assert (of.status, of.assignee, of.first_responded_at) == (TicketStatus.NEW, None, None)
    assert of.messages.filter(kind=MessageKind.REPLY).count() == 0
    assert Draft.objects.get(ticket=of, person=agent, kind=MessageKind.REPLY).body == "Oh no"
    assert of.events.filter(kind="unsent").count() == 1
    assert AuditEvent.objects.filter(action=AuditAction.ANSWER_UNSENT, target=f"ticket:{of.pk}").count() == 1
    send(message_id=message.pk, tries=0, now=LATER)
    assert mail.outbox == []


def test_what_is_typed_since_stands_below(agent):
    of = ticket()
    message = reply(of, agent, body="Oh no")
    Draft.objects.create(ticket=of, person=agent, kind=MessageKind.REPLY, body="And another thing")
    assert unsend(message=message, by=agent, now=NOW).body == "Oh no\n\nAnd another thing"


def test_an_answer_by_telephone_is_taken_back_too(agent):
    of = factories.ticket(channel="phone")
    unsend(message=reply(of, agent), by=agent, now=NOW)
    assert of.messages.count() == 1


def test_files_of_an_answer_wait_with_the_draft(agent):
    of = ticket()
    message = reply(of, agent)
    file = Attachment.objects.create(ticket=of, message=message, name="r.png", size=1, digest=b"1", uploaded_by=agent)
    unsend(message=message, by=agent, now=NOW)
    file.refresh_from_db()
    assert file.message is None


def test_what_somebody_has_changed_since_stays(agent):
    of = ticket()
    message = reply(of, agent)
    add_customer_message(ticket=of, body="Wait")
    unsend(message=message, by=agent, now=NOW)
    of.refresh_from_db()
    assert of.status == TicketStatus.OPEN


def test_too_late_somebody_else_and_twice_each_get_a_sentence(agent):
    of = ticket()
    message = reply(of, agent)
    with pytest.raises(TicketError, match="Only who wrote"):
        unsend(message=message, by=factories.user(Role.MANAGER), now=NOW)
    with pytest.raises(TicketError, match="out already"):
        unsend(message=message, by=agent, now=LATER)
    Message.objects.filter(pk=message.pk).update(mail_state=MailState.SENT)
    with pytest.raises(TicketError, match="out already"):
        unsend(message=message, by=agent, now=NOW)
    Message.objects.filter(pk=message.pk).update(mail_state=MailState.QUEUED)
    unsend(message=message, by=agent, now=NOW)
    with pytest.raises(TicketError, match="taken back already"):
        unsend(message=Message(pk=message.pk, ticket=of), by=agent, now=NOW)


# --- Acknowledgements


def test_an_acknowledgement_has_the_reference_and_nothing_that_was_written():
    of = ticket(subject="Buy cheap pills", body="Buy cheap pills")
    acknowledge(ticket=of)
    jobs.send_acknowledgement_job(**queued("support.send_acknowledgement").get().args)
    sent = mail.outbox[0]
    assert of.reference in sent.subject
    assert of.reference in sent.body
    assert "pills" not in sent.message().as_string()
    assert sent.message()["Auto-Submitted"] == "auto-replied"
    assert sent.message()["X-Auto-Response-Suppress"] == "All"
    assert sent.message()["In-Reply-To"] == "<first@example.com>"


def test_an_acknowledgement_that_goes_out_twice_is_one_mail():
    of = ticket()
    assert acknowledgement(of).message()["Message-ID"] == acknowledgement(of).message()["Message-ID"]


def test_without_an_address_nothing_is_acknowledged():
    acknowledge(ticket=factories.ticket(requester_email=""))
    assert not queued("support.send_acknowledgement").exists()


def test_an_acknowledgement_is_tried_a_few_times(mail_server):
    of = ticket()
    mail_server.error = ConnectionRefusedError()
    jobs.send_acknowledgement_job(of.pk, tries=3)
    assert queued("support.send_acknowledgement").get().args == {"ticket_id": of.pk, "tries": 4}
    jobs.send_acknowledgement_job(of.pk, tries=4)
    assert queued("support.send_acknowledgement").count() == 1


def test_who_answers_an_acknowledgement_writes_on_its_ticket():
    of = ticket()
    answered = acknowledgement(of).message()["Message-ID"]
    receive(raw_mail("More", subject="Re: hello", in_reply_to=answered, message_id="<3@example.com>"))
    assert [message.body for message in of.messages.all()][1:] == ["More"]
