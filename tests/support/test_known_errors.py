"""A ticket's known error: what its causes are after the checks, for whom, and with which reply."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption.cards import freeze_cards, thaw_cards
from redemption.models import Channel, CodeStatus, Plan, Restriction
from redemption.redeem import redeem
from redemption.refusals import Answer
from redemption.roles import Role
from support import catalogue
from support.actions.tickets import change
from support.known_errors import Standing, panel, reply_to
from support.models import AuditAction, AuditEvent, Cause, Draft, KnownError, MessageKind, TicketChannel
from tests import factories
from tests.support.desk import at_the_desk, shown, wrong

pytestmark = pytest.mark.django_db
COUNTRY = "The card is for another country than the account"


@pytest.fixture(autouse=True)
def seeded():
    catalogue.load()


def american_card():
    return factories.card(factories.batch(factories.product(countries=["US"])))


def asked(card=None, account=None, message="This code is not valid", **fields):
    of = card.batch.product.program if card else account.program if account else None
    return factories.ticket(of, error_message=message, code=card.row if card else None, account=account, **fields)


def known(ticket, role=Role.AGENT, *, user=None):
    return panel(ticket, user or factories.user(role, name="Ada Agent"), timezone.now())["known"]


def standing(found, title):
    (suspect,) = [suspect for suspect in found.suspects if suspect.cause.title == title]
    return suspect.standing


def proved(found):
    return [suspect.cause.title for suspect in found.suspects if suspect.standing is Standing.PROVED]


# --- With card and account


def test_not_valid_because_the_card_is_american_and_the_account_british_and_here_is_the_reply():
    card = american_card()
    found = known(asked(card, factories.account(card.batch.product.program), "it says this code is not vaild"))
    assert found.error.answer == Answer.NOT_VALID
    assert found.sentence == f"Of its {len(found.suspects)} causes, this one:"
    first = found.suspects[0]
    assert (first.cause.title, first.standing) == (COUNTRY, Standing.PROVED)
    assert first.detail == "The card is for another country than the account's. (card US, account GB)"
    assert (
        "Your card works in the United States of America, and your account is in the United Kingdom" in first.reply.text
    )
    assert first.reply.text.startswith("Hello Ada,")
    assert first.reply.text.endswith("Ada Agent")
    assert first.reply.missing == []


def test_what_the_checks_pass_is_ruled_out_and_what_no_check_can_know_is_left_with_its_question():
    card = american_card()
    found = known(asked(card, factories.account(card.batch.product.program)))
    assert standing(found, "The card’s currency is not the account’s") is Standing.RULED_OUT
    assert standing(found, "The code was never issued by us") is Standing.RULED_OUT
    assert standing(found, "The code was typed with a slip") is Standing.OPEN
    assert [suspect.standing for suspect in found.near][1:] == [Standing.OPEN] * (len(found.near) - 1)
    assert all(suspect.cause.question for suspect in found.near)
    assert {suspect.standing for suspect in found.ruled_out} == {Standing.RULED_OUT}


@pytest.mark.parametrize(
    ("message", "product", "account", "title"),
    [
        (
            "offer not available",
            {"months": 3, "new_subscribers_only": True},
            {"had_premium": True},
            "The offer is for new",
        ),
        ("does not work with your plan", {"plans": [Plan.FREE]}, {"plan": Plan.FAMILY}, "The code does not go with"),
        ("You already have premium", {}, {"billing_provider": "apple"}, "Another company bills"),
        ("account restricted", {}, {"restriction": Restriction.PAYMENT_DISPUTE}, "The account is restricted"),
    ],
)
def test_other_messages_are_proved_by_their_own_checks(message, product, account, title):
    card = factories.card(factories.batch(factories.product(**product)))
    found = known(asked(card, factories.account(card.batch.product.program, **account), message))
    assert [one.startswith(title) for one in proved(found)] == [True]


def test_causes_that_one_check_cannot_tell_apart_all_fit():
    card = factories.card()
    program = card.batch.product.program
    redeem(account=factories.account(program), text=card.text, channel=Channel.WEB)
    found = known(asked(card, factories.account(program), "already redeemed"))
    fitting = [suspect.cause.title for suspect in found.suspects if suspect.standing is Standing.FITS]
    assert len(fitting) == 4
    assert found.sentence == f"Of its {len(found.suspects)} causes, 4 fit what the checks found:"
    assert standing(found, "This same account redeemed it before") is Standing.RULED_OUT


def test_who_redeemed_it_himself_is_told_so():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    redeem(account=account, text=card.text, channel=Channel.WEB)
    found = known(asked(card, account, "already redeemed"))
    assert proved(found) == ["This same account redeemed it before"]
    assert "£30.00 credit is on it" in found.suspects[0].reply.text


def test_something_else_than_the_message_says_is_found():
    card = american_card()
    found = known(asked(card, factories.account(card.batch.product.program), "Too many attempts"))
    assert found.stranger.cause.title == COUNTRY
    assert found.stranger.standing is Standing.STOPS
    assert found.stranger_first
    assert found.sentence == "None of its causes was found, and redeeming stops at something else now:"


def test_where_everything_passes_the_rest_is_asked():
    card = factories.card()
    found = known(asked(card, factories.account(card.batch.product.program), "Something went wrong"))
    assert found.sentence.startswith("Every check passes: it would be redeemed now.")
    assert found.near[0].cause.title == "The browser keeps an old session"
    assert found.stranger is None


def test_what_held_when_they_tried_and_holds_no_more():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    agent = factories.user(Role.AGENT)
    freeze_cards(first=card.serial, by=agent, reason="Reported")
    redeem(account=account, text=card.text, channel=Channel.WEB)
    thaw_cards(first=card.serial, by=agent, reason="Cleared")
    found = known(asked(card, account))
    assert found.suspects[0].cause.title == "The card is frozen while a report is looked into"
    assert found.suspects[0].standing is Standing.WAS
    assert "is no more" in found.suspects[0].detail


def test_a_slip_that_somebody_typed_proves_that_it_was_one():
    batch = factories.batch(factories.product(factories.pin_program()))
    card = factories.card(batch)
    account = factories.account(batch.product.program)
    redeem(account=account, text=wrong(card), channel=Channel.WEB)
    found = known(asked(card, account))
    assert proved(found) == ["The code was typed with a slip"]


def test_waiting_says_until_when():
    card = factories.card(factories.batch(factories.product(months=12)))
    account = factories.account(
        card.batch.product.program, premium_until=timezone.now().date() + timedelta(days=400), premium_anchor_day=1
    )
    found = known(asked(card, account, "Your account has premium for a long time ahead already"))
    assert found.suspects[0].works_from
    assert "{works_from}" not in found.suspects[0].reply.text
    assert found.suspects[0].reply.missing == []


def test_while_redeeming_is_paused_nobody_is_told_that_it_would_work():
    card = factories.card()
    program = card.batch.product.program
    ticket = asked(card, factories.account(program), "Something went wrong")
    program.is_paused = True
    program.save()
    ticket.refresh_from_db()
    assert known(ticket).sentence.startswith(f"Redeeming is paused at {program}")


# --- With less


def test_without_an_account_the_card_s_own_state_is_known_and_the_account_is_asked_for():
    card = factories.card(status=CodeStatus.INACTIVE)
    found = known(asked(card))
    assert proved(found) == ["The till never activated the card"]
    assert standing(found, COUNTRY) is Standing.UNCHECKED
    assert standing(found, "The card is frozen while a report is looked into") is Standing.RULED_OUT
    assert found.missing == ["account"]


def test_a_redeemed_card_without_an_account_may_have_been_redeemed_by_the_customer():
    card = factories.card()
    redeem(account=factories.account(card.batch.product.program), text=card.text, channel=Channel.WEB)
    found = known(asked(card, message="already redeemed"))
    assert standing(found, "This same account redeemed it before") is Standing.FITS
    assert proved(found) == []


def test_without_a_card_what_concerns_the_account_is_known():
    account = factories.account(email_verified=False)
    found = known(asked(None, account, "verify your email"))
    assert [suspect.standing for suspect in found.suspects][:2] == [Standing.FITS, Standing.FITS]
    assert found.missing == ["card"]
    assert standing(known(asked(None, account)), COUNTRY) is Standing.UNCHECKED


def test_with_neither_nothing_is_checked_and_variables_without_a_value_are_named():
    found = known(asked())
    assert found.missing == ["card", "account"]
    assert {suspect.standing for suspect in found.suspects} == {Standing.UNCHECKED, Standing.OPEN}
    assert found.suspects[0].reply.missing == ["card_country", "account_country"]
    assert "{card_country}" in found.suspects[0].reply.text


def test_a_card_of_another_service_than_the_account():
    card, account = factories.card(), factories.account(factories.pin_program())
    found = known(asked(card, account))
    assert standing(found, "The code belongs to another service") is Standing.FITS
    assert standing(found, COUNTRY) is Standing.UNCHECKED


def test_what_is_not_recognised_says_so_and_offers_the_choice():
    found = known(asked(message="It just does nothing at all"))
    assert (found.error, found.suspects, found.sentence) == (None, [], "")
    assert found.form


def test_a_mail_that_quotes_the_message_is_recognised_without_anybody_writing_it_down():
    ticket = factories.ticket(subject="Gift card", body="I scratched it and it says: this code is not valid. Help!")
    assert ticket.known_error.answer == Answer.NOT_VALID


def test_a_choice_by_hand_outlives_other_changes():
    ticket = asked(message="This code is not valid")
    agent = factories.user(Role.AGENT)
    chosen = KnownError.objects.get(wording="Invalid code")
    change(ticket=ticket, by=agent, known_error=chosen)
    change(ticket=ticket, by=agent, error_message="This code is not valid", subject="Help")
    ticket.refresh_from_db()
    assert ticket.known_error == chosen


# --- For whom


def test_who_may_not_diagnose_sees_the_questions_and_nothing_of_the_account():
    card = american_card()
    account = factories.account(card.batch.product.program, country="SE")
    ticket = asked(card, account, channel=TicketChannel.SOCIAL, requester_name="Wilhelmina")
    found = known(ticket, Role.SOCIAL_MEDIA)
    assert {suspect.standing for suspect in found.suspects} == {Standing.UNCHECKED, Standing.OPEN}
    assert found.sentence == ""
    assert all("Sweden" not in suspect.reply.text + suspect.detail for suspect in found.suspects)
    assert "your account is in another country" in found.suspects[0].reply.text
    assert "Wilhelmina" not in found.suspects[0].reply.text
    assert not AuditEvent.objects.filter(action=AuditAction.DIAGNOSED).exists()


def test_each_diagnosis_is_recorded_with_ids_only():
    card = american_card()
    account = factories.account(card.batch.product.program)
    agent = factories.user(Role.AGENT)
    known(asked(card, account), user=agent)
    event = AuditEvent.objects.get(action=AuditAction.DIAGNOSED)
    assert (event.actor_id, event.target, event.details) == (agent.pk, f"code:{card.serial}", {"account": account.pk})


def test_the_panel_asks_the_database_as_often_for_many_causes_as_for_one(django_assert_num_queries):
    card = american_card()
    account = factories.account(card.batch.product.program)
    agent = factories.user(Role.AGENT)
    ticket = asked(card, account)
    lone = factories.known_error(None, "Lonely")
    Cause.objects.create(
        known_error=lone, title="One", reasons=["country_differs"], question="?", remedy=".", reply="x"
    )
    with django_assert_num_queries(6):
        known(ticket, user=agent)
    ticket.known_error = lone
    with django_assert_num_queries(6):
        known(ticket, user=agent)


# --- Its page


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.MANAGER, Role.AUDITOR, Role.SOCIAL_MEDIA])
def test_every_role_that_reads_tickets_reads_the_panel_and_takes_replies_where_it_answers(role):
    card = american_card()
    ticket = asked(card, factories.account(card.batch.product.program), channel=TicketChannel.SOCIAL)
    client, _ = at_the_desk(role)
    text = shown(client.get(f"/tickets/{ticket.reference}/"))
    assert COUNTRY in text
    assert ("Use this reply" in text) == (role != Role.AUDITOR)
    assert ("(card US, account GB)" in text) == (role not in {Role.AUDITOR, Role.SOCIAL_MEDIA})
    assert ("Edit this known error" in text) == (role == Role.MANAGER)


def test_writing_the_message_down_recognises_it():
    ticket = asked(message="")
    assert ticket.known_error is None
    change(ticket=ticket, by=factories.user(Role.AGENT), error_message="This code is not vaild")
    ticket.refresh_from_db()
    assert ticket.known_error.answer == Answer.NOT_VALID


def test_a_reply_is_kept_as_a_draft_below_what_is_written_there():
    card = american_card()
    ticket = asked(card, factories.account(card.batch.product.program))
    client, agent = at_the_desk(Role.AGENT)
    cause = ticket.known_error.causes.get(title=COUNTRY)
    Draft.objects.create(ticket=ticket, person=agent, kind=MessageKind.REPLY, body="Dear Ada")
    response = client.post(f"/tickets/{ticket.reference}/known-error/{cause.pk}/")
    assert (response.status_code, response.headers["Location"]) == (303, f"/tickets/{ticket.reference}/#write")
    body = Draft.objects.get(ticket=ticket, person=agent).body
    assert body == f"Dear Ada\n\n{reply_to(ticket, cause, agent, timezone.now()).text}"


def test_choosing_by_hand_is_kept_and_written_into_the_history():
    ticket = asked(message="something odd")
    client, _ = at_the_desk(Role.AGENT)
    chosen = KnownError.objects.get(wording="This code has expired")
    client.post(f"/tickets/{ticket.reference}/known-error/", {"known_error": chosen.pk})
    ticket.refresh_from_db()
    assert ticket.known_error == chosen
    assert ticket.events.get(kind="changed").changes == {"known_error": [None, chosen.pk]}
    client.post(f"/tickets/{ticket.reference}/known-error/", {"known_error": ""})
    ticket.refresh_from_db()
    assert ticket.known_error is None


@pytest.mark.parametrize("value", ["999999", "x", "9" * 40, "\0"])
def test_what_is_no_known_error_is_refused_in_a_sentence(value):
    ticket = asked()
    client, _ = at_the_desk(Role.AGENT)
    response = client.post(f"/tickets/{ticket.reference}/known-error/", {"known_error": value}, follow=True)
    assert "choose again" in shown(response)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SOCIAL_MEDIA, Role.RETAILER])
def test_who_may_not_answer_this_ticket_finds_no_such_address(role):
    ticket = asked()
    cause = ticket.known_error.causes.first()
    client, _ = at_the_desk(role)
    for address in ("known-error/", f"known-error/{cause.pk}/"):
        assert client.post(f"/tickets/{ticket.reference}/{address}").status_code == 404
    assert client.get(f"/tickets/{ticket.reference}/known-error/").status_code in {404, 405}


# --- The catalogue in the admin

ADMIN = "/admin/support/knownerror/"


def error_form(error, *causes, **fields):
    data = {
        "wording": error.wording,
        "other_wordings": "\n".join(error.other_wordings),
        "program": "",
        "answer": error.answer,
        "is_active": "on",
        "causes-TOTAL_FORMS": len(causes),
        "causes-INITIAL_FORMS": sum("id" in cause for cause in causes),
        "causes-MIN_NUM_FORMS": 0,
        "causes-MAX_NUM_FORMS": 1000,
    }
    for place, cause in enumerate(causes):
        data |= {f"causes-{place}-{name}": value for name, value in cause.items()}
    return data | fields


def cause_form(**fields):
    return {
        "rank": 1,
        "title": "Worn strip",
        "question": "Is it worn?",
        "remedy": "Replace it.",
        "reply": "Hello {requester}",
        **fields,
    }


def test_a_manager_changes_wordings_and_causes_under_record_and_they_count_at_once():
    error = factories.known_error(None, "The strip is worn")
    client, manager = at_the_desk(Role.MANAGER)
    form = error_form(
        error, cause_form(reasons=["void", "expired"]), other_wordings="Strip worn out\nStrip worn out\n\n"
    )
    assert client.post(f"{ADMIN}{error.pk}/change/", form).status_code == 302
    error.refresh_from_db()
    assert error.other_wordings == ["Strip worn out"]
    assert error.causes.get().reasons == ["expired", "void"] or error.causes.get().reasons == ["void", "expired"]
    event = AuditEvent.objects.get(action=AuditAction.DESK_CHANGED)
    assert (event.actor_id, event.target) == (manager.pk, f"known_error:{error.pk}")
    assert event.details == {"fields": "other_wordings causes"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"causes-0-reply": "Hello {customer}"}, "There is no such variable: {customer}"),
        ({"causes-0-title": ""}, "This field is required"),
        ({"other_wordings": "x" * 301}, "at most 300 characters"),
        ({"wording": "This code is not valid"}, "This program has this wording already."),
        ({"causes-0-reasons": ["made_up"]}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_and_nothing_is_recorded(fields, said):
    error = factories.known_error(None, "The strip is worn")
    client, _ = at_the_desk(Role.MANAGER)
    response = client.post(f"{ADMIN}{error.pk}/change/", error_form(error, cause_form(), **fields))
    assert response.status_code == 200
    assert said in shown(response)
    assert not AuditEvent.objects.filter(action=AuditAction.DESK_CHANGED).exists()


def test_an_agent_reads_the_catalogue_and_changes_nothing():
    error = factories.known_error(None, "The strip is worn")
    client, _ = at_the_desk(Role.AGENT)
    assert client.get(f"{ADMIN}{error.pk}/change/").status_code == 200
    assert client.post(f"{ADMIN}{error.pk}/change/", error_form(error, wording="Other")).status_code in {403, 404}
    assert KnownError.objects.filter(pk=error.pk, wording="The strip is worn").exists()


def test_a_new_one_begins_with_the_ticket_s_message_which_no_address_holds():
    ticket = asked(message="The flux capacitor is empty")
    client, _ = at_the_desk(Role.MANAGER)
    page = client.get(f"/tickets/{ticket.reference}/").content.decode()
    assert f"{ADMIN}add/?ticket={ticket.reference}" in page
    assert "flux capacitor" in client.get(f"{ADMIN}add/", {"ticket": ticket.reference}).content.decode()
    assert client.get(f"{ADMIN}add/", {"ticket": "TK-0000"}).status_code == 200
