"""Numbers that many type at once."""

from functools import partial

import pytest

from redemption import challenge
from redemption.challenge import TRIES, Sent, Typed
from redemption.models import Challenge
from tests import factories
from tests.mails import delivered
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_a_hundred_guesses_at_once_five_are_compared(crowd):
    account = factories.account()
    now = factories.NOON
    challenge.send(account=account, now=now)
    right = delivered()[0].body.split("Your number is ")[1][:6]
    guesses = [f"{number:06}" for number in range(120) if f"{number:06}" != right][:100]
    results = all_at_once(
        [partial(challenge.check, account=account, typed=one, now=now) for one in guesses], clients=crowd
    )
    assert errors(results) == []
    assert results.count(Typed.WRONG) == TRIES - 1
    assert Challenge.objects.get().tries == TRIES
    assert challenge.check(account=account, typed=right, now=now) == Typed.OVER


def test_of_twenty_requests_at_once_one_is_mailed(crowd):
    account = factories.account()
    results = all_at_once([partial(challenge.send, account=account, now=factories.NOON)] * 20, clients=min(20, crowd))
    assert errors(results) == []
    assert (results.count(Sent.SENT), results.count(Sent.JUST_SENT)) == (1, 19)
    assert len(delivered()) == 1
