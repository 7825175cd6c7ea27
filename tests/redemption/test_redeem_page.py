"""The customers' page over HTTP: what an answer gives away, and what may be posted to it."""

import re
import sys
from dataclasses import dataclass
from http import HTTPStatus

import pytest
from django.core.signals import got_request_exception
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter

from redemption.models import Attempt, IdempotencyKey, Redemption, Throttle, Wallet
from redemption.redeem import KeyRunningError
from redemption.refusals import REFUSALS, Answer, RefusalReason
from redemption.roles import Role
from redemption.views import redeem as view
from tests import factories, leak_search
from tests.redemption.test_answers import ACCOUNTS, not_valid
from tests.redemption.test_leaks import log  # noqa: F401
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db

PAGE = "/redeem/"
CONFIRM = "/redeem/confirm/"
KEY = "0123456789abcdef" * 2
NOON = factories.NOON


@pytest.fixture
def noon(monkeypatch):
    """The answers' clock stands still; cards expire by it."""
    monkeypatch.setattr(timezone, "now", lambda: NOON)


@pytest.fixture
def program():
    return factories.program()


def signed_in(person):
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def customer(program, **fields):
    """A browser, and the account of the person who signed in with it."""
    account = factories.account(program, user=factories.user(), **fields)
    return signed_in(account.user), account


def live(program):
    return factories.card(factories.batch(factories.product(program)))


def post(client, text, **fields):
    return client.post(PAGE, {"code": text, "key": KEY} | fields)


def sealed_in(response):
    (sealed,) = re.findall(r'name="sealed" value="([^"]+)"', response.content.decode())
    return sealed


def confirm(client, response):
    """The second step, as the page that showed the first one's answer offers it."""
    return client.post(CONFIRM, {"sealed": sealed_in(response)})


def redeem_by_page(client, text, **fields):
    return confirm(client, post(client, text, **fields))


def reference_in(response):
    (reference,) = set(re.findall(r"\b(?:AT(?:-\w{4}){3}|NO(?:-\w{4}){8})\b", response.content.decode()))
    return reference


@dataclass(frozen=True)
class Seen:
    """All that the browser gets or could measure, but for the reference and the clock."""

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: str
    body: str
    queries: int
    attempts_used: int


def see(client, account, text, key=KEY):
    with CaptureQueriesContext(connection) as queries:
        response = post(client, text, key=key)
    reference = reference_in(response)
    counter = Throttle.objects.filter(scope="account", key=str(account.pk)).first()
    return response, Seen(
        response.status_code,
        tuple(sorted(response.headers.items())),
        response.cookies.output(),
        response.content.decode().replace(reference, re.sub(r"\w", "x", reference)),
        len(queries),
        len(counter.recent) if counter else 0,
    )


def reason_of(response):
    return Attempt.objects.get(reference=reference_in(response)).reason


# --- One answer


@pytest.mark.usefixtures("noon")
def test_every_code_that_is_not_valid_gets_the_same_page(program):
    cards = not_valid(program)
    see(*customer(program), live(program).text)  # reads the formats, once a process
    seen = {}
    for reason, card in cards.items():
        response, seen[reason] = see(*customer(program), card.text)
        assert reason_of(response) == reason
    assert set(cards) == {reason for reason in RefusalReason if reason.answer == Answer.NOT_VALID} - {
        RefusalReason.NOT_RECOGNISED,
        RefusalReason.BATCH_NOT_ISSUED,
    }
    assert len(set(seen.values())) == 1, seen
    answer = seen[RefusalReason.UNKNOWN]
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert (answer.attempts_used, answer.cookies) == (1, "")
    assert Answer.NOT_VALID.label in answer.body
    # The session, its user, the accounts; then redeeming's three.
    assert answer.queries == 6


