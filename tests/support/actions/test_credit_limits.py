"""The limits of credits, each by itself, to the last penny and the last second; and what counts against them."""

from datetime import timedelta

import pytest

from redemption.roles import Role
from support import policy
from support.actions import credits, decisions
from support.actions.credits import CreditError, NeedsSecondPersonError, grant, request
from support.models import DAYS, CreditLimit, CreditPolicy, ManualCredit
from support.policy import Hit
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON
SECOND = timedelta(seconds=1)
WINDOWS = [("day", timedelta(days=1)), ("week", timedelta(days=7)), ("month", timedelta(days=30))]


def refusal(wanted, *, by, now=NOON):
    """By which limits it needs a second person; none: it is granted."""
    try:
        grant(wanted, by=by, now=now)
    except NeedsSecondPersonError as needs:
        return needs.hits
    return []


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


# --- Each limit by itself


def test_one_credit_may_be_as_large_as_the_single_limit(agent):
    factories.credit_policy(single=500)
    assert refusal(factories.wanted(amount=501), by=agent) == [Hit.SINGLE]
    assert refusal(factories.wanted(amount=500), by=agent) == []
    assert refusal(factories.wanted(amount=500), by=agent) == []


@pytest.mark.parametrize(("window", "length"), WINDOWS)
def test_ones_own_sum_of_a_window_is_passed_by_the_last_penny_and_not_before(window, length, agent):
    wider = {"day": [], "week": ["day"], "month": ["day", "week"]}[window]
    factories.credit_policy(single=1000, **{f"{name}_sum": 1000 for name in [window, *wider]})
    only = {Hit(f"{name}_sum") for name in [window, *wider]}
    assert refusal(factories.wanted(amount=400), by=agent, now=NOON) == []
    assert refusal(factories.wanted(amount=600), by=agent, now=NOON + SECOND) == []
    assert set(refusal(factories.wanted(amount=1), by=agent, now=NOON + 2 * SECOND)) == only
    # The edge: what was granted exactly a window ago is out of it, a second less is in it.
    hit = Hit(f"{window}_sum")
    assert hit in refusal(factories.wanted(amount=400), by=agent, now=NOON + length - SECOND)
    assert refusal(factories.wanted(amount=401), by=agent, now=NOON + length) == [hit]
    assert refusal(factories.wanted(amount=400), by=agent, now=NOON + length) == []
    assert hit in refusal(factories.wanted(amount=601), by=agent, now=NOON + length + SECOND)
    assert refusal(factories.wanted(amount=600), by=agent, now=NOON + length + SECOND) == []


@pytest.mark.parametrize(("window", "length"), WINDOWS)
def test_ones_own_count_of_a_window_is_passed_by_one_more_and_not_before(window, length, agent):
    wider = {"day": [], "week": ["day"], "month": ["day", "week"]}[window]
    factories.credit_policy(**{f"{name}_count": 2 for name in [window, *wider]})
    hit = Hit(f"{window}_count")
    for number in range(2):
        assert refusal(factories.wanted(), by=agent, now=NOON + number * SECOND) == []
    assert hit in refusal(factories.wanted(amount=1), by=agent, now=NOON + 2 * SECOND)
    assert hit in refusal(factories.wanted(amount=1), by=agent, now=NOON + length - SECOND)
    assert refusal(factories.wanted(), by=agent, now=NOON + length) == []
    assert hit in refusal(factories.wanted(), by=agent, now=NOON + length)
    assert refusal(factories.wanted(), by=agent, now=NOON + length + SECOND) == []


def test_an_account_gets_no_more_than_its_sum_from_all_agents_together():
    factories.credit_policy(account_sum=1000)
    to = factories.account()
    one, two, three = (factories.user(Role.AGENT) for _ in range(3))
    assert refusal(factories.wanted(to, amount=400), by=one) == []
    assert refusal(factories.wanted(to, amount=400), by=two, now=NOON + SECOND) == []
    assert refusal(factories.wanted(to, amount=201), by=three, now=NOON + SECOND) == [Hit.ACCOUNT_SUM]
    assert refusal(factories.wanted(to, amount=200), by=three, now=NOON + SECOND) == []
    # Another account is another sum, and the first one's goes on with the days.
    assert refusal(factories.wanted(amount=1000), by=three, now=NOON + SECOND) == []
    month = timedelta(days=30)
    assert refusal(factories.wanted(to, amount=400), by=three, now=NOON + month - SECOND) == [Hit.ACCOUNT_SUM]
    assert refusal(factories.wanted(to, amount=400), by=three, now=NOON + month) == []


