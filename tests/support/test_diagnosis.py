"""The verdict and the explained checks: the same as redeem's, and in one sentence."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from redemption import approvals, batches, cards, replacing
from redemption.eligibility import CHECKS, Verdict
from redemption.facts import read_facts
from redemption.models import (
    ApprovalAction,
    Attempt,
    Batch,
    BatchStatus,
    BillingProvider,
    Channel,
    Code,
    CodeStatus,
    Plan,
    Restriction,
)
from redemption.redeem import redeem
from redemption.refusals import Answer, RefusalReason
from redemption.roles import Role
from support.diagnosis import Hypothetical, State, diagnose, facts_of, state_of, verdict, with_state
from support.timeline import timeline
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return factories.user(Role.AGENT, name="Ada")


def loaded(serial):
    return with_state(Code.objects.filter(pk=serial)).get()


def read(serial, *, shows_people=True):
    code = loaded(serial)
    return verdict(code, timeline(code).events, shows_people=shows_people, now=timezone.now())


def approved(action, target, payload):
    asked = approvals.request(
        action=action, target=target, payload=payload, reason="Refunded", by=factories.user(Role.AGENT)
    )
    return approvals.approve(asked, by=factories.user(Role.SENIOR_AGENT))


def test_every_state_has_a_word_an_icon_and_no_other_s():
    assert len({state.word for state in State}) == len({state.icon for state in State}) == len(State)


def test_a_card_that_works():
    tomorrow = timezone.now().date() + timedelta(days=1)
    card = factories.card(factories.batch(factories.product(countries=["GB", "IE"]), expires_on=tomorrow))
    found = read(card.serial)
    assert found.state is State.WORKS
    assert found.sentence == f"It works: £30.00 credit in GB or IE, until {tomorrow:%-d %B %Y}."


def test_a_redeemed_card_names_its_redeemer_to_those_who_may_see_him():
    card = factories.card()
    account = factories.account(card.batch.product.program, email="mary@example.com")
    redeem(account=account, text=card.text, channel=Channel.WEB)
    at = loaded(card.serial).redemption.at.astimezone(card.batch.product.program.zone)
    assert read(card.serial).sentence == f"It was redeemed on {at:%-d %B %Y, %H:%M %Z} by mary@example.com."
    hidden = read(card.serial, shows_people=False)
    assert (hidden.state, hidden.sentence) == (State.REDEEMED, f"It was redeemed on {at:%-d %B %Y, %H:%M %Z}.")


def test_a_frozen_card_says_since_when_by_whom_and_why(agent):
    card = factories.card()
    now = timezone.now()
    cards.freeze_cards(first=card.serial, by=agent, reason="Reported stolen", now=now)
    at = now.astimezone(card.batch.product.program.zone)
    found = read(card.serial)
    assert found.state is State.FROZEN
    assert found.sentence == f"It is frozen since {at:%-d %B %Y, %H:%M %Z} by Ada, because: Reported stolen."


def test_a_card_of_a_frozen_batch_says_that_it_is_the_batch(agent):
    card = factories.card()
    batches.freeze_batch(Batch.objects.get(pk=card.batch.pk), by=agent, reason="Print run leaked")
    found = read(card.serial)
    assert found.state is State.FROZEN
    assert found.sentence.startswith("Its whole batch is frozen since ")
    assert found.sentence.endswith(" by Ada, because: Print run leaked.")


def test_an_expired_card_names_its_last_day():
    card = factories.card(factories.batch(expires_on=factories.last_day(2)))
    found = read(card.serial)
    assert found.state is State.EXPIRED
    assert found.sentence == f"It has expired: its last day was {factories.last_day(2):%-d %B %Y}."


def test_cards_that_do_not_work_yet():
    unsold = factories.card(status=CodeStatus.INACTIVE)
    early = factories.card(factories.batch(status=BatchStatus.ISSUED), status=CodeStatus.INACTIVE)
    assert [read(card.serial).state for card in (unsold, early)] == [State.NOT_ACTIVATED] * 2
    assert read(unsold.serial).sentence == "It is not activated: no till has told us that it was sold."
    assert read(early.serial).sentence == "It does not work yet: its batch has not been activated."


def test_a_void_card_and_a_closed_batch(agent):
    card = factories.card()
    approval = approved(ApprovalAction.VOID, f"code:{card.serial}", cards.void_payload(card.serial))
    cards.void_cards(first=card.serial, by=agent, approval=approval, reason="Refunded")
    found = read(card.serial)
    assert found.state is State.VOID
    assert found.sentence.endswith(" by Ada, because: Refunded. It never works again.")
    closed = factories.card(factories.batch(status=BatchStatus.CLOSED))
    assert read(closed.serial).state is State.CLOSED


def test_a_replaced_card_leads_to_its_successor_which_has_its_value_and_expiry(agent):
    next_year = timezone.now().date() + timedelta(days=365)
    card = factories.card(factories.batch(expires_on=next_year))
    approval = approved(ApprovalAction.REPLACE, f"code:{card.serial}", replacing.replace_payload(card.serial))
    new = replacing.replace_card(serial=card.serial, by=agent, approval=approval, reason="Damaged")
    found = read(card.serial)
    assert (found.state, found.successor) == (State.REPLACED, new.serial)
    assert found.sentence.endswith(f"Its value is on card {new.serial}.")
    assert read(new.serial).sentence == f"It works: £30.00 credit in GB, until {next_year:%-d %B %Y}."


# --- For an account


def test_the_hypothetical_facts_are_those_of_a_real_account():
    card = factories.card(
        factories.batch(factories.product(months=3, countries=["GB", "IE"], plans=[Plan.FREE, Plan.INDIVIDUAL]))
    )
    now = timezone.now()
    real = factories.account(card.batch.product.program, plan=Plan.FREE, billing_provider=BillingProvider.DIRECT)
    expected = read_facts(real, serial=card.serial, now=now)
    ours = facts_of(loaded(card.serial), Hypothetical(country="GB"), now)
    assert expected.code
    assert ours.code == replace(
        expected.code, countries=tuple(expected.code.countries), plans=tuple(expected.code.plans)
    )
    assert ours.rules == expected.rules
    assert ours.account.country == expected.account.country


def test_every_check_stands_in_order_and_the_first_refusal_is_what_redeem_says():
    card = factories.card()
    program = card.batch.product.program
    account = factories.account(
        program, country="DE", currency="EUR", restriction=Restriction.PAYMENT_DISPUTE, email_verified=False
    )
    diagnosis = diagnose(loaded(card.serial), account, now=timezone.now())
    assert [finding.check for finding in diagnosis.findings] == list(CHECKS)
    failed = [finding.reason for finding in diagnosis.findings if finding.verdict is Verdict.FAILED]
    assert failed == [
        RefusalReason.ACCOUNT_RESTRICTED,
        RefusalReason.EMAIL_UNVERIFIED,
        RefusalReason.COUNTRY_DIFFERS,
        RefusalReason.CURRENCY_DIFFERS,
    ]
    assert diagnosis.first.reason is RefusalReason.ACCOUNT_RESTRICTED
    assert redeem(account=account, text=card.text, channel=Channel.WEB).reason is diagnosis.first.reason
    assert all(finding.remedy and finding.fixer for finding in diagnosis.findings if finding.reason)


def test_the_customer_s_text_is_the_program_s_own():
    program = factories.program(wording={Answer.NOT_VALID.value: "Hmm, that did not work."})
    card = factories.card(factories.batch(factories.product(program)))
    diagnosis = diagnose(loaded(card.serial), Hypothetical(country="DE"), now=timezone.now())
    assert (diagnosis.first.reason, diagnosis.answer) == (RefusalReason.COUNTRY_DIFFERS, "Hmm, that did not work.")


def test_it_says_from_when_waiting_is_enough_and_only_then():
    card = factories.card(factories.batch(factories.product(months=12)))
    now = timezone.now()
    ahead = now.date() + timedelta(days=300)
    account = factories.account(card.batch.product.program)
    type(account).objects.filter(pk=account.pk).update(premium_until=ahead, premium_anchor_day=ahead.day)
    diagnosis = diagnose(loaded(card.serial), account, now=now)
    assert diagnosis.first.reason is RefusalReason.STACKING_CAP
    assert diagnosis.works_from > now
    assert diagnose(loaded(card.serial), account, now=diagnosis.works_from).first is None
    type(account).objects.filter(pk=account.pk).update(email_verified=False)
    assert diagnose(loaded(card.serial), account, now=now).works_from is None


def test_a_hypothetical_plan_billing_and_history():
    product = factories.product(days=30, value=0, plans=[Plan.FREE], new_subscribers_only=True)
    code = loaded(factories.card(factories.batch(product)).serial)

    def reason(**different):
        first = diagnose(code, Hypothetical(country="GB", **different), now=timezone.now()).first
        return first.reason if first else None

    assert reason() is None
    assert reason(plan=Plan.FAMILY) is RefusalReason.PLAN_NOT_ALLOWED
    assert reason(billing_provider=BillingProvider.APPLE) is RefusalReason.BILLED_ELSEWHERE
    assert reason(had_premium=True) is RefusalReason.NOT_A_NEW_SUBSCRIBER


def test_diagnosing_costs_the_account_nothing():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    for _ in range(6):
        diagnose(loaded(card.serial), account, now=timezone.now())
    assert Attempt.objects.count() == 0
    assert redeem(account=account, text=card.text, channel=Channel.WEB).outcome == "redeemed"


def test_a_state_asks_for_nothing_more(django_assert_num_queries):
    for count in (1, 3):
        factories.cards(count)
        with django_assert_num_queries(1):
            for code in with_state(Code.objects.order_by("pk")):
                state_of(code, timezone.now())
