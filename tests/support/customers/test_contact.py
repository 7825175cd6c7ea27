"""Asking for help: the ticket knows what the answer knew, and the customer learns nothing by it."""

import re

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption.models import Attempt, AttemptOutcome, Channel, CodeStatus, Outage, OutageCause, Throttle, User
from redemption.redeem import redeem
from redemption.references import NOBODY, Untried, sign
from redemption.refusals import Answer
from redemption.results import Result
from redemption.roles import Role
from support import jobs
from support.models import Attachment, AuditAction, AuditEvent, Message, MessageKind, Ticket, TicketChannel
from support.told_form import new_key
from tests import factories
from tests.support.customers.people import customer
from tests.support.desk import at_the_desk, shown
from tests.support.test_attachments import bought

pytestmark = pytest.mark.django_db
NEW = "/account/requests/new/"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def asked(client, *, answer="", **fields):
    form = {"subject": "It fails", "body": "I typed it and it fails.", "send_key": new_key(), **fields}
    return client.post(f"{NEW}?answer={answer}" if answer else NEW, form)


def only_ticket():
    return Ticket.objects.get()


def tried(account, text):
    return redeem(account=account, text=text, channel=Channel.WEB)


def acknowledgements():
    """Of the tickets that there are: tests with real connections leave jobs behind."""
    jobs_of = ProcrastinateJob.objects.filter(task_name="support.send_acknowledgement", status="todo")
    return jobs_of.filter(args__ticket_id__in=list(Ticket.objects.values_list("pk", flat=True)))


def known(answer):
    """In the catalogue, whether its seeds are there or not."""
    return factories.known_error(wording=answer.label, answer=answer)


# --- From an answer


def test_a_request_about_an_attempt_carries_all_that_the_attempt_knew():
    client, user = customer()
    known(Answer.NOT_VALID)
    card = factories.card(status=CodeStatus.FROZEN)
    account = factories.account(card.batch.product.program, user=user, email=user.email)
    result = tried(account, card.text)
    page = client.get(f"{NEW}?answer={result.reference}")
    assert page.status_code == 200
    assert Answer.NOT_VALID.label in shown(page)
    assert str(card.serial) not in page.content.decode()

    sent = asked(client, answer=result.reference, steps_tried=["vpn_off", "retyped"])
    ticket = only_ticket()
    assert sent.status_code == 303
    assert sent["Location"] == f"/account/requests/{ticket.reference}/"
    assert ticket.channel == TicketChannel.WEB
    assert (ticket.account, ticket.program, ticket.code_id) == (account, account.program, card.serial)
    assert ticket.answer_reference == result.reference
    assert ticket.error_message == Answer.NOT_VALID.label
    assert ticket.known_error.answer == Answer.NOT_VALID
    assert (ticket.surface, sorted(ticket.steps_tried)) == ("web", ["retyped", "vpn_off"])
    assert (ticket.requester_name, ticket.requester_email) == (user.name, user.email)
    first = ticket.messages.get()
    assert (first.kind, first.author, first.body) == (MessageKind.CUSTOMER, user, "I typed it and it fails.")
    assert AuditEvent.objects.filter(action=AuditAction.TICKET_CREATED, actor_id=user.pk).count() == 1
    # What is for us stays with us.
    for path in (sent["Location"], "/account/requests/", "/account/"):
        assert str(card.serial) not in client.get(path).content.decode(), path


def test_the_agents_page_shows_the_request_with_its_answer_card_and_steps():
    client, user = customer()
    card = factories.card(status=CodeStatus.FROZEN)
    account = factories.account(card.batch.product.program, user=user)
    result = tried(account, card.text)
    asked(client, answer=result.reference, steps_tried=["vpn_off"])
    agent, _ = at_the_desk(Role.AGENT)
    page = agent.get(f"/tickets/{only_ticket().reference}/").content.decode()
    assert f'href="/attempts/{result.reference}/"' in page
    assert f'href="/codes/{card.serial}/"' in page
    assert f'href="/customers/{account.reference}/"' in page
    assert agent.get(f"/attempts/{result.reference}/").status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in Untried if kind != Untried.UNAVAILABLE])
