"""What a retailer is told by mail of a report: to whom, when, once, and nothing about customers and cards; and what its
people answer."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from redemption.models import Channel, Redemption, RetailerMember
from redemption.roles import Role
from support import jobs
from support.actions.members import remove
from support.actions.messages import write_staff_message
from support.actions.reports import settle
from support.actions.tickets import change
from support.mail.identity import acknowledgement_id
from support.mail.outgoing import send
from support.mail.receiving import Outcome, receive
from support.mail.reports import tell
from support.mail.servers import MailServerAwayError
from support.models import (
    CompromiseReport,
    MessageKind,
    ReportedCard,
    Stage,
    Ticket,
    TicketStatus,
)
from support.models import (
    Outcome as Came,
)
from tests import factories
from tests.support.mail.mails import mail as raw_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mail_server")]

NOW = factories.NOON


@pytest.fixture(autouse=True)
def _site(settings):
    settings.SITE_URL = "https://desk.example.com"


@pytest.fixture
def saturn():
    return factories.retailer(name="Saturn", contact_email="fraud@saturn.example")


def cards_of(retailer, count=2, **fields):
    return factories.cards(count, factories.batch(retailer_id=retailer.pk), **fields)


def clerk_of(retailer, email="clerk@saturn.example"):
    return factories.member(retailer, email=email, name="Clara Clerk")


def reported(retailer, count=2, **told):
    return factories.report(*cards_of(retailer, count), by=clerk_of(retailer), now=NOW, **told)


def came(report, outcome, *serials, by=None):
    with transaction.atomic():
        serials = serials or list(report.cards.values_list("serial", flat=True))
        settle(
            retailer=report.retailer,
            serials=serials,
            outcome=outcome,
            by=by or factories.user(Role.AGENT),
            now=NOW + timedelta(hours=2),
        )


def ask(report, text="Where is the box now?"):
    """As a person at the desk asks."""
    report.ticket.refresh_from_db()
    return write_staff_message(
        ticket=report.ticket,
        kind=MessageKind.REPLY,
        body=text,
        by=factories.user(Role.AGENT),
        status=TicketStatus.WAITING_FOR_RETAILER,
        now=NOW,
    )


def recipients():
    return [sorted(sent.recipients()) for sent in mail.outbox]


def stage_of(report):
    return CompromiseReport.objects.select_related("ticket").get(pk=report.pk).stage


# --- What it says


def test_it_says_what_was_found_and_leads_to_the_report(saturn):
    report = reported(saturn, 2)
    tell(report.pk)
    sent = mail.outbox[0]
    assert sent.subject == f"Stolen stock: report {report.reference} [{report.ticket.reference}]"
    assert sent.body == (
        f"Report {report.reference} of Saturn: Frozen, being looked into\n\n"
        f"Stolen stock, reported on {report.created_at:%-d %B %Y, %H:%M} UTC.\n\n"
        "What we found by 15 June 2026, 12:00 UTC:\n"
        "  Frozen: 2\n\n"
        "2 still being looked into.\n\n"
        "Each card, our messages, and a statement to print:\n"
        f"https://desk.example.com/retailer/reports/{report.reference}/\n\n"
        "To add something, answer this mail. Please never send us the code on a card: its serial number is enough.\n\n"
        f"-- \nRedemption Desk\n{report.ticket.reference}\n"
    )


def test_it_says_what_came_of_the_cards(saturn):
    report = reported(saturn, 3)
    first, *_ = report.cards.values_list("serial", flat=True)
    came(report, Came.CLEARED, first)
    tell(report.pk)
    came(report, Came.CONFIRMED)
    tell(report.pk)
    partly, fully = (sent.body for sent in mail.outbox)
    assert "\nWhat came of them:\n  Cleared: works again: 1\n\n2 still being looked into.\n" in partly
    assert f"Report {report.reference} of Saturn: Answered\n" in fully
    assert (
        "\nWhat came of them by 15 June 2026, 14:00 UTC:\n"
        "  Confirmed: ended for good: 2\n  Cleared: works again: 1\n\nEach card" in fully
    )


def test_it_says_when_cards_were_redeemed_too_late_and_by_nobody(saturn):
    card = cards_of(saturn, 1)[0]
    customer = factories.account(card.batch.product.program, email="thief@example.com")
    redeem(card, customer)
    report = factories.report(card, by=clerk_of(saturn), note=f"His code was {card.text}", now=NOW)
    tell(report.pk)
    sent = mail.outbox[0]
    html = sent.alternatives[0].content
    assert "  Redeemed after the sale: 1\n" in sent.body
    assert '<td>Redeemed after the sale</td><td align="right">1</td>' in html
    whole = sent.message().as_string() + sent.body + html
    for secret in (card.text, card.code, card.text[-4:], str(card.serial), customer.email, customer.reference):
        assert secret not in whole


def redeem(card, account):
    from redemption.redeem import redeem as real

    answer = real(account=account, text=card.text, channel=Channel.WEB)
    assert Redemption.objects.filter(code=card.row).exists(), answer


def test_its_markup_holds_names_as_text(saturn):
    saturn.name = "<b>Saturn & Sons</b>"
    saturn.save()
    tell(reported(saturn).pk)
    assert "of &lt;b&gt;Saturn &amp; Sons&lt;/b&gt;:" in mail.outbox[0].alternatives[0].content
    assert "of <b>Saturn & Sons</b>:" in mail.outbox[0].body


# --- To whom


def test_the_reporter_and_the_retailers_own_address_have_it_in_one_mail(saturn):
    tell(reported(saturn).pk)
    assert recipients() == [["clerk@saturn.example", "fraud@saturn.example"]]


def test_who_is_both_has_it_once(saturn):
    report = factories.report(*cards_of(saturn), by=clerk_of(saturn, "Fraud@Saturn.example"))
    tell(report.pk)
    assert recipients() == [["fraud@saturn.example"]]


@pytest.mark.parametrize("gone", ["inactive", "removed"])
def test_who_has_left_hears_no_more_of_it(saturn, gone):
    report = reported(saturn)
    if gone == "inactive":
        report.by.is_active = False
        report.by.save()
    else:
        RetailerMember.objects.filter(user=report.by).delete()
    tell(report.pk)
    assert recipients() == [["fraud@saturn.example"]]


def test_a_question_about_what_he_reported_goes_to_the_retailer_once_he_has_left(saturn):
    report = reported(saturn)
    others = factories.report(*cards_of(saturn, 1), by=clerk_of(saturn, "other@saturn.example"))
    remove(RetailerMember.objects.get(user=report.by), by=factories.user(Role.MANAGER))
    for of in (report, others):
        send(message_id=ask(of).pk, tries=0, now=NOW + timedelta(minutes=1))
    assert recipients() == [["fraud@saturn.example"], ["other@saturn.example"]]
    answered = receive(
        raw_mail("Thaw them.", sender="clerk@saturn.example", subject=f"Re: [{report.ticket.reference}]")
    )
    assert (answered, stage_of(report)) == (Outcome.OPENED, Stage.NEEDS_INFORMATION)


def test_an_agent_who_took_it_down_is_not_mailed_and_asks_the_retailer(saturn):
    agent = factories.user(Role.AGENT, email="agent@desk.example")
    report = factories.report(*cards_of(saturn), by=agent)
    tell(report.pk)
    send(message_id=ask(report).pk, tries=0, now=NOW + timedelta(minutes=1))
    assert recipients() == [["fraud@saturn.example"], ["fraud@saturn.example"]]


def test_a_retailer_without_an_address_whose_reporter_has_left_is_mailed_nothing():
    report = factories.report(*cards_of(retailer := factories.retailer()), by=clerk_of(retailer))
    RetailerMember.objects.all().delete()
    tell(report.pk)
    assert mail.outbox == []


# --- Once


def test_a_job_that_is_delivered_again_and_a_change_of_nothing_send_nothing(saturn):
    report = reported(saturn)
    for _ in range(3):
        jobs.tell_retailer_job(report.pk)
    CompromiseReport.objects.filter(pk=report.pk).update(updated_at=NOW)
    change(ticket=report.ticket, by=factories.user(Role.AGENT), tags=["seen"])
    tell(report.pk)
    assert len(mail.outbox) == 1


def test_after_a_crash_between_mail_and_commit_the_same_mail_goes_out_under_the_same_id(saturn):
    report = reported(saturn)
    with transaction.atomic():
        tell(report.pk)
        transaction.set_rollback(True)
    tell(report.pk)
    came(report, Came.CLEARED)
    tell(report.pk)
    first, again, other = (sent.message() for sent in mail.outbox)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["Subject"] == other["Subject"]
    root = acknowledgement_id(report.ticket)
    assert [one["References"] for one in (first, again, other)] == [root] * 3


def test_nothing_is_said_before_the_cards_are_looked_up(saturn):
    report = reported(saturn)
    CompromiseReport.objects.filter(pk=report.pk).update(frozen_at=None)
    tell(report.pk)
    assert mail.outbox == []


def test_a_question_reaches_each_of_them_once(saturn):
    report = reported(saturn)
    tell(report.pk)
    question = ask(report)
    send(message_id=question.pk, tries=0, now=NOW + timedelta(minutes=1))
    for _ in range(2):
        tell(report.pk)
    assert stage_of(report) == Stage.NEEDS_INFORMATION
    assert recipients()[1:] == [["clerk@saturn.example"], ["fraud@saturn.example"]]
    told = mail.outbox[-1].body
    assert told.startswith(f"Report {report.reference} of Saturn: We need to know more\n")
    assert "We have asked you something: please answer on the report’s page.\n" in told
    assert "Where is the box now?" not in told


def test_a_second_question_is_news_and_an_answer_to_it_is_none(saturn):
    report = reported(saturn)
    tell(report.pk)
    ask(report)
    tell(report.pk)
    Ticket.objects.filter(pk=report.ticket_id).update(status=TicketStatus.OPEN)
    tell(report.pk)
    assert len(mail.outbox) == 2
    ask(report, "And who found it?")
    tell(report.pk)
    assert recipients()[2:] == [["fraud@saturn.example"]]


# --- Refused


@pytest.mark.parametrize("error", [smtplib.SMTPServerDisconnected, ConnectionRefusedError])
def test_a_server_that_is_away_is_tried_again_and_its_words_are_nobodys(saturn, mail_server, error, caplog):
    report = reported(saturn)
    mail_server.error = error("refused clerk@saturn.example")
    with pytest.raises(MailServerAwayError) as away:
        tell(report.pk)
    assert isinstance(away.value, OSError)
    assert str(away.value) == f"The news of a report did not go out ({error.__name__})."
    assert away.value.__suppress_context__
    mail_server.error = None
    tell(report.pk)
    assert len(mail.outbox) == 1
    assert "clerk@saturn.example" not in caplog.text


def test_an_address_that_takes_no_mail_is_not_tried_again_until_there_is_other_news(saturn, mail_server, caplog):
    report = reported(saturn)
    mail_server.error = smtplib.SMTPRecipientsRefused({"clerk@saturn.example": (550, b"no such user")})
    tell(report.pk)
    assert caplog.messages[-1] == "The news of a report cannot be mailed (SMTPRecipientsRefused)."
    assert "clerk@saturn.example" not in caplog.text
    mail_server.error = None
    tell(report.pk)
    assert mail.outbox == []
    came(report, Came.CLEARED)
    tell(report.pk)
    assert len(mail.outbox) == 1


# --- What its people answer


def test_the_reporters_answer_by_mail_brings_the_report_back_to_us(saturn):
    report = reported(saturn)
    question = ask(report)
    answered = receive(
        raw_mail("In the stock room.", sender="Clara <clerk@saturn.example>", in_reply_to=question.mail_id)
    )
    assert (answered, stage_of(report)) == (Outcome.ADDED, Stage.FROZEN)
    assert report.ticket.messages.last().body == "In the stock room."
    assert ReportedCard.objects.filter(report=report, answer="frozen", outcome="").count() == 2


def test_the_retailers_own_address_answers_the_mail_of_the_news(saturn):
    report = reported(saturn)
    ask(report)
    tell(report.pk)
    told = mail.outbox[0].message()
    answered = receive(
        raw_mail(
            "In the stock room.",
            sender="Saturn <fraud@saturn.example>",
            subject=f"Re: {told['Subject']}",
            in_reply_to=told["Message-ID"],
            references=f"{told['References']} {told['Message-ID']}",
        )
    )
    assert (answered, stage_of(report)) == (Outcome.ADDED, Stage.FROZEN)
    assert report.ticket.messages.last().author_name == "Saturn <fraud@saturn.example>"


def test_a_customer_whose_account_stands_on_the_ticket_does_not_write_on_it(saturn):
    report = reported(saturn)
    account = factories.account()
    Ticket.objects.filter(pk=report.ticket_id).update(account=account)
    subject = f"My card [{report.ticket.reference}]"
    assert receive(raw_mail("It is mine.", sender=account.email, subject=subject)) is Outcome.OPENED
    assert report.ticket.messages.count() == 1


def test_a_strangers_mail_leaves_the_report_as_it_is(saturn):
    report = reported(saturn)
    ask(report)
    subject = f"Re: Stolen stock: report {report.reference} [{report.ticket.reference}]"
    for sender in ("Eve <eve@example.com>", "clerk@saturn.example <eve@example.com>"):
        forged = receive(
            raw_mail("Thaw them all.", sender=sender, subject=subject, references="<report.1.0@localhost>")
        )
        assert forged is Outcome.OPENED
    assert stage_of(report) == Stage.NEEDS_INFORMATION
    assert [message.kind for message in report.ticket.messages.all()] == [MessageKind.CUSTOMER, MessageKind.REPLY]
    assert Ticket.objects.filter(requester_email="eve@example.com", retailer=None).count() == 2