@pytest.mark.usefixtures("noon")
def test_what_does_not_look_like_a_code_gets_that_page_too(program):
    see(*customer(program), live(program).text)
    unknown = factories.card(factories.batch(factories.product(factories.program())))
    seen = [see(*customer(program), text)[1] for text in (unknown.text, "AUTUMN SESSIONS")]
    # One query more, for the formats that may have come since. Whoever typed it knows that it is no code.
    assert [what.queries for what in seen] == [6, 7]
    assert [what.body for what in seen] == [seen[0].body] * 2
    assert [what.headers for what in seen] == [seen[0].headers] * 2


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize("reason", ACCOUNTS)
def test_an_account_in_the_way_gets_the_same_page_for_every_code_live_or_dead(program, reason):
    client, account = customer(program, **ACCOUNTS[reason])
    codes = {**not_valid(program), "live": live(program), "redeemed": live(program)}
    assert redeem_by_page(customer(program)[0], codes["redeemed"].text).status_code == HTTPStatus.OK
    seen = set()
    for number, card in enumerate(codes.values()):
        response, what = see(client, account, card.text, key=f"{number:032}")
        assert reason_of(response) == reason
        seen.add(what)
    assert len(seen) == 1, seen
    (what,) = seen
    assert (what.status, what.attempts_used) == (HTTPStatus.UNPROCESSABLE_ENTITY, 0)
    assert REFUSALS[reason].answer.label.replace("'", "&#x27;") in what.body


@pytest.mark.usefixtures("noon")
def test_a_blocked_account_gets_the_same_page_for_every_code_and_hears_until_when(program):
    client, account = customer(program)
    for number, card in enumerate(factories.cards(4, factories.batch(factories.product(factories.program())))):
        post(client, card.text, key=f"wrong {number}")
    codes = [*not_valid(program).values(), live(program)]
    seen = {see(client, account, card.text)[1] for card in codes}
    assert len(seen) == 1, seen
    (what,) = seen
    assert (what.status, what.attempts_used) == (HTTPStatus.TOO_MANY_REQUESTS, 4)
    assert "Codes can be tried again from 16 June 2026, 14:01 CEST." in what.body
    assert Attempt.objects.filter(account=account).count() == 4


@pytest.mark.usefixtures("noon")
def test_an_outage_gets_one_page_and_uses_nothing_up(program):
    client, account = customer(program)
    codes = [*not_valid(program).values(), live(program)]
    see(*customer(program), codes[0].text)
    IdempotencyKey.objects.all().delete()
    program.is_paused = True
    program.save()
    seen = {see(client, account, card.text)[1] for card in codes}
    assert len(seen) == 1, seen
    (what,) = seen
    assert (what.status, what.attempts_used) == (HTTPStatus.SERVICE_UNAVAILABLE, 0)
    assert not IdempotencyKey.objects.exists()


def test_only_the_one_who_redeemed_hears_so(program):
    card = live(program)
    client, winner = customer(program)
    assert redeem_by_page(client, card.text).status_code == HTTPStatus.OK
    again, others = post(client, card.text, key="again"), post(customer(program)[0], card.text)
    assert Answer.REDEEMED_BY_YOU.label in shown(again)
    assert Answer.ALREADY_REDEEMED.label in shown(others)
    assert winner.email not in shown(others)


# --- What works


def test_a_redeemed_code_says_what_it_gave_until_when_and_where(program):
    client, account = customer(program)
    card = factories.card(factories.batch(factories.product(program, months=3)))
    seen = post(client, card.text)
    assert not Redemption.objects.exists()
    response = confirm(client, seen)
    redemption = Redemption.objects.get()
    assert redemption.account == account
    until = f"3 months of premium, until {redemption.premium_grant.period.upper:%-d %B %Y}."
    assert until in shown(seen)
    assert f"For your {program} account, United Kingdom, with the address {account.email}." in shown(seen)
    said = shown(response)
    assert response.status_code == HTTPStatus.OK
    assert until in said
    assert f"It is on your {program} account, United Kingdom, from now on." in said
    assert f"Reference: {redemption.attempt.reference}" in said