def test_an_account_gets_no_more_credits_than_its_count_from_all_agents_together():
    factories.credit_policy(account_count=2)
    to = factories.account()
    for _ in range(2):
        assert refusal(factories.wanted(to), by=factories.user(Role.AGENT)) == []
    last = factories.user(Role.AGENT)
    assert refusal(factories.wanted(to, amount=1), by=last) == [Hit.ACCOUNT_COUNT]
    assert refusal(factories.wanted(to, amount=1), by=last, now=NOON + timedelta(days=30)) == []


def test_a_reason_may_always_need_a_second_person(agent):
    factories.credit_policy()
    reason = factories.credit_reason("correction", needs_approval=True)
    assert refusal(factories.wanted(amount=1, reason=reason), by=agent) == [Hit.REASON]


def test_every_limit_that_is_passed_is_named_in_a_sentence(agent):
    names = ("single", "day_sum", "week_sum", "month_sum", "account_sum")
    counts = ("day_count", "week_count", "month_count", "account_count")
    factories.credit_policy(**dict.fromkeys(names, 100), **dict.fromkeys(counts, 0))
    reason = factories.credit_reason("correction", needs_approval=True)
    with pytest.raises(NeedsSecondPersonError) as needs:
        grant(factories.wanted(amount=101, reason=reason), by=agent)
    assert needs.value.hits == list(Hit)
    assert needs.value.sentences == [
        "This reason always needs a second person.",
        "It is more than £1.00, your limit for one credit.",
        "Your credits of 24 hours would pass £1.00.",
        "You would have granted more than 0 credits in 24 hours.",
        "Your credits of 7 days would pass £1.00.",
        "You would have granted more than 0 credits in 7 days.",
        "Your credits of 30 days would pass £1.00.",
        "You would have granted more than 0 credits in 30 days.",
        "This account’s credits of 30 days, all agents’ together, would pass £1.00.",
        "This account would have got more than 0 credits in 30 days, all agents’ together.",
    ]
    assert not ManualCredit.objects.exists()


# --- What counts, and what does not


def test_splitting_a_credit_passes_the_sum_as_one_would(agent):
    factories.credit_policy(single=500, day_sum=500)
    granted = [refusal(factories.wanted(amount=100), by=agent) for _ in range(7)]
    assert granted == [[]] * 5 + [[Hit.DAY_SUM]] * 2


def test_each_unit_has_limits_of_its_own(agent):
    made = factories.credit_policy(day_sum=500, single=500, account_count=1)
    limit = CreditLimit.objects.get(policy=made)
    limit.pk, limit.unit = None, DAYS
    limit.save()
    to = factories.account()
    assert refusal(factories.wanted(to, amount=500), by=agent) == []
    assert refusal(factories.wanted(to, amount=30, unit=DAYS), by=agent) == []
    assert refusal(factories.wanted(to, amount=1, unit=DAYS), by=agent) == [Hit.ACCOUNT_COUNT]
    assert refusal(factories.wanted(to, amount=1), by=agent) == [Hit.DAY_SUM, Hit.ACCOUNT_COUNT]


def test_a_colleagues_credits_are_his_own(agent):
    factories.credit_policy(day_sum=500, single=500, day_count=1)
    assert refusal(factories.wanted(amount=500), by=factories.user(Role.AGENT)) == []
    assert refusal(factories.wanted(amount=500), by=agent) == []


def approved(wanted, *, by, manager, now=NOON):
    asked = request(wanted, why="He lost an evening.", by=by, now=now)
    decisions.approve(asked, by=manager, now=now)
    return ManualCredit.objects.get(key=wanted.key)


def test_what_somebody_approved_is_not_the_askers_own_and_is_the_accounts(agent):
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=500, day_sum=500, account_sum=1500, approves=1000)
    to = factories.account()
    approved(factories.wanted(to, amount=1000), by=agent, manager=factories.user(Role.MANAGER))
    assert refusal(factories.wanted(to, amount=500), by=agent) == []
    assert refusal(factories.wanted(to, amount=1), by=factories.user(Role.AGENT)) == [Hit.ACCOUNT_SUM]