def test_a_signed_answer_brings_its_own_words(kind):
    client, user = customer()
    account = factories.account(user=user)
    reference = sign(kind, account.pk, timezone.now())
    answer = Result(AttemptOutcome.REFUSED, reference, untried=kind).answer
    known(answer)
    assert asked(client, answer=reference).status_code == 303
    ticket = only_ticket()
    assert ticket.answer_reference == reference
    assert ticket.error_message == answer.label
    assert ticket.known_error.answer == answer
    assert (ticket.account, ticket.code, ticket.problem) == (account, None, None)


def test_the_programs_own_wording_is_what_was_seen():
    client, user = customer()
    program = factories.program(wording={"too_many_attempts": "Slow down."})
    account = factories.account(program, user=user)
    asked(client, answer=sign(Untried.THROTTLED, account.pk, timezone.now()))
    assert only_ticket().error_message == "Slow down."


def test_a_redeemed_code_can_be_asked_about_too():
    client, user = customer()
    card = factories.card()
    account = factories.account(card.batch.product.program, user=user)
    result = tried(account, card.text)
    assert asked(client, answer=result.reference).status_code == 303
    ticket = only_ticket()
    assert (ticket.error_message, ticket.known_error, ticket.code_id) == ("", None, card.serial)


def test_an_answer_that_was_given_without_the_database_names_nobody_and_brings_its_words():
    reference = sign(Untried.UNAVAILABLE, NOBODY, timezone.now())
    client, user = customer()
    account = factories.account(user=user)
    assert Answer.UNAVAILABLE.text(account.program) in shown(client.get(f"{NEW}?answer={reference}"))


def test_somebody_elses_answer_is_answered_like_none():
    client, user = customer()
    factories.account(user=user)
    other = factories.account()
    attempt = tried(other, "SPOTIFY-0000-0000-0000").attempt_id
    theirs = [sign(Untried.SLIP, other.pk, timezone.now())]
    if attempt:
        theirs.append(Attempt.objects.get(pk=attempt).reference)
    signed = sign(Untried.SLIP, user.accounts.get().pk, timezone.now())
    forged = signed[:-1] + ("1" if signed[-1] == "0" else "0")
    nothing = client.get(f"{NEW}?answer=AT-0000-0000-0000")
    assert nothing.status_code == 404
    for reference in [*theirs, "", "x", "AT-0000-0000-0000 ", forged]:
        found = client.get(NEW, {"answer": reference})
        assert (found.status_code, found.content) == (404, nothing.content), reference
        assert client.post(f"{NEW}?answer={reference}", {"subject": "x", "body": "y"}).status_code == 404
    assert not Ticket.objects.exists()


def test_what_tells_of_an_outage_is_gathered():
    client, user = customer()
    account = factories.account(user=user)
    now = timezone.now()
    outage = Outage.objects.create(
        program=account.program,
        cause=OutageCause.BREAKER,
        started_at=now,
        last_seen_at=now,
        started_by=User.objects.system(),
    )
    asked(client, answer=sign(Untried.UNAVAILABLE, account.pk, now))
    assert Ticket.objects.get(messages__author=user).problem.outage == outage


# --- From scratch


def test_without_an_answer_the_customer_says_what_he_saw():
    client, user = customer()
    factories.known_error()
    account = factories.account(user=user)
    serial = factories.card(factories.batch(factories.product(account.program))).serial
    asked(client, error_message="This code is not valid", surface="mobile", serial=f"{serial:,}")
    ticket = only_ticket()
    assert (ticket.account, ticket.code_id) == (account, serial)
    assert (ticket.error_message, ticket.surface) == ("This code is not valid", "mobile")
    assert ticket.known_error is not None
    assert f"Serial number: {serial}" in ticket.messages.get().body