def test_the_form_as_a_browser_fills_it_in(program):
    account = factories.account(program, user=factories.user())
    client = Client(enforce_csrf_checks=True)
    client.force_login(account.user, backend="django.contrib.auth.backends.ModelBackend")
    form = client.get(PAGE)
    text = form.content.decode()
    assert 'name="account"' not in text
    assert f"For your {program} account, United Kingdom." in shown(form)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', text))
    assert set(fields) == {"csrfmiddlewaretoken", "key"}
    key = fields["key"]
    response = client.post(PAGE, fields | {"code": live(program).text})
    assert "£30.00 credit." in shown(response)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', response.content.decode()))
    assert set(fields) == {"csrfmiddlewaretoken", "sealed"}
    assert client.post(CONFIRM, {"sealed": fields["sealed"]}).status_code == HTTPStatus.FORBIDDEN
    response = client.post(CONFIRM, fields)
    assert "£30.00 credit." in shown(response)
    assert Redemption.objects.get().account == account
    assert "<form" not in response.content.decode()
    assert fields["csrfmiddlewaretoken"] not in response.content.decode()
    assert client.post(PAGE, {"code": "x", "key": KEY}).status_code == HTTPStatus.FORBIDDEN
    # Each form has a key of its own.
    assert key not in client.get(PAGE).content.decode()


def test_the_same_form_sent_twice_gets_the_same_answer_and_has_one_effect(program):
    client, account = customer(program)
    card, other = live(program), live(program)
    seen, again = (post(client, card.text) for _ in range(2))
    # But for the seals and the tokens of their forms.
    assert shown(seen) == shown(again)
    first, second, third = (confirm(client, one) for one in (seen, seen, again))
    assert first.status_code == HTTPStatus.OK
    assert first.content == second.content == third.content
    assert Redemption.objects.count() == 1
    # One of looking, one of redeeming.
    assert Attempt.objects.count() == 2
    assert Wallet.objects.get(account=account).balance == 3000
    conflict = post(client, other.text)
    assert conflict.status_code == HTTPStatus.CONFLICT
    assert "this one was not tried" in shown(conflict)
    assert Attempt.objects.count() == 2


def test_a_refused_form_sent_twice_gets_the_same_answer_and_burns_one_attempt(program):
    client, account = customer(program)
    card = not_valid(program)[RefusalReason.FROZEN]
    first, second = (see(client, account, card.text) for _ in range(2))
    assert first[0].content == second[0].content
    assert second[1].attempts_used == 1


def test_a_form_that_is_still_being_worked_on(program, monkeypatch):
    def running(**arguments):
        raise KeyRunningError

    monkeypatch.setattr(view, "preview", running)
    response = post(customer(program)[0], live(program).text)
    assert response.status_code == HTTPStatus.CONFLICT
    assert "Reload this page" in shown(response)


@pytest.mark.parametrize(("proxies", "address"), [(0, "192.0.2.7"), (1, "198.51.100.1")])
def test_a_try_is_counted_on_the_address_that_it_came_from(program, monkeypatch, settings, proxies, address):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    given = {}

    def see_arguments(**arguments):
        given.update(arguments)
        raise KeyRunningError

    monkeypatch.setattr(view, "preview", see_arguments)
    client, account = customer(program)
    # Whoever asks may have written the first himself; the last is what our proxy saw.
    heard = "203.0.113.9, 198.51.100.1"
    client.post(PAGE, {"code": "C", "key": KEY}, REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR=heard)
    assert (given["account"], given["channel"], given["address"]) == (account, "web", address)


# --- Whose account


@pytest.fixture
def two(program):
    """A browser, and its person's two accounts in the page's order."""
    client, account = customer(program)
    other = factories.account(factories.program("Anghami"), user=account.user, email="second@example.com", country="SE")
    return client, [other, account]


def test_somebody_with_two_accounts_chooses(two):
    client, accounts = two
    page = client.get(PAGE)
    radio = r'<input type="radio" name="account" value="(\S+)" data-shapes="(\S+)" required( checked)?>'
    radios = re.findall(radio, page.content.decode())
    # How codes are printed, for the script that groups them.
    shapes = "SPOTIFY:12:4:i"
    assert radios == [(accounts[0].reference, shapes, " checked"), (accounts[1].reference, shapes, "")]
    assert f"{accounts[0].program}, Sweden second@example.com" in shown(page)
    response = redeem_by_page(client, live(accounts[1].program).text, account=accounts[1].reference)
    assert response.status_code == HTTPStatus.OK
    assert Redemption.objects.get().account == accounts[1]


