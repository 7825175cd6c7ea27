"""A flood of guesses: a number by mail lets an account past the program's limit, and past nothing else."""

import re
from datetime import timedelta
from http import HTTPStatus

import pytest

from redemption import challenge
from redemption.challenge import LASTS, PASSES_FOR, PAUSE, TRIES, Sent, Typed
from redemption.models import Attempt, AttemptOutcome, Challenge, Channel, Redemption, Throttle
from redemption.redeem import preview, redeem
from redemption.references import Untried, read_signed
from redemption.refusals import Answer, RefusalReason
from tests import factories, leak_search
from tests.mails import delivered
from tests.redemption.test_redeem_page import PAGE, confirm, customer, live, post, reference_in, sealed_in, signed_in
from tests.support.desk import shown

pytestmark = pytest.mark.django_db

NOON = factories.NOON
CHALLENGE = "/redeem/challenge/"
SECOND = timedelta(seconds=1)


@pytest.fixture
def program():
    return factories.program()


@pytest.fixture
def flood(program, settings, monkeypatch):
    """From now on every try meets a counter that is full: one try in ten seconds is let in, and was."""
    monkeypatch.setattr("redemption.admission.PROGRAM_STRIPES", 1)
    settings.ATTEMPTS_PER_PROGRAM = 1
    unknown = factories.card().text
    redeem(account=factories.account(program), text=unknown, channel=Channel.WEB)
    redeem(account=factories.account(program), text=unknown, channel=Channel.WEB, now=NOON)
    return unknown


def number_in(mailed):
    (number,) = re.findall(r"Your number is (\d{6})\.", mailed.body)
    return number


def wrong(number):
    return f"{(int(number) + 1) % 1_000_000:06}"


def at_noon(run, account, text, after=SECOND):
    return run(account=account, text=text, channel=Channel.WEB, now=NOON + after)


# --- The number


def test_the_number_goes_to_the_accounts_address_and_counts_once(program):
    account = factories.account(program, email="reader@example.com")
    assert challenge.send(account=account, now=NOON) == Sent.SENT
    (mailed,) = delivered()
    assert mailed.to == ["reader@example.com"]
    number = number_in(mailed)
    assert number not in mailed.subject
    assert challenge.check(account=account, typed=wrong(number), now=NOON) == Typed.WRONG
    assert not challenge.has_passed(account.pk, NOON)
    typed = f" {number[:3]}-{number[3:]} "
    assert challenge.check(account=account, typed=typed, now=NOON + LASTS - SECOND) == Typed.PASSED
    passed_at = NOON + LASTS - SECOND
    assert challenge.has_passed(account.pk, passed_at + PASSES_FOR - SECOND)
    assert not challenge.has_passed(account.pk, passed_at + PASSES_FOR)
    # It counts once: after the hour it is nothing any more.
    assert challenge.check(account=account, typed=number, now=passed_at + PASSES_FOR) == Typed.OVER
    assert not [where for where, content in leak_search.tables() if "challenge" in where and number.encode() in content]


def test_an_account_without_a_verified_address_gets_no_mail(program):
    assert challenge.send(account=factories.account(program, email_verified=False), now=NOON) == Sent.UNVERIFIED
    assert (delivered(), Challenge.objects.count()) == ([], 0)


def test_a_number_has_five_tries_and_ten_minutes(program):
    account = factories.account(program)
    challenge.send(account=account, now=NOON)
    number = number_in(delivered()[0])
    answers = [challenge.check(account=account, typed=wrong(number), now=NOON) for _ in range(TRIES)]
    assert answers == [Typed.WRONG] * (TRIES - 1) + [Typed.OVER]
    assert challenge.check(account=account, typed=number, now=NOON) == Typed.OVER
    challenge.send(account=account, now=NOON + PAUSE)
    fresh = number_in(delivered()[1])
    assert challenge.check(account=account, typed=fresh, now=NOON + PAUSE + LASTS) == Typed.OVER
    assert challenge.check(account=account, typed=fresh, now=NOON + PAUSE) == Typed.PASSED


