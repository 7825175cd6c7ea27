"""A preview that took the last try: its own code may still be redeemed, once, and no other code profits."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redemption.models import Attempt, AttemptOutcome, Channel, Restriction, Throttle
from redemption.redeem import preview, redeem
from redemption.references import Untried
from redemption.refusals import RefusalReason
from tests import factories

NOON = factories.NOON
MINUTE = timedelta(minutes=1)


class Customer:
    """An account, and its clock: every try is a minute after the one before."""

    def __init__(self, program):
        self.account = factories.account(program)
        self.now = NOON

    def _try(self, run, card, **more):
        self.now += MINUTE
        return run(account=self.account, text=card.text, channel=Channel.WEB, now=self.now, **more)

    def looks_at(self, card):
        return self._try(preview, card)

    def redeems(self, card, **more):
        return self._try(redeem, card, **more)

    def used(self):
        """(tries that count, whether the account is blocked)."""
        counter = Throttle.objects.get(scope="account", key=str(self.account.pk))
        return len(counter.recent), bool(counter.blocked_until and counter.blocked_until > self.now)


@pytest.fixture
def cards():
    return factories.cards(3)


@pytest.fixture
def wrong():
    return factories.cards(4)


@pytest.fixture
def customer(cards):
    return Customer(cards[0].batch.product.program)


@pytest.fixture
def at_the_limit(customer, cards, wrong):
    """Three wrong codes, and a look at a good one."""
    for card in wrong[:3]:
        assert customer.redeems(card).reason == RefusalReason.UNKNOWN
    assert customer.looks_at(cards[0]).outcome == AttemptOutcome.PREVIEWED
    assert customer.used() == (4, True)
    return customer


@pytest.mark.django_db
def test_the_code_that_was_looked_at_last_is_redeemed_and_the_wrong_ones_go_on_counting(at_the_limit, cards):
    assert at_the_limit.redeems(cards[0]).is_redeemed
    assert at_the_limit.used() == (3, False)


@pytest.mark.django_db
def test_it_does_not_matter_when_it_was_looked_at(customer, cards, wrong):
    customer.looks_at(cards[0])
    for card in wrong[:3]:
        customer.redeems(card)
    assert customer.used() == (4, True)
    assert customer.redeems(cards[0]).is_redeemed
    assert customer.used() == (3, False)


@pytest.mark.django_db
def test_no_other_code_profits(at_the_limit, cards, wrong):
    for other in (cards[1], wrong[3], wrong[0]):
        assert at_the_limit.redeems(other).untried == Untried.THROTTLED
    assert at_the_limit.looks_at(cards[0]).untried == Untried.THROTTLED
    assert at_the_limit.used() == (4, True)
    assert Attempt.objects.count() == 4
    # Nor does another account.
    stranger = Customer(cards[0].batch.product.program)
    stranger.looks_at(cards[1])
    for card in wrong[:3]:
        stranger.redeems(card)
    assert stranger.redeems(cards[0]).untried == Untried.THROTTLED
    assert at_the_limit.redeems(cards[0]).is_redeemed


@pytest.mark.django_db
def test_a_place_is_lent_once(at_the_limit, cards):
    cards[0].batch.product.plans = ["family"]
    cards[0].batch.product.save()
    assert at_the_limit.redeems(cards[0]).reason == RefusalReason.PLAN_NOT_ALLOWED
    assert at_the_limit.used() == (4, True)
    assert at_the_limit.redeems(cards[0]).untried == Untried.THROTTLED


@pytest.mark.django_db
def test_what_the_account_itself_stops_may_be_put_right_and_tried_again(at_the_limit, cards):
    account = at_the_limit.account
    before = Throttle.objects.get(scope="account").recent
    for _ in range(3):
        assert at_the_limit.redeems(cards[0], apparent_country="US").reason == RefusalReason.LOCATION_DIFFERS
        assert at_the_limit.used() == (4, True)
        assert Throttle.objects.get(scope="account").recent == before
    account.restriction = Restriction.UNUSUAL_ACTIVITY
    account.save()
    assert at_the_limit.redeems(cards[0]).reason == RefusalReason.ACCOUNT_RESTRICTED
    account.restriction = Restriction.NONE
    account.save()
    assert at_the_limit.redeems(cards[0]).is_redeemed
    assert at_the_limit.used() == (3, False)


@pytest.mark.django_db
def test_an_outage_gives_the_place_back(at_the_limit, cards):
    program = at_the_limit.account.program
    before = Throttle.objects.get(scope="account").recent
    program.is_paused = True
    program.save()
    assert at_the_limit.redeems(cards[0]).untried == Untried.UNAVAILABLE
    assert Throttle.objects.get(scope="account").recent == before
    program.is_paused = False
    program.save()
    assert at_the_limit.redeems(cards[0]).is_redeemed


@pytest.mark.django_db
def test_an_address_that_is_blocked_stays_so(at_the_limit, cards, wrong, settings):
    settings.ATTEMPTS_PER_ADDRESS = 1
    other = Customer(at_the_limit.account.program)
    other.redeems(wrong[3], address="192.0.2.9")
    before = Throttle.objects.get(scope="account", key=str(at_the_limit.account.pk)).recent
    assert at_the_limit.redeems(cards[0], address="192.0.2.9").untried == Untried.THROTTLED
    assert Throttle.objects.get(scope="account", key=str(at_the_limit.account.pk)).recent == before


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(["look", "redeem"]), st.integers(0, 5)), max_size=14))
@pytest.mark.django_db
def test_never_more_than_four_codes_are_verified_but_for_those_that_are_redeemed(cards, wrong, steps):
    """Against the rule written out: cards 0 to 2 are good, 3 to 5 unknown."""
    batch = factories.batch(factories.product(cards[0].batch.product.program))
    good, customer = factories.cards(3, batch), Customer(batch.product.program)
    counted, looked, spent = [], set(), set()
    for verb, which in steps:
        card = (good + wrong)[which]
        result = customer.looks_at(card) if verb == "look" else customer.redeems(card)
        blocked = len(counted) >= 4
        lends = verb == "redeem" and ("look", which) in counted
        if blocked and not lends:
            assert result.untried == Untried.THROTTLED
        elif which > 2 or which in spent:
            assert result.outcome == AttemptOutcome.REFUSED
            if not blocked:
                counted.append((verb, which))
            else:
                counted.remove(("look", which))
                counted.append((verb, which))
        elif verb == "look":
            assert result.outcome == AttemptOutcome.PREVIEWED
            counted.append(("look", which))
            looked.add(which)
        else:
            assert result.is_redeemed
            counted = [one for one in counted if one != ("look", which)]
            spent.add(which)
        assert customer.used()[0] == len(counted)
        wrongs = [one for one in counted if one[0] == "redeem" or one[1] > 2]
        assert len(wrongs) <= 4