def test_a_serial_number_that_no_card_has_is_answered_like_one_that_a_card_has():
    client, user = customer()
    account = factories.account(user=user)
    serial = factories.card(factories.batch(factories.product(account.program))).serial
    pages = []
    for number in (serial, 9_876_543_210):
        sent = asked(client, serial=str(number))
        ticket = Ticket.objects.get(reference=sent["Location"].split("/")[3])
        page = client.get(sent["Location"]).content.decode()
        for own in (ticket.reference, str(number), f"message-{ticket.messages.get().pk}"):
            page = page.replace(own, "…")
        page = re.sub(r"<time.*?</time>", "", page)
        pages.append(page[page.index("<main") : page.index("<form")])
    assert pages[0] == pages[1]
    assert [ticket.code_id for ticket in Ticket.objects.order_by("pk")] == [serial, None]


def test_of_several_accounts_one_may_be_chosen_and_never_anothers():
    client, user = customer()
    one, _two = factories.account(user=user), factories.account(user=user)
    stranger = factories.account()
    assert asked(client, account=stranger.reference).status_code == 422
    assert asked(client, account=one.reference).status_code == 303
    assert only_ticket().account == one
    assert asked(client).status_code == 303
    assert Ticket.objects.order_by("pk").last().account is None


def test_whoever_has_no_account_can_ask_and_read_it():
    client, _ = customer()
    sent = asked(client)
    assert client.get(sent["Location"]).status_code == 200
    assert only_ticket().account is None


# --- What is kept of his words


def test_a_code_is_taken_out_and_nothing_says_whether_it_is_real():
    client, user = customer()
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    card = factories.card()
    account = factories.account(card.batch.product.program, user=user)
    sent = asked(client, subject=f"Code {card.text}", body=f"Mine is {pin.code}, hers {card.text}")
    ticket = only_ticket()
    assert ticket.messages.get().body == "Mine is [code], hers [code]"
    assert ticket.subject == "Code [code]"
    # For us it is linked all the same.
    assert ticket.code_id in {pin.serial, card.serial}
    page = client.get(sent["Location"]).content.decode()
    for secret in (pin.code, card.text, card.code, card.code[-4:], str(card.serial), str(pin.serial)):
        assert secret not in page
    assert account.reference not in page


def test_the_program_of_a_card_that_his_words_name_is_told_to_us_alone():
    client, user = customer()
    factories.account(user=user)
    other = factories.card(of := factories.batch(factories.product(factories.program(name="Another service"))))
    asked(client, body=f"What of {other.text}?", account="")
    ticket = only_ticket()
    assert ticket.program == of.product.program
    for address in (f"/account/requests/{ticket.reference}/", "/account/requests/", "/account/"):
        assert "Another service" not in shown(client.get(address))


def test_guesses_at_suppliers_codes_are_counted_and_end(settings):
    settings.ATTEMPTS_PER_CUSTOMER = 2
    client, user = customer()
    factories.card(factories.batch(factories.product(factories.pin_program())))
    assert asked(client, body="It says 98765432101").status_code == 303
    assert asked(client, body="It says 98765432102").status_code == 303
    refused = asked(client, body="It says 98765432103")
    assert refused.status_code == 409
    assert b"98765432103" not in refused.content
    written = client.post(f"/account/requests/{Ticket.objects.first().reference}/write/", {"body": "98765432104"})
    assert (written.status_code, b"98765432104" in written.content) == (409, False)
    counter = Throttle.objects.get(scope="customer", key=f"words:{user.pk}")
    assert len(counter.recent) == 2
    assert asked(client, body="Without numbers.").status_code == 303