def test_of_two_numbers_the_newest_counts_and_mails_have_a_limit(program):
    account = factories.account(program)
    sent = [challenge.send(account=account, now=NOON + number * PAUSE) for number in range(8)]
    assert sent == [Sent.SENT] * 6 + [Sent.TOO_MANY] * 2
    assert challenge.send(account=factories.account(program), now=NOON) == Sent.SENT
    numbers = [number_in(one) for one in delivered()[:6]]
    now = NOON + 5 * PAUSE
    assert challenge.check(account=account, typed=numbers[0], now=now) in {Typed.WRONG, Typed.PASSED}
    assert challenge.check(account=account, typed=numbers[5], now=now) == Typed.PASSED
    assert challenge.send(account=account, now=NOON + 2 * SECOND) == Sent.JUST_SENT


def test_anothers_number_is_nothing(program):
    account, other = factories.account(program), factories.account(program)
    challenge.send(account=account, now=NOON)
    challenge.send(account=other, now=NOON)
    # Equal numbers have different digests.
    theirs = number_in(delivered()[1])
    if theirs != number_in(delivered()[0]):
        assert challenge.check(account=account, typed=theirs, now=NOON) == Typed.WRONG
    assert challenge._digest(account.pk, "123456") != challenge._digest(other.pk, "123456")


@pytest.mark.parametrize("typed", ["", "\0", "٣" * 6, "1" * 5000, "no number", "\ud800"])
def test_whatever_is_typed_is_no_number(program, typed):
    account = factories.account(program)
    challenge.send(account=account, now=NOON)
    assert challenge.check(account=account, typed=typed, now=NOON) == Typed.WRONG


def test_a_mail_that_cannot_be_sent_at_once_is_sent_later_and_its_number_counts(program, settings):
    account = factories.account(program)
    settings.EMAIL_BACKEND = "tests.redemption.test_sealed_mail.Away"
    assert challenge.send(account=account, now=NOON) == Sent.SENT
    assert delivered() == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    (later,) = delivered()
    assert challenge.check(account=account, typed=number_in(later), now=NOON) == Typed.PASSED


# --- What it opens


@pytest.mark.parametrize("run", [redeem, preview])
def test_a_flood_asks_for_a_number_uses_nothing_up_and_lets_in_who_has_typed_it(program, flood, run):
    account, card = factories.account(program), live(program)
    result = at_noon(run, account, card.text)
    assert (result.untried, result.answer) == (Untried.CHALLENGE, Answer.CHALLENGE)
    assert read_signed(result.reference).kind == Untried.CHALLENGE
    assert Throttle.objects.get(scope="account", key=str(account.pk)).recent == []
    assert not Attempt.objects.filter(account=account).exists()
    challenge.send(account=account, now=NOON)
    assert at_noon(run, account, card.text).untried == Untried.CHALLENGE
    challenge.check(account=account, typed=number_in(delivered()[0]), now=NOON)
    assert at_noon(run, account, card.text).answer is None
    # For an hour, and for nobody else.
    assert at_noon(run, factories.account(program), card.text).untried == Untried.CHALLENGE


def test_whoever_was_let_past_stays_under_the_limits_of_account_and_address(program, flood, settings):
    settings.ATTEMPTS_PER_ADDRESS = 6
    program_counter = Throttle.objects.get(scope="program").recent
    accounts = [factories.account(program) for _ in range(2)]
    for account in accounts:
        Challenge.objects.create(account=account, sent_at=NOON, expires_at=NOON, passed_until=NOON + PASSES_FOR)
    answers = [
        redeem(account=account, text=flood, channel=Channel.WEB, address="192.0.2.1", now=NOON + SECOND).reason
        for account in accounts
        for _ in range(5)
    ]
    unknown, spent = RefusalReason.UNKNOWN, RefusalReason.ATTEMPTS_SPENT
    assert answers == [unknown] * 4 + [spent] + [unknown] * 2 + [spent] * 3
    assert Throttle.objects.get(scope="program").recent == program_counter


def test_a_code_that_was_looked_at_with_the_last_try_is_confirmed_in_a_flood_too(program, flood, settings):
    settings.ATTEMPTS_PER_ACCOUNT = 1
    account, card = factories.account(program), live(program)
    Challenge.objects.create(account=account, sent_at=NOON, expires_at=NOON, passed_until=NOON + PASSES_FOR)
    assert at_noon(preview, account, card.text).outcome == AttemptOutcome.PREVIEWED
    before = Throttle.objects.get(scope="account", key=str(account.pk)).recent
    Challenge.objects.update(passed_until=NOON)
    assert at_noon(redeem, account, card.text, 2 * SECOND).untried == Untried.CHALLENGE
    assert Throttle.objects.get(scope="account", key=str(account.pk)).recent == before
    Challenge.objects.update(passed_until=NOON + PASSES_FOR)
    assert at_noon(redeem, account, card.text, 3 * SECOND).is_redeemed


