"""The one query that stands in for the ORM gives what the ORM gives."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from redemption import approvals
from redemption.digests import digester
from redemption.eligibility import AccountFacts, CodeFacts, Facts, RuleFacts, explain
from redemption.facts import read_facts
from redemption.models import (
    Account,
    ApprovalAction,
    BatchPurpose,
    BatchStatus,
    BillingProvider,
    Channel,
    Code,
    CodeStatus,
    Redemption,
    Replacement,
    Restriction,
    Throttle,
)
from redemption.models.account import Plan
from redemption.redeem import preview, redeem
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON


def through_the_orm(account, serial, *, now=NOON, apparent_country=""):
    account = Account.objects.select_related("program").get(pk=account.pk)
    program = account.program
    throttle = Throttle.objects.filter(scope="account", key=str(account.pk)).first()
    code = (
        Code.objects.select_related("batch__product")
        .filter(pk=serial, batch__product__program=program)
        .first()
    )  # fmt: skip
    return Facts(
        now=now,
        rules=RuleFacts(
            stacking_cap_months=program.stacking_cap_months,
            refuses_third_party_billing=program.refuses_third_party_billing,
            checks_location=program.checks_location,
            time_zone=program.time_zone,
            is_paused=program.is_paused,
        ),
        account=AccountFacts(
            id=account.pk,
            version=account.version,
            country=account.country.code,
            currency=account.currency,
            email_verified=account.email_verified,
            plan=account.plan,
            billing_provider=account.billing_provider,
            restriction=account.restriction,
            had_premium=account.had_premium,
            premium_until=account.premium_until,
            premium_anchor_day=account.premium_anchor_day,
            apparent_country=apparent_country or account.last_seen_country,
            blocked_until=throttle.blocked_until if throttle else None,
        ),
        code=code and code_facts(code),
    )


def code_facts(code):
    batch, product = code.batch, code.batch.product
    redemption = Redemption.objects.filter(code=code).first()
    replacement = Replacement.objects.filter(successor=code).first()
    inherits = batch.purpose == BatchPurpose.REPLACEMENTS
    return CodeFacts(
        serial=code.pk,
        status=code.status,
        activated_at=code.activated_at,
        redeemed_by=redemption.account_id if redemption else None,
        batch_id=batch.pk,
        batch_version=batch.version,
        batch_status=batch.status,
        retailer_id=batch.retailer_id,
        expires_on=replacement.expires_on if inherits else batch.expires_on,
        value=replacement.value if inherits else batch.value,
        code_currency=batch.currency,
        benefit=product.benefit,
        months=product.months,
        days=product.days,
        countries=tuple(product.countries),
        plans=tuple(product.plans),
        new_subscribers_only=product.new_subscribers_only,
    )


def assert_same(facts, expected):
    for part in ("rules", "account", "code"):
        read, meant = getattr(facts, part), getattr(expected, part)
        if meant is None:
            assert read is None
            continue
        assert read == meant
    assert explain(facts) == explain(expected)


days = st.dates(NOON.date() - timedelta(days=800), NOON.date() + timedelta(days=800))
countries = st.sampled_from(["GB", "US", "SE", "DE"])


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_facts_are_what_the_models_say(data):
    draw = data.draw
    program = factories.program(
        stacking_cap_months=draw(st.integers(1, 120)),
        refuses_third_party_billing=draw(st.booleans()),
        checks_location=draw(st.booleans()),
        time_zone=draw(st.sampled_from(["UTC", "Asia/Kolkata"])),
        is_paused=draw(st.booleans()),
    )
    product = factories.product(
        program,
        months=draw(st.integers(0, 24)),
        value=draw(st.integers(1, 10**12)),
        currency=draw(st.sampled_from(["GBP", "USD", "JPY"])),
        countries=draw(st.lists(countries, min_size=1, max_size=4, unique=True)),
        plans=draw(st.lists(st.sampled_from(Plan.values), max_size=3, unique=True)),
        new_subscribers_only=draw(st.booleans()),
    )
    batch = factories.batch(
        product,
        status=draw(st.sampled_from(BatchStatus.values)),
        expires_on=draw(st.none() | days),
        value=draw(st.integers(1, 10**12)),
        version=draw(st.integers(1, 10**12)),
    )
    card = factories.card(batch, status=draw(st.sampled_from(CodeStatus)))
    account = factories.account(
        program,
        country=draw(countries),
        currency=draw(st.sampled_from(["GBP", "USD"])),
        email_verified=draw(st.booleans()),
        plan=draw(st.sampled_from(Plan.values)),
        billing_provider=draw(st.sampled_from(BillingProvider.values)),
        restriction=draw(st.sampled_from(Restriction.values)),
        had_premium=draw(st.booleans()),
        last_seen_country=draw(st.sampled_from(["", "US"])),
        premium_until=draw(st.none() | days),
        premium_anchor_day=draw(st.none() | st.integers(1, 31)),
        version=draw(st.integers(1, 10**12)),
    )
    if draw(st.booleans()):
        Throttle.objects.create(
            scope="account", key=str(account.pk), recent=[], admitted=True, blocked_until=draw(st.just(NOON))
        )
    seen = draw(st.sampled_from(["", "DE"]))
    by_serial = read_facts(account, serial=card.serial, now=NOON, apparent_country=seen)
    by_text = read_facts(account, text=card.text, now=NOON, apparent_country=seen)
    assert by_serial == by_text
    assert_same(by_serial, through_the_orm(account, card.serial, apparent_country=seen))


def test_a_redeemed_card_says_by_whom():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON)
    other = factories.account(account.program)
    for asks in (account, other):
        facts = read_facts(asks, serial=card.serial, now=NOON)
        assert facts.code.redeemed_by == account.pk
        assert_same(facts, through_the_orm(asks, card.serial))


def test_a_successor_has_the_value_and_expiry_that_it_inherited():
    batch = factories.batch(expires_on=factories.last_day(-30))
    card = factories.card(batch)
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    asked = approvals.request(
        action=ApprovalAction.REPLACE,
        target=f"code:{card.serial}",
        payload=replace_payload(card.serial),
        reason="damaged",
        by=agent,
    )
    approval = approvals.approve(asked, by=manager)
    successor = replace_card(serial=card.serial, by=agent, approval=approval, reason="damaged")
    account = factories.account(batch.product.program)
    facts = read_facts(account, text=successor.code, now=NOON)
    assert facts == read_facts(account, serial=successor.serial, now=NOON)
    assert (facts.code.value, facts.code.expires_on) == (3000, factories.last_day(-30))
    assert_same(facts, through_the_orm(account, successor.serial))


def test_another_programs_card_is_unknown_by_text_and_by_serial():
    card = factories.card()
    account = factories.account()
    assert read_facts(account, text=card.text, now=NOON).code is None
    assert read_facts(account, serial=card.serial, now=NOON).code is None
    assert_same(read_facts(account, serial=card.serial, now=NOON), through_the_orm(account, card.serial))


def test_what_has_no_codes_shape_is_not_recognised():
    account = factories.account()
    for text in ("hello", "SPOTIFY", "1234-5678"):
        facts = read_facts(account, text=text, now=NOON)
        assert (facts.recognised, facts.code) == (False, None)


def test_previews_of_the_last_day_count_and_those_of_others_do_not():
    card, other = factories.cards(2)
    program = card.batch.product.program
    account, neighbour = factories.account(program), factories.account(program)
    for who, what, when in (
        (account, card, NOON - timedelta(hours=23)),
        (account, card, NOON - timedelta(hours=1)),
        (account, card, NOON - timedelta(hours=25)),
        (account, other, NOON),
        (neighbour, card, NOON),
    ):
        preview(account=who, text=what.text, channel=Channel.WEB, now=when)
    assert read_facts(account, text=card.text, now=NOON).previews == 2
    # For an agent's diagnosis nothing is given back, so nothing is counted.
    assert read_facts(account, serial=card.serial, now=NOON).previews == 0


def test_the_one_card_a_slip_away_is_noticed_and_of_two_neither():
    program = factories.pin_program()
    batch = factories.batch(factories.product(program))
    account = factories.account(program)
    card = factories.card(batch)
    typed = card.code[:5] + str((int(card.code[5]) + 1) % 10) + card.code[6:]
    assert read_facts(account, text=typed, now=NOON).near_serial == card.serial
    second = factories.card(batch)
    twin = typed[:7] + str((int(typed[7]) + 1) % 10) + typed[8:]
    digest = digester(program.digest_name).current(twin)
    Code.objects.create(
        serial=second.serial + 1, digest=digest, batch=batch, key_version=1, last_four=twin[-4:]
    )  # fmt: skip
    assert read_facts(account, text=typed, now=NOON).near_serial is None


def test_facts_take_one_query():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    read_facts(account, text=card.text, now=NOON)
    for more in ({"text": card.text}, {"serial": card.serial}, {"serial": card.serial + 1}):
        with CaptureQueriesContext(connection) as queries:
            facts = read_facts(account, now=NOON, **more)
        assert len(queries) == 1
    assert facts.code is None


def test_an_account_that_is_gone_is_an_error():
    account = factories.account()
    account.pk = 0
    with pytest.raises(Account.DoesNotExist):
        read_facts(account, serial=1)
    assert replace(read_facts(factories.account(), serial=1, now=NOON), code=None).code is None