def test_somebody_elses_account_does_not_exist(two):
    client, accounts = two
    strangers = customer(accounts[0].program)[1]
    card = live(accounts[0].program)
    answers = set()
    for reference in (strangers.reference, "AC-0000-0000-0000", str(strangers.pk), str(accounts[0].pk), "", "\0"):
        with CaptureQueriesContext(connection) as queries:
            response = post(client, card.text, account=reference)
        answers.add((response.status_code, response.content, tuple(response.headers.items()), len(queries)))
    ((status, content, _, _),) = answers
    assert status == HTTPStatus.NOT_FOUND
    assert b"There is no such account" in content
    assert not Attempt.objects.exists()
    assert not Throttle.objects.exists()
    # With a choice to make, it must have been made.
    assert post(client, card.text).content == content


def test_one_account_is_not_exchanged_for_anothers(program):
    strangers = customer(program)[1]
    assert post(customer(program)[0], live(program).text, account=strangers.reference).status_code == 404
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.RETAILER, Role.AGENT, Role.ADMINISTRATOR])
def test_somebody_without_an_account_is_told(role, program):
    client, _ = at_the_desk(role)
    page = client.get(PAGE)
    assert page.status_code == HTTPStatus.OK
    assert "none is linked to your sign-in." in shown(page)
    assert "<form" not in page.content.decode()
    assert "contact support" in shown(post(client, live(program).text))
    assert not Attempt.objects.exists()


def test_an_anonymous_visitor_signs_in_first(client, program):
    card = live(program)
    for response in (client.get(PAGE), post(client, card.text)):
        assert response.status_code == HTTPStatus.FOUND
        assert response.url == f"{reverse('account_login')}?next={PAGE}"
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("", PAGE),
        # What the bare address, opened without a session, asks for.
        ("/", PAGE),
        (PAGE, PAGE),
        ("/accounts/sessions/", "/accounts/sessions/"),
        ("https://evil.example/", PAGE),
        ("//evil.example/", PAGE),
    ],
)
def test_signing_in_leads_a_customer_here_or_where_he_wanted_to_go(client, settings, wanted, reached):
    settings.STAFF_SECOND_FACTOR = True
    form = {
        "login": factories.account(user=factories.user()).user.email,
        "password": factories.PASSWORD,
        "next": wanted,
    }
    # An address of its own: so many sign-ins a minute from one are turned away, and other tests need theirs.
    response = client.post(reverse("account_login"), form, REMOTE_ADDR="192.0.2.20")
    assert (response.status_code, response.url) == (HTTPStatus.FOUND, reached)
    assert client.get(response.url).status_code == HTTPStatus.OK


# --- Whatever is posted


@pytest.mark.parametrize("method", ["get", "head", "post", "put"])
def test_no_answer_is_kept_by_browsers_and_proxies(program, method):
    for client in (customer(program)[0], at_the_desk(Role.AGENT)[0]):
        assert getattr(client, method)(PAGE).headers["Cache-Control"] == "no-store"


def test_the_page_asks_for_no_more_than_the_code(program):
    page = customer(program)[0].get(PAGE)
    text = page.content.decode()
    assert "We never ask for a password or a payment card here." in shown(page)
    assert 'autocomplete="off" autocapitalize="characters"' in text
    assert 'maxlength="1000"' in text
    assert re.findall("<script[^>]*>", text) == ['<script src="/static/redemption/redeem.js" defer>']
    for unwanted in ("<style", "style=", "onclick", 'type="password"', "http://", "https://"):
        assert unwanted not in text