# --- On the page


@pytest.mark.usefixtures("flood")
def test_the_page_asks_mails_and_goes_on_from_where_it_was(program):
    client, account = customer(program, email="reader@example.com")
    card = live(program)
    asked = post(client, card.text)
    assert asked.status_code == HTTPStatus.FORBIDDEN
    assert Answer.CHALLENGE.label in shown(asked)
    assert reference_in(asked).startswith("NO-")
    assert delivered() == []
    sent = client.post(CHALLENGE, {"sealed": sealed_in_all(asked)})
    assert Sent.SENT.value in shown(sent)
    number = number_in(delivered()[0])
    again = client.post(CHALLENGE, {"sealed": sealed_in_all(sent), "number": wrong(number)})
    assert (again.status_code, Typed.WRONG.value in shown(again)) == (HTTPStatus.UNPROCESSABLE_ENTITY, True)
    seen = client.post(CHALLENGE, {"sealed": sealed_in_all(again), "number": number})
    assert "£30.00 credit." in shown(seen)
    assert not Redemption.objects.exists()
    # Loaded again, it is the same page.
    assert shown(client.post(CHALLENGE, {"sealed": sealed_in_all(again), "number": number})) == shown(seen)
    # The number is forgotten in between: confirming asks for another, and then redeems without looking again.
    Challenge.objects.update(passed_until=NOON, sent_at=NOON)
    asked = confirm(client, seen)
    assert asked.status_code == HTTPStatus.FORBIDDEN
    client.post(CHALLENGE, {"sealed": sealed_in_all(asked)})
    done = client.post(CHALLENGE, {"sealed": sealed_in_all(asked), "number": number_in(delivered()[1])})
    assert "Redeemed" in shown(done)
    assert Redemption.objects.get().account == account


def sealed_in_all(response):
    """Its two forms carry one seal."""
    (sealed,) = set(re.findall(r'name="sealed" value="([^"]+)"', response.content.decode()))
    return sealed


@pytest.mark.usefixtures("flood")
def test_the_page_is_the_same_for_every_code(program):
    client, _ = customer(program)
    pages = set()
    for card in (live(program), factories.card(), live(program)):
        response = post(client, card.text, key=card.code[:6])
        text = response.content.decode()
        for varying in (reference_in(response), sealed_in(response)):
            text = text.replace(varying, "x" * len(varying))
        pages.add(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text))
        assert card.code not in text
    assert len(pages) == 1


def test_opened_by_itself_it_lets_an_app_go_on(program):
    client, account = customer(program)
    assert "Mail me a number" in shown(client.get(CHALLENGE))
    sent = client.post(CHALLENGE)
    assert Sent.SENT.value in shown(sent)
    done = client.post(CHALLENGE, {"account": account.reference, "number": number_in(delivered()[0])})
    assert (done.status_code, done.url) == (HTTPStatus.FOUND, PAGE)
    assert Challenge.objects.get().account == account


def test_somebody_elses_account_is_mailed_nothing(program):
    client, _ = customer(program)
    stranger = customer(program)[1]
    assert client.post(CHALLENGE, {"account": stranger.reference}).status_code == HTTPStatus.NOT_FOUND
    assert client.post(CHALLENGE, {"sealed": "x"}).status_code == HTTPStatus.CONFLICT
    assert (delivered(), Challenge.objects.count()) == ([], 0)


def test_who_has_no_verified_address_is_led_to_his_account(program):
    client, _ = customer(program, email_verified=False)
    response = client.post(CHALLENGE)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert Sent.UNVERIFIED.value in shown(response)
    assert 'href="/account/"' in response.content.decode()


def test_without_an_account_there_is_nothing_to_show(client):
    assert client.get(CHALLENGE).url.startswith("/accounts/login/")
    assert signed_in(factories.user()).get(CHALLENGE).url == PAGE
