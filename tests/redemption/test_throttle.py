"""Counting tries: so many in a sliding window, then a block of a whole window from the one that reached the limit."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redemption.models import Attempt, Channel, Throttle, ThrottleScope
from redemption.redeem import preview, redeem
from redemption.references import Untried
from redemption.refusals import Answer, RefusalReason
from redemption.throttle import Limit, hit, take_back
from tests import factories

pytestmark = pytest.mark.django_db

DAY = timedelta(hours=24)
FOUR = Limit(4, DAY)
NOON = factories.NOON
HOUR = timedelta(hours=1)


def try_at(*hours, key="1", limit=FOUR):
    """Each try's answer: None for admitted, else the hours from noon until which it is blocked."""
    answers = [hit(ThrottleScope.ACCOUNT, key, limit, NOON + hour * HOUR) for hour in hours]
    return [until and (until - NOON) / HOUR for until in answers]


def counter(key="1"):
    return Throttle.objects.get(scope="account", key=key)


def test_four_tries_are_admitted_and_the_fifth_waits_a_day_from_the_fourth():
    assert try_at(0, 1, 2, 3, 4, 26.99) == [None, None, None, None, 27, 27]
    assert (len(counter().recent), counter().turned_away) == (4, 2)
    # To the second: at the end of the block it is open again, and all four are forgotten.
    assert try_at(27, 28, 29, 30, 31) == [None, None, None, None, 54]


def test_the_window_slides():
    # At 25 the first is a day old and gone: three are left, and this is the fourth of a day.
    assert try_at(0, 10, 20, 24.5) == [None, None, None, None]
    assert try_at(25) == [None]
    assert len(counter().recent) == 4
    assert try_at(26) == [49]


def test_a_try_of_exactly_a_day_ago_is_forgotten():
    assert try_at(0, 1, 2, 24, 24.5, 24.75) == [None, None, None, None, None, 48.5]


def test_a_limit_of_one_blocks_from_the_first():
    assert try_at(0, 1, limit=Limit(1, DAY)) == [None, 24]


def test_no_limit_counts_nothing():
    assert try_at(*range(10), limit=Limit(0, DAY)) == [None] * 10
    assert not Throttle.objects.exists()


def test_keys_and_scopes_are_counted_apart():
    try_at(0, 1, 2, 3)
    assert try_at(4, key="2") == [None]
    assert hit(ThrottleScope.ADDRESS, "1", FOUR, NOON) is None


def test_a_try_that_is_given_back_makes_room_and_lifts_the_block_that_it_brought():
    try_at(0, 1, 2, 3)
    take_back(ThrottleScope.ACCOUNT, "1", NOON + 3 * HOUR)
    assert (len(counter().recent), counter().blocked_until) == (3, None)
    assert try_at(4, 5) == [None, 28]


def test_what_was_never_counted_is_not_given_back():
    try_at(0, 1, 2, 3)
    take_back(ThrottleScope.ACCOUNT, "1", NOON + 2.5 * HOUR)
    take_back(ThrottleScope.ACCOUNT, "2", NOON)
    assert len(counter().recent) == 4
    assert counter().blocked_until == NOON + 27 * HOUR


def test_of_two_tries_of_one_moment_one_is_given_back():
    try_at(0, 0)
    take_back(ThrottleScope.ACCOUNT, "1", NOON)
    assert counter().recent == [NOON]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tries=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=25),
)
def test_the_statement_counts_as_the_rule_says(tries, steps):
    """Against the rule written out plainly: (hours since the last try, whether the try is given back at once)."""
    Throttle.objects.all().delete()
    now, recent, blocked_until = NOON, [], None
    for hours, succeeds in steps:
        now += hours * HOUR
        blocked = blocked_until is not None and blocked_until > now
        assert hit(ThrottleScope.ACCOUNT, "1", Limit(tries, DAY), now) == (blocked_until if blocked else None)
        if blocked:
            continue
        if blocked_until:
            recent = []
        recent = [one for one in recent if one > now - DAY] + [now]
        blocked_until = now + DAY if len(recent) >= tries else None
        if succeeds:
            take_back(ThrottleScope.ACCOUNT, "1", now)
            recent.remove(now)
            blocked_until = None
        assert counter().recent == recent


# --- As redeem() uses it


def test_four_unknown_codes_block_the_account_for_a_day_and_a_good_code_waits_too():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    unknown = [factories.card(factories.batch()).text for _ in range(4)]

    def at(hour, text):
        return redeem(account=account, text=text, channel=Channel.WEB, now=NOON + hour * HOUR)

    for hour, text in enumerate(unknown):
        assert at(hour, text).reason == RefusalReason.UNKNOWN
    turned_away = at(4, card.text)
    assert (turned_away.answer, turned_away.blocked_until) == (Answer.TOO_MANY_ATTEMPTS, NOON + 27 * HOUR)
    assert turned_away.untried == Untried.THROTTLED
    assert Attempt.objects.count() == 4
    assert at(27, card.text).is_redeemed


def test_an_address_is_limited_over_all_its_accounts(settings):
    settings.ATTEMPTS_PER_ADDRESS = 3
    program = factories.program()
    unknown = factories.card(factories.batch()).text
    answers = [
        redeem(account=factories.account(program), text=unknown, channel=Channel.WEB, address="192.0.2.1").answer
        for _ in range(4)
    ]
    assert answers == [Answer.NOT_VALID] * 3 + [Answer.TOO_MANY_ATTEMPTS]
    elsewhere = redeem(account=factories.account(program), text=unknown, channel=Channel.WEB, address="192.0.2.2")
    assert elsewhere.answer == Answer.NOT_VALID
    # The account that the address kept out was not counted for it.
    assert sorted(len(counter.recent) for counter in Throttle.objects.filter(scope="account")) == [0, 1, 1, 1, 1]


def test_a_flood_of_guesses_at_a_program_asks_for_a_number_by_mail(settings):
    settings.ATTEMPTS_PER_PROGRAM = 64
    program = factories.program()
    unknown = factories.card(factories.batch()).text
    # One try for each of 64 counters: two in ten seconds that meet the same one are one too many.
    answers = {
        redeem(account=factories.account(program), text=unknown, channel=Channel.WEB, now=NOON).answer
        for _ in range(66)
    }
    assert answers == {Answer.NOT_VALID, Answer.CHALLENGE}
    counted = sum(len(counter.recent) for counter in Throttle.objects.filter(scope="account"))
    assert counted == Attempt.objects.count()
    assert redeem(
        account=factories.account(program), text=unknown, channel=Channel.WEB, now=NOON + timedelta(seconds=11)
    ).answer in {Answer.NOT_VALID}


def test_previews_are_given_back_with_the_code_and_another_codes_are_not():
    card, other = factories.cards(2)
    account = factories.account(card.batch.product.program)
    for text in (card.text, other.text, card.text):
        assert preview(account=account, text=text, channel=Channel.WEB).benefit == "£30.00 credit"
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    assert len(counter(str(account.pk)).recent) == 1
