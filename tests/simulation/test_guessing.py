"""Guessing in a crowd: however many try at once, no more are verified than the limit says, and from nowhere twice."""

import random
from collections import Counter
from functools import partial
from http import HTTPStatus

import pytest
from django.test import Client

from redemption.models import Attempt, AttemptOutcome, Channel, Redemption, Throttle
from redemption.redeem import preview, redeem
from redemption.references import Untried
from redemption.refusals import RefusalReason
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = [200, pytest.param(2_000, marks=pytest.mark.heavy)]


def unknown(count):
    """Well-formed codes that nobody has: those of another program."""
    return [card.text for card in factories.cards(count)]


def verified():
    """How many different tries were held against the codes."""
    return Attempt.objects.count()


def counter(scope):
    return [(len(row.recent), row.turned_away) for row in Throttle.objects.filter(scope=scope)]


def browser(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("guesses", SIZES)
def test_of_two_thousand_guesses_at_once_four_are_verified(guesses, crowd):
    account = factories.account()
    runs = [redeem, preview]
    calls = [
        partial(runs[number % 2], account=account, text=text, channel=Channel.WEB, address=f"192.0.2.{number % 250}")
        for number, text in enumerate(unknown(guesses))
    ]
    results = all_at_once(calls, clients=crowd)
    assert errors(results) == []
    assert Counter(result.reason for result in results) == {
        RefusalReason.UNKNOWN: 4,
        RefusalReason.ATTEMPTS_SPENT: guesses - 4,
    }
    assert verified() == 4
    assert counter("account") == [(4, guesses - 4)]


@pytest.mark.parametrize("guesses", SIZES)
def test_on_the_page_too_and_the_answers_are_those_of_four(guesses, crowd):
    """Whole requests: sessions, forms, and a key for each."""
    account = factories.account(user=factories.user())
    client = browser(account.user)

    def guess(number, text):
        # The test client keeps what came last: each thread has a copy that knows the same session.
        mine = Client()
        mine.cookies = client.cookies
        return mine.post("/redeem/", {"code": text, "key": f"guess {number}"}).status_code

    calls = [partial(guess, number, text) for number, text in enumerate(unknown(guesses))]
    answers = all_at_once(calls, clients=min(crowd, 50))
    assert errors(answers) == []
    assert Counter(answers) == {HTTPStatus.UNPROCESSABLE_ENTITY: 4, HTTPStatus.TOO_MANY_REQUESTS: guesses - 4}
    assert verified() == 4


@pytest.mark.parametrize("guesses", SIZES)
def test_a_good_code_among_the_guesses_makes_no_room_for_more_of_them(guesses, crowd):
    """A preview is given back by its own code: while that stands, its place is free for no guess."""
    good = factories.card()
    account = factories.account(good.batch.product.program)
    assert preview(account=account, text=good.text, channel=Channel.WEB).outcome == AttemptOutcome.PREVIEWED
    texts = [*unknown(guesses), *[good.text] * 20]
    random.shuffle(texts)
    previews = [partial(preview, account=account, text=text, channel=Channel.WEB) for text in texts]
    results = all_at_once(previews, clients=crowd)
    assert errors(results) == []
    # One of the four is the good code's own from before.
    assert verified() == 4
    guessed = Attempt.objects.filter(reason=RefusalReason.UNKNOWN).count()
    assert guessed <= 3
    # The code itself can still be had, once, and gives back no more than was counted for it.
    confirmed = [partial(redeem, account=account, text=good.text, channel=Channel.WEB)] * 20
    results = all_at_once(confirmed, clients=min(20, crowd))
    assert errors(results) == []
    assert sum(result.is_redeemed for result in results) == 1
    assert Redemption.objects.count() == 1
    ((counted, _),) = counter("account")
    others = Attempt.objects.filter(account=account, reason=RefusalReason.REDEEMED_BY_YOU).count()
    assert counted == guessed + others
    assert counted <= 4


@pytest.mark.parametrize("guesses", SIZES)
@pytest.mark.parametrize("network", ["2001:db8:7:7:{:x}::{:x}", "::ffff:192.0.2.7"])
def test_from_one_network_as_many_as_an_address_may_have_whichever_of_its_addresses_is_used(guesses, network, crowd):
    program = factories.program()
    accounts = [factories.account(program) for _ in range(guesses // 4)]
    calls = [
        partial(
            redeem,
            account=accounts[number % len(accounts)],
            text=text,
            channel=Channel.WEB,
            address=network.format(number, 65535 - number),
        )
        for number, text in enumerate(unknown(guesses))
    ]
    results = all_at_once(calls, clients=crowd)
    assert errors(results) == []
    assert verified() == 40
    assert Counter(result.untried for result in results) == {None: 40, Untried.THROTTLED: guesses - 40}
    assert counter("address") == [(40, guesses - 40)]


def test_the_next_network_is_counted_for_itself(crowd, settings):
    settings.ATTEMPTS_PER_ADDRESS = 1
    program = factories.program()
    addresses = ["2001:db8:7:7::1", "2001:db8:7:8::1", "192.0.2.7", "192.0.2.8"]
    for address, text in zip(addresses, unknown(4), strict=True):
        result = redeem(account=factories.account(program), text=text, channel=Channel.WEB, address=address)
        assert result.reason == RefusalReason.UNKNOWN
    # The same IPv4 address, as some servers write it.
    same = redeem(
        account=factories.account(program), text=unknown(1)[0], channel=Channel.WEB, address="::ffff:192.0.2.7"
    )
    assert same.untried == Untried.THROTTLED
    assert sorted(counter("address")) == [(1, 0), (1, 0), (1, 0), (1, 1)]


# --- Behind proxies: what a client writes into the header itself changes nothing


@pytest.mark.parametrize(
    ("proxies", "heard", "counted"),
    [
        # Nobody stands before us: the header is whatever the client wrote.
        (0, "198.51.100.{n}", 1),
        # Our proxy adds the address that it saw at the end, behind whatever came.
        (1, "198.51.100.{n}, 203.0.113.9", 1),
        (1, "203.0.113.9", 1),
        # Two of ours: the second saw the first.
        (2, "198.51.100.{n}, 203.0.113.9, 192.0.2.1", 1),
        # Different clients behind the proxy.
        (1, "203.0.113.{n}", 6),
    ],
)
def test_a_forged_header_gives_no_more_tries(proxies, heard, counted, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    settings.ATTEMPTS_PER_ADDRESS = 5
    program = factories.program()
    answers = []
    for number, text in enumerate(unknown(6)):
        client = browser(factories.account(program, user=factories.user()).user)
        header = heard.format(n=number + 1)
        answers.append(
            client.post("/redeem/", {"code": text, "key": "k" * 32}, headers={"x-forwarded-for": header}).status_code
        )
    last = HTTPStatus.TOO_MANY_REQUESTS if counted == 1 else HTTPStatus.UNPROCESSABLE_ENTITY
    assert answers == [HTTPStatus.UNPROCESSABLE_ENTITY] * 5 + [last]
    assert len(counter("address")) == counted