def test_a_form_that_is_not_whole_comes_back_without_codes():
    client, _ = customer()
    card = factories.card()
    back = asked(client, subject="", body=f"It is {card.text}", serial=card.text)
    assert back.status_code == 422
    assert "It is [code]" in shown(back)
    assert card.text not in back.content.decode()
    assert not Ticket.objects.exists()


def test_nul_and_endless_texts_are_refused_with_a_sentence():
    client, _ = customer()
    for fields in ({"body": "a\0b"}, {"body": "a" * 10_001}, {"subject": "a" * 151}, {"steps_tried": "prayed"}):
        assert asked(client, **fields).status_code == 422, fields
    assert not Ticket.objects.exists()


def test_sent_twice_it_is_one_ticket_and_one_mail():
    client, _ = customer()
    key = new_key()
    first, second = (asked(client, send_key=key) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Ticket.objects.count() == 1
    assert acknowledgements().count() == 1


def test_too_many_messages_in_an_hour_are_not_kept(settings):
    settings.MESSAGES_PER_CUSTOMER = 2
    client, _ = customer()
    assert [asked(client).status_code for _ in range(3)] == [303, 303, 429]
    assert Ticket.objects.count() == 2
    ticket = Ticket.objects.first()
    refused = client.post(f"/account/requests/{ticket.reference}/write/", {"body": "And another thing"})
    assert refused.status_code == 429
    # Nothing that was typed is lost.
    assert b"And another thing" in refused.content
    assert ticket.messages.count() == 1


# --- Mail


def test_it_is_said_by_mail_that_we_have_it_where_the_address_is_proved():
    client, user = customer()
    factories.account(user=user, email=user.email)
    asked(client, body="Nothing of this is repeated.")
    jobs.send_acknowledgement_job(**acknowledgements().get().args)
    (sent,) = mail.outbox
    assert sent.to == [user.email]
    assert only_ticket().reference in sent.subject
    assert "repeated" not in sent.body


def test_an_address_that_nobody_proved_gets_no_mail():
    client, user = customer(confirmed=False)
    factories.account(user=user, email=user.email, email_verified=False)
    page = client.get(asked(client)["Location"])
    assert only_ticket().requester_email == ""
    assert not acknowledgements().exists()
    assert "not confirmed" in shown(page)


def test_an_accounts_verified_address_is_where_its_answers_go():
    client, user = customer(confirmed=False)
    account = factories.account(user=user)
    asked(client)
    assert only_ticket().requester_email == account.email


# --- Files


def test_a_receipt_comes_with_it_and_is_shown_to_him_and_to_us():
    client, user = customer()
    card = factories.card()
    factories.account(card.batch.product.program, user=user)
    file = SimpleUploadedFile(f"{card.text}.jpg", bought())
    sent = asked(client, attachments=file, **{"attachments-kind": "receipt"})
    row = Attachment.objects.get()
    assert (row.kind, row.message, row.uploaded_by) == ("receipt", Message.objects.get(), user)
    page = client.get(sent["Location"]).content.decode()
    place = f"{sent['Location']}files/{row.pk}/1/"
    assert f'href="{place}"' in page
    assert 'alt="Receipt"' in page
    # A name may have held a code, and its mask would say whether it is one.
    assert row.name not in page
    for address in (place, f"{place}small/"):
        picture = client.get(address)
        assert (picture.status_code, picture["Content-Type"]) == (200, "image/jpeg")
        assert customer()[0].get(address).status_code == 404


def test_a_broken_file_is_said_and_costs_nothing_else():
    client, _ = customer()
    page = client.get(asked(client, attachments=SimpleUploadedFile("a.jpg", b"none"))["Location"])
    assert "File 1:" in shown(page)
    assert only_ticket().messages.count() == 1


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.AGENT, Role.RETAILER])
def test_staff_and_members_can_ask_as_customers(role):
    client, _ = at_the_desk(role)
    sent = asked(client, attachments=SimpleUploadedFile("a.jpg", bought()))
    assert sent.status_code == 303
    assert client.get(sent["Location"]).status_code == 200