@pytest.mark.parametrize(
    "typed",
    ["", " ", "\0", "A\0B", "\u202e\u200b", "😀" * 300, "7" * 1001, "spotify:track:4uLU6hMCjMI75M1A2tKUQC", "<b>&amp;"],
)
def test_whatever_is_typed_gets_a_sentence_and_is_not_repeated(program, typed):
    response = post(customer(program)[0], typed)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Not redeemed" in shown(response)
    assert len(typed) < 2 or typed not in response.content.decode()


def _lone_surrogate(name, fields):
    """A form whose `name` is a lone surrogate: UTF-7 is the way to write one."""
    parts = {**fields, name: "+2AA-"}
    body = "".join(
        f'--frontier\r\nContent-Disposition: form-data; name="{part}"\r\n\r\n{value}\r\n'
        for part, value in parts.items()
    )
    return f"{body}--frontier--\r\n".encode(), "multipart/form-data; boundary=frontier; charset=utf-7"


@pytest.mark.parametrize(("name", "status"), [("code", 422), ("key", 400), ("account", 404)])
def test_a_lone_surrogate_gets_a_sentence(program, name, status):
    client, account = customer(program)
    fields = {"code": live(program).code, "key": KEY, "account": account.reference}
    body, content_type = _lone_surrogate(name, fields)
    response = client.generic("POST", PAGE, body, content_type=content_type)
    assert response.status_code == status
    assert response.wsgi_request.POST[name] == "\ud800"
    assert not Redemption.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 101, "k\0", "ключ"])
def test_a_key_that_no_form_of_ours_has(program, key):
    response = post(customer(program)[0], live(program).text, key=key)
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "Nothing was tried." in shown(response)
    assert not Attempt.objects.exists()
    assert not Throttle.objects.exists()


def test_five_megabytes_are_refused_before_they_are_read(program):
    response = post(customer(program)[0], "7" * 5_000_000)
    assert response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert "That is too much" in shown(response)


# --- Where the code is not


@pytest.mark.django_db(transaction=True)
def test_the_code_is_in_no_answer_address_session_log_or_table(program, log):  # noqa: F811
    client, _ = customer(program)
    pattern = program.current_format().pattern
    cards = [live(program), *list(not_valid(program).values())[:3]]
    slip = cards[0].code[:-1] + ("2" if cards[0].code[-1] != "2" else "3")
    needles = leak_search.spellings(slip, pattern.display(slip))
    said = b""
    for number, text in enumerate([pattern.display(slip), *(card.text for card in cards)]):
        client.get(PAGE)
        response = post(client, text, key=f"key {number}")
        said += response.content + str(response.headers).encode() + response.cookies.output().encode()
        if "sealed" in response.content.decode():
            response = confirm(client, response)
            said += response.content + str(response.headers).encode() + response.cookies.output().encode()
    assert Redemption.objects.get().code_id == cards[0].serial
    for card in cards:
        needles |= leak_search.spellings(card.code, card.text) | leak_search.parts(card.code, 10)
    # As a form that somebody made a GET of: the code is taken out of the address.
    asked = client.get(PAGE, {"code": cards[0].text})
    assert (asked.status_code, asked.url) == (HTTPStatus.FOUND, PAGE)
    said += asked.content + str(asked.headers).encode() + client.get(PAGE).content
    said += client.cookies.output().encode()
    written = log.getvalue().encode()
    assert b"Unprocessable" in written
    places = [("an answer", said), ("the log", written), *leak_search.tables(), *leak_search.sessions()]
    assert leak_search.Search(needles)(places) == set()


def test_a_report_on_an_error_has_nothing_of_the_form(program, monkeypatch):
    card, reports = live(program), []

    def fail(**arguments):
        raise RuntimeError

    def report(request, **arguments):
        reports.append(ExceptionReporter(request, *sys.exc_info()).get_traceback_html())

    monkeypatch.setattr(view, "preview", fail)
    client, _ = customer(program)
    client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        assert post(client, card.text).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    finally:
        got_request_exception.disconnect(report)
    (said,) = reports
    assert "redeem_page" in said
    assert leak_search.Search(leak_search.spellings(card.code, card.text))([("the report", said.encode())]) == set()
