"""The checks at their edges, on plain facts; and what holds for all facts, whatever they are."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from redemption.eligibility import (
    CHECKS,
    AccountFacts,
    CodeFacts,
    Facts,
    Group,
    RuleFacts,
    Verdict,
    explain,
    first_refusal,
    stacking,
)
from redemption.models import BatchStatus, Benefit, BillingProvider, Channel, CodeStatus, Plan, Restriction
from redemption.premium_time import add_months, extend, is_within_cap
from redemption.redeem import redeem
from redemption.refusals import ABOUT_THE_ACCOUNT, REFUSALS, RefusalReason
from tests import factories

NOON = factories.NOON
RULES = RuleFacts(18, refuses_third_party_billing=True, checks_location=True, time_zone="Europe/London")
ACCOUNT = AccountFacts(
    id=1,
    version=1,
    country="GB",
    currency="GBP",
    email_verified=True,
    plan=Plan.FREE,
    billing_provider=BillingProvider.NONE,
    restriction=Restriction.NONE,
    had_premium=False,
    premium_until=None,
    premium_anchor_day=None,
    apparent_country="",
)
CODE = CodeFacts(
    serial=1_000_000_000,
    status=CodeStatus.ACTIVE,
    activated_at=NOON,
    redeemed_by=None,
    batch_id=1,
    batch_version=1,
    batch_status=BatchStatus.ACTIVE,
    retailer_id=1,
    expires_on=None,
    value=3000,
    code_currency="GBP",
    benefit=Benefit.CREDIT,
    months=0,
    days=0,
    countries=("GB",),
    plans=(),
    new_subscribers_only=False,
)
MONTH_CARD = {"benefit": Benefit.PREMIUM, "months": 1, "value": 999}


def facts(*, now=NOON, rules=None, account=None, code=None, **more):
    return Facts(
        now=now,
        rules=replace(RULES, **(rules or {})),
        account=replace(ACCOUNT, **(account or {})),
        code=replace(CODE, **(code or {})),
        **more,
    )


def test_a_card_without_fault_redeems():
    assert first_refusal(facts()) is None
    assert {finding.verdict for finding in explain(facts())} == {Verdict.PASSED}


# --- Each check alone


@pytest.mark.parametrize(
    ("given_facts", "reason"),
    [
        (facts(account={"blocked_until": NOON + timedelta(seconds=1)}), RefusalReason.ATTEMPTS_SPENT),
        (facts(account={"blocked_until": NOON}), None),
        (facts(account={"restriction": Restriction.UNUSUAL_ACTIVITY}), RefusalReason.ACCOUNT_RESTRICTED),
        (facts(account={"restriction": Restriction.PAYMENT_DISPUTE}), RefusalReason.ACCOUNT_RESTRICTED),
        (facts(account={"restriction": Restriction.POLICY_VIOLATION}), RefusalReason.ACCOUNT_RESTRICTED),
        (facts(account={"email_verified": False}), RefusalReason.EMAIL_UNVERIFIED),
        (facts(account={"apparent_country": "US"}), RefusalReason.LOCATION_DIFFERS),
        (facts(account={"apparent_country": "GB"}), None),
        (facts(account={"apparent_country": "US"}, rules={"checks_location": False}), None),
        (facts(account={"billing_provider": BillingProvider.DIRECT}), None),
        (facts(account={"billing_provider": BillingProvider.APPLE}), RefusalReason.BILLED_ELSEWHERE),
        (facts(account={"billing_provider": BillingProvider.GOOGLE}), RefusalReason.BILLED_ELSEWHERE),
        (facts(account={"billing_provider": BillingProvider.CARRIER}), RefusalReason.BILLED_ELSEWHERE),
        (facts(account={"billing_provider": BillingProvider.BUNDLE}), RefusalReason.BILLED_ELSEWHERE),
        (
            facts(account={"billing_provider": BillingProvider.APPLE}, rules={"refuses_third_party_billing": False}),
            None,
        ),
        (replace(facts(), recognised=False, code=None), RefusalReason.NOT_RECOGNISED),
        (replace(facts(), code=None), RefusalReason.UNKNOWN),
        (facts(code={"status": CodeStatus.REDEEMED, "redeemed_by": 1}), RefusalReason.REDEEMED_BY_YOU),
        (facts(code={"status": CodeStatus.REDEEMED, "redeemed_by": 2}), RefusalReason.REDEEMED_BY_ANOTHER),
        (facts(code={"status": CodeStatus.VOID}), RefusalReason.VOID),
        (facts(code={"status": CodeStatus.REPLACED}), RefusalReason.REPLACED),
        (facts(code={"batch_status": BatchStatus.DRAFT}), RefusalReason.BATCH_NOT_ISSUED),
        (facts(code={"batch_status": BatchStatus.ISSUED}), RefusalReason.BATCH_NOT_ACTIVE),
        (facts(code={"batch_status": BatchStatus.FROZEN}), RefusalReason.BATCH_FROZEN),
        (facts(code={"batch_status": BatchStatus.CLOSED}), RefusalReason.BATCH_CLOSED),
        (facts(code={"status": CodeStatus.INACTIVE, "activated_at": None}), RefusalReason.NOT_ACTIVATED),
        # Frozen before it was ever sold: both stand in the way, and the till's part is told first.
        (facts(code={"status": CodeStatus.FROZEN, "activated_at": None}), RefusalReason.NOT_ACTIVATED),
        (facts(code={"status": CodeStatus.FROZEN}), RefusalReason.FROZEN),
        (facts(code={"countries": ("US", "CA")}), RefusalReason.COUNTRY_DIFFERS),
        (facts(code={"countries": ("US", "GB")}), None),
        (facts(code={"code_currency": "USD"}), RefusalReason.CURRENCY_DIFFERS),
        # Premium time has a price in some currency, and that is nobody's concern.
        (facts(code={**MONTH_CARD, "code_currency": "USD"}), None),
        (facts(code={"plans": (Plan.INDIVIDUAL,)}, account={"plan": Plan.STUDENT}), RefusalReason.PLAN_NOT_ALLOWED),
        (facts(code={"plans": (Plan.INDIVIDUAL,)}, account={"plan": Plan.INDIVIDUAL}), None),
        (facts(code={"plans": ()}, account={"plan": Plan.FAMILY}), None),
        (
            facts(code={**MONTH_CARD, "new_subscribers_only": True}, account={"had_premium": True}),
            RefusalReason.NOT_A_NEW_SUBSCRIBER,
        ),
        (facts(code={**MONTH_CARD, "new_subscribers_only": True}), None),
        (facts(code=MONTH_CARD, account={"had_premium": True}), None),
    ],
)
def test_each_check_on_either_side_of_its_edge(given_facts, reason):
    assert first_refusal(given_facts) == reason


def test_the_checks_stand_in_the_order_that_keeps_secrets():
    """What concerns the account comes first, so that no answer tells a live code from a dead one."""
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=list(Group).index)
    everything_wrong = facts(
        account={
            "blocked_until": NOON + timedelta(hours=1),
            "restriction": Restriction.PAYMENT_DISPUTE,
            "email_verified": False,
            "apparent_country": "US",
            "billing_provider": BillingProvider.APPLE,
            "plan": Plan.STUDENT,
            "had_premium": True,
            "currency": "SEK",
            "country": "SE",
            "premium_until": NOON.date() + timedelta(days=500),
            "premium_anchor_day": 1,
        },
        code={
            "status": CodeStatus.FROZEN,
            "activated_at": None,
            "batch_status": BatchStatus.CLOSED,
            "expires_on": date(2020, 1, 1),
            "plans": (Plan.INDIVIDUAL,),
            "new_subscribers_only": True,
            **MONTH_CARD,
            "months": 12,
        },
    )
    reasons = [finding.reason for finding in explain(everything_wrong) if finding.reason]
    assert reasons == [
        RefusalReason.ATTEMPTS_SPENT,
        RefusalReason.ACCOUNT_RESTRICTED,
        RefusalReason.EMAIL_UNVERIFIED,
        RefusalReason.LOCATION_DIFFERS,
        RefusalReason.BILLED_ELSEWHERE,
        RefusalReason.BATCH_CLOSED,
        RefusalReason.NOT_ACTIVATED,
        RefusalReason.FROZEN,
        RefusalReason.EXPIRED,
        RefusalReason.COUNTRY_DIFFERS,
        RefusalReason.PLAN_NOT_ALLOWED,
        RefusalReason.NOT_A_NEW_SUBSCRIBER,
        RefusalReason.STACKING_CAP,
    ]


def test_without_a_code_nothing_is_said_of_one():
    findings = explain(replace(facts(), code=None))
    assert [finding.verdict for finding in findings[-11:]] == [Verdict.NOT_REACHED] * 11
    assert {finding.remedy for finding in findings[-11:]} == {""}


# --- Expiry: to the end of the last day, in the program's time zone


@pytest.mark.parametrize(
    ("zone", "last_day"),
    [
        ("Europe/London", date(2026, 6, 15)),
        ("America/Los_Angeles", date(2026, 6, 15)),
        ("Asia/Kolkata", date(2026, 12, 31)),
        ("Pacific/Kiritimati", date(2026, 1, 1)),
        ("UTC", date(2028, 2, 29)),
        # Days of 23 and of 25 hours.
        ("Europe/London", date(2026, 3, 29)),
        ("Europe/London", date(2026, 10, 25)),
        # Where the clocks change at midnight itself: the day ends without a 24:00, or has two.
        ("America/Santiago", date(2026, 9, 5)),
        ("America/Santiago", date(2026, 4, 4)),
        ("Africa/Cairo", date(2026, 4, 23)),
    ],
)
def test_a_card_works_to_the_last_moment_of_its_last_day(zone, last_day):
    local = ZoneInfo(zone)
    last_moment = (
        datetime.combine(
            last_day,
            time.max,
            local,
        )
        .replace(fold=1)
        .astimezone(UTC)
    )
    first_of_next = last_moment + timedelta(microseconds=1)
    assert (last_moment.astimezone(local).date(), first_of_next.astimezone(local).date()) == (
        last_day,
        last_day + timedelta(days=1),
    )
    at = {"code": {"expires_on": last_day}, "rules": {"time_zone": zone}}
    assert first_refusal(facts(now=last_moment, **at)) is None
    assert first_refusal(facts(now=first_of_next, **at)) == RefusalReason.EXPIRED


def test_the_last_second_in_london_is_not_the_last_in_los_angeles():
    last = {"expires_on": date(2026, 6, 15)}
    midnight_in_london = datetime(2026, 6, 15, 23, 0, tzinfo=UTC)
    assert first_refusal(facts(now=midnight_in_london - timedelta(seconds=1), code=last)) is None
    assert first_refusal(facts(now=midnight_in_london, code=last)) == RefusalReason.EXPIRED
    west = {"time_zone": "America/Los_Angeles"}
    assert first_refusal(facts(now=midnight_in_london, code=last, rules=west)) is None


# --- Premium time: the chain of months


def test_a_chain_from_the_last_of_january_comes_back_to_the_last_of_march():
    until, anchor = None, None
    ends = []
    for _ in range(4):
        stretch = extend(today=date(2026, 1, 31), until=until, anchor_day=anchor, months=1, days=0)
        until, anchor = stretch.end, stretch.anchor_day
        ends.append(until.isoformat())
    assert ends == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 6, 15), 18, date(2027, 12, 15)),
    ],
)
def test_months_end_on_the_same_day_or_the_last_of_a_shorter_month(day, months, end):
    assert extend(today=day, until=None, anchor_day=None, months=months, days=0).end == end


def test_days_are_counted_as_they_are_and_begin_a_new_chain():
    stretch = extend(today=date(2028, 2, 1), until=date(2028, 2, 28), anchor_day=31, months=0, days=3)
    assert (stretch.start, stretch.end, stretch.anchor_day) == (date(2028, 2, 28), date(2028, 3, 2), 2)


def test_time_that_ran_out_starts_anew_today():
    for until in (date(2026, 6, 15), date(2026, 6, 14), date(2020, 1, 31)):
        stretch = extend(today=date(2026, 6, 15), until=until, anchor_day=31, months=1, days=0)
        assert (stretch.start, stretch.end, stretch.anchor_day) == (date(2026, 6, 15), date(2026, 7, 15), 15)


# --- The cap


def capped(*, until, months=1, days=0, now=NOON, cap=18, anchor=15):
    return facts(
        now=now,
        rules={"stacking_cap_months": cap},
        account={"premium_until": until, "premium_anchor_day": until and anchor, "had_premium": True},
        code={"benefit": Benefit.PREMIUM, "months": months, "days": days, "value": 999},
    )


def works_from(given_facts):
    return next(f.works_from for f in explain(given_facts) if f.reason == RefusalReason.STACKING_CAP)


def test_eighteen_months_ahead_are_allowed_and_a_day_more_is_not():
    assert first_refusal(capped(until=date(2027, 11, 15))) is None
    over = capped(until=date(2027, 11, 16), anchor=16)
    assert first_refusal(over) == RefusalReason.STACKING_CAP
    assert works_from(over) == datetime(2026, 6, 16, tzinfo=ZoneInfo("Europe/London"))
    detail = next(f.detail for f in explain(over) if f.reason)
    assert detail.endswith("(until 16 December 2027, more than 18 months ahead)")


def test_a_card_of_the_whole_cap_fits_an_account_without_premium():
    assert first_refusal(capped(until=None, months=18)) is None
    assert first_refusal(capped(until=None, months=19)) == RefusalReason.STACKING_CAP


def test_a_card_that_is_longer_than_the_cap_never_works():
    assert works_from(capped(until=None, months=19)) is None
    assert works_from(capped(until=date(2026, 7, 1), months=24, anchor=1)) is None


def test_the_cap_is_counted_from_today_in_the_programs_time_zone():
    until = date(2027, 11, 16)
    just_before = datetime(2026, 6, 15, 22, 59, 59, tzinfo=UTC)  # 23:59:59 in London
    over = capped(until=until, anchor=16, now=just_before)
    assert first_refusal(over) == RefusalReason.STACKING_CAP
    assert first_refusal(replace(over, now=just_before + timedelta(seconds=1))) is None


def test_waiting_helps_at_the_end_of_february():
    """The limit is counted from a day that shorter months move: 30 August less 18 months is 28 February."""
    over = capped(until=date(2027, 7, 31), anchor=31, now=datetime(2026, 1, 31, 12, tzinfo=UTC))
    day = works_from(over)
    assert day.date() == date(2026, 3, 1)
    assert first_refusal(replace(over, now=day)) is None


# --- For all facts

days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
countries = st.sampled_from(["GB", "US", "DE"])
benefits = st.one_of(
    st.just({"benefit": Benefit.CREDIT, "months": 0, "days": 0}),
    st.integers(1, 24).map(lambda months: {"benefit": Benefit.PREMIUM, "months": months, "days": 0}),
    st.integers(1, 730).map(lambda days: {"benefit": Benefit.PREMIUM, "months": 0, "days": days}),
)
grants = st.one_of(
    st.just({"premium_until": None, "premium_anchor_day": None}),
    st.builds(lambda until, anchor: {"premium_until": until, "premium_anchor_day": anchor}, days, st.integers(1, 31)),
)
rule_facts = st.builds(
    RuleFacts,
    st.sampled_from([1, 3, 18, 36]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["UTC", "Europe/London", "America/Los_Angeles", "Pacific/Kiritimati"]),
)
account_facts = st.builds(
    lambda grant, **more: replace(ACCOUNT, **grant, **more),
    grants,
    country=countries,
    currency=st.sampled_from(["GBP", "USD"]),
    email_verified=st.booleans(),
    plan=st.sampled_from(Plan),
    billing_provider=st.sampled_from(BillingProvider),
    restriction=st.sampled_from(Restriction),
    had_premium=st.booleans(),
    apparent_country=st.one_of(st.just(""), countries),
    blocked_until=st.none() | moments,
)
code_facts = st.builds(
    lambda benefit, **more: replace(CODE, **benefit, **more),
    benefits,
    status=st.sampled_from(CodeStatus),
    activated_at=st.none() | moments,
    redeemed_by=st.sampled_from([None, 1, 2]),
    batch_status=st.sampled_from(BatchStatus),
    expires_on=st.none() | days,
    code_currency=st.sampled_from(["GBP", "USD"]),
    countries=st.lists(countries, min_size=1, unique=True).map(tuple),
    plans=st.lists(st.sampled_from(Plan), unique=True, max_size=3).map(tuple),
    new_subscribers_only=st.booleans(),
)
any_facts = st.builds(Facts, moments, rule_facts, account_facts, st.none() | code_facts, recognised=st.booleans())


@given(any_facts)
def test_what_redeem_stops_at_is_the_first_thing_that_an_agent_reads(given_facts):
    findings = explain(given_facts)
    failed = [finding for finding in findings if finding.verdict is Verdict.FAILED]
    assert first_refusal(given_facts) == (failed[0].reason if failed else None)
    assert [finding.check for finding in findings] == list(CHECKS)
    for finding in failed:
        assert finding.detail.startswith(REFUSALS[finding.reason].agent)
        assert finding.remedy
        assert finding.fixer


@given(any_facts, st.none() | code_facts, st.booleans())
def test_what_concerns_the_account_is_told_whatever_the_code(given_facts, other_code, recognised):
    reason = first_refusal(given_facts)
    assume(reason in ABOUT_THE_ACCOUNT)
    assert first_refusal(replace(given_facts, code=other_code, recognised=recognised)) == reason


@given(any_facts)
def test_part_of_the_checks_say_what_they_say_in_the_whole(given_facts):
    for group in Group:
        part = explain(given_facts, groups=frozenset({group}))
        assert part == [finding for finding in explain(given_facts) if finding.check.group == group]


@given(rule_facts, st.builds(lambda grant: replace(ACCOUNT, **grant), grants), benefits, moments)
@example(
    replace(RULES, stacking_cap_months=1),
    replace(ACCOUNT, premium_until=date(2026, 2, 28), premium_anchor_day=31),
    {"benefit": Benefit.PREMIUM, "months": 1, "days": 0},
    datetime(2026, 2, 1, tzinfo=UTC),
)
@example(RULES, ACCOUNT, {"benefit": Benefit.PREMIUM, "months": 0, "days": 548}, datetime(2026, 8, 1, tzinfo=UTC))
@example(RULES, ACCOUNT, {"benefit": Benefit.PREMIUM, "months": 0, "days": 730}, NOON)
@settings(deadline=None)
def test_works_from_is_the_first_day_on_which_it_works(rules, account, benefit, now):
    given_facts = Facts(now=now, rules=rules, account=account, code=replace(CODE, **benefit))
    finding = explain(given_facts)[-1]
    if finding.verdict is Verdict.PASSED:
        assert finding.works_from is None
        return
    first = finding.works_from
    if first is None:
        for wait in range(0, 4 * 366, 7):
            assert stacking(replace(given_facts, now=now + timedelta(days=wait)))
        return
    assert first > now
    assert stacking(replace(given_facts, now=first)) is None
    # Not on any day before.
    moment = first - timedelta(seconds=1)
    while moment > now:
        assert stacking(replace(given_facts, now=moment))
        moment -= timedelta(days=1)


@given(any_facts, st.timedeltas(timedelta(microseconds=1), timedelta(days=1)))
def test_a_block_of_attempts_ends_when_it_says(given_facts, wait):
    blocked = replace(given_facts.account, blocked_until=given_facts.now + wait)
    given_facts = replace(given_facts, account=blocked)
    finding = explain(given_facts)[0]
    assert explain(replace(given_facts, now=finding.works_from))[0].verdict is Verdict.PASSED
    just_before = finding.works_from - timedelta(microseconds=1)
    assert explain(replace(given_facts, now=just_before))[0].verdict is Verdict.FAILED


@given(days, st.integers(1, 36), st.integers(1, 36))
def test_time_never_shrinks_and_the_cap_is_kept_by_exactly_the_cap(day, months, cap):
    stretch = extend(today=day, until=None, anchor_day=None, months=months, days=0)
    assert stretch.start < stretch.end
    assert is_within_cap(stretch.end, day, cap) == (months <= cap)
    assert add_months(day, months, day.day) == stretch.end


@given(days, st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_a_chain_of_months_ends_where_one_card_of_them_all_would(day, months):
    until = anchor = None
    for number in months:
        stretch = extend(today=day, until=until, anchor_day=anchor, months=number, days=0)
        until, anchor = stretch.end, stretch.anchor_day
    assert until == extend(today=day, until=None, anchor_day=None, months=sum(months), days=0).end


# --- redeem() and the agent's diagnosis


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_redeem_refuses_for_the_reason_that_a_diagnosis_gives_first(data):
    from redemption.facts import read_facts
    from redemption.models import Throttle

    Throttle.objects.all().delete()
    program = factories.program(time_zone="Europe/London")
    product = factories.product(
        program,
        countries=data.draw(st.sampled_from([["GB"], ["GB", "US"], ["US"]])),
        months=data.draw(st.sampled_from([0, 1, 24])),
        currency=data.draw(st.sampled_from(["GBP", "USD"])),
        new_subscribers_only=data.draw(st.booleans()),
        plans=data.draw(st.sampled_from([[], [Plan.INDIVIDUAL]])),
    )
    batch = factories.batch(
        product,
        status=data.draw(st.sampled_from([BatchStatus.ACTIVE, BatchStatus.ACTIVE, BatchStatus.FROZEN])),
        expires_on=data.draw(st.sampled_from([None, NOON.date(), NOON.date() - timedelta(days=1)])),
    )
    card = factories.card(
        batch,
        status=data.draw(
            st.sampled_from([CodeStatus.ACTIVE, CodeStatus.ACTIVE, CodeStatus.INACTIVE, CodeStatus.FROZEN])
        ),
    )
    account = factories.account(
        program,
        plan=data.draw(st.sampled_from([Plan.FREE, Plan.INDIVIDUAL])),
        had_premium=data.draw(st.booleans()),
        email_verified=data.draw(st.sampled_from([True, True, False])),
        billing_provider=data.draw(st.sampled_from([BillingProvider.NONE, BillingProvider.APPLE])),
        last_seen_country=data.draw(st.sampled_from(["", "GB", "US"])),
    )
    failed = [f.reason for f in explain(read_facts(account, serial=card.serial, now=NOON)) if f.reason]
    result = redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON)
    assert result.reason == (failed[0] if failed else None)
    assert result.is_redeemed == (not failed)