def test_approving_for_others_lifts_nobodys_own_limits():
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=500, approves=10**6)
    manager = factories.user(Role.MANAGER)
    assert refusal(factories.wanted(amount=501), by=manager) == [Hit.SINGLE]
    asked = request(factories.wanted(amount=501), why="He lost an evening.", by=manager)
    with pytest.raises(decisions.approvals.ApprovalError, match="Another person must decide"):
        decisions.approve(asked, by=manager)
    # What he approves for others does not count as his either.
    approved(factories.wanted(amount=10_000), by=factories.user(Role.AGENT), manager=manager)
    assert refusal(factories.wanted(amount=500), by=manager) == []


def test_what_was_taken_back_still_counts(agent):
    factories.credit_policy(Role.AGENT, Role.MANAGER, day_sum=500, single=500, account_count=1, approves=1)
    to = factories.account()
    credit = grant(factories.wanted(to, amount=500), by=agent, now=NOON)
    from support.actions.reversals import request_reversal

    asked = request_reversal(credit, why="mistake", by=agent, now=NOON)
    decisions.approve(asked, by=factories.user(Role.MANAGER), now=NOON)
    assert refusal(factories.wanted(to, amount=1), by=agent) == [Hit.DAY_SUM, Hit.ACCOUNT_COUNT]


def test_a_role_without_a_limit_grants_nothing_alone(agent):
    factories.credit_policy(Role.MANAGER)
    hits = refusal(factories.wanted(amount=1), by=agent)
    assert hits == [hit for hit in Hit if hit != Hit.REASON]


def test_the_newest_policy_is_in_force_and_older_ones_stay(agent):
    old = factories.credit_policy(single=500)
    factories.credit_policy(single=100)
    assert refusal(factories.wanted(amount=101), by=agent) == [Hit.SINGLE]
    assert refusal(factories.wanted(amount=100), by=agent) == []
    assert ManualCredit.objects.get().policy == policy.current_policy() != old
    assert CreditLimit.objects.get(policy=old).single == 500


def test_the_limits_that_the_product_comes_with_are_narrow(agent):
    limits = CreditLimit.objects.filter(policy=CreditPolicy.objects.order_by("pk")[:1])
    assert limits.get(role=Role.AGENT, unit="GBP").single == 3000
    assert limits.get(role=Role.AGENT, unit="JPY").single == 4500
    assert limits.get(role=Role.AGENT, unit=DAYS).single == 30
    assert not limits.filter(role=Role.AGENT, approves__gt=0).exists()
    assert not limits.filter(role=Role.ADMINISTRATOR, single__gt=0).exists()
    assert refusal(factories.wanted(amount=3001), by=agent) == [Hit.SINGLE]
    assert refusal(factories.wanted(amount=3000), by=agent) == []


# --- Asking


def test_what_one_may_grant_is_not_asked_for(agent):
    factories.credit_policy(single=500)
    with pytest.raises(CreditError, match="You may grant this yourself"):
        request(factories.wanted(amount=500), why="He lost an evening.", by=agent)


def test_a_request_keeps_what_was_asked_and_which_limits_were_passed(agent):
    made = factories.credit_policy(single=499, day_count=0)
    wanted = factories.wanted(amount=500, note="by phone")
    asked = credits.request(wanted, why="He lost an evening.", by=agent, now=NOON)
    assert asked.payload == {
        "account": wanted.account.pk,
        "unit": "GBP",
        "amount": 500,
        "reason": "technical_failure",
        "ticket": wanted.ticket.pk,
        "code": None,
        "receipt": None,
        "note": "by phone",
        "key": str(wanted.key),
        "hits": ["single", "day_count"],
        "limits": [
            "It is more than £4.99, your limit for one credit.",
            "You would have granted more than 0 credits in 24 hours.",
        ],
        "policy": made.pk,
        "role": "agent",
    }
    assert (asked.target, asked.reason) == (f"account:{wanted.account.pk}", "He lost an evening.")
    assert not ManualCredit.objects.exists()
