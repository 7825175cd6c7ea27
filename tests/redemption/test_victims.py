"""Whoever tried a compromised card in good faith is relieved of what that brought on, and nobody else is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption.cards import activate_cards
from redemption.models import Account, Attempt, Channel, Code, CodeStatus, Restriction, Throttle, User
from redemption.redeem import preview, redeem
from redemption.references import Untried
from redemption.refusals import RefusalReason
from redemption.roles import Role
from redemption.victims import relieve
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def agent():
    return factories.user(Role.AGENT)


@pytest.fixture
def batch():
    return factories.batch()


@pytest.fixture
def account(batch):
    return factories.account(batch.product.program)


def sell(card, minutes_ago):
    activate_cards(first=card.serial, by=User.objects.system(), now=timezone.now() - minutes_ago * MINUTE)


def stolen(batch, count=1, minutes_ago=60):
    """Sold an hour ago, and frozen since."""
    made = factories.cards(count, batch, status=CodeStatus.INACTIVE)
    for card in made:
        sell(card, minutes_ago)
        to(card, CodeStatus.FROZEN)
    return made


def to(card, status):
    Code.objects.filter(pk=card.serial).update(status=status)


def attempt(account, card, minutes_ago=0, by=redeem):
    text = card if isinstance(card, str) else card.text
    return by(account=account, text=text, channel=Channel.WEB, now=timezone.now() - minutes_ago * MINUTE)


def unknown(batch):
    """A code of the program's format that was never made."""
    return batch.code_format.pattern.display(batch.code_format.pattern.generate(1)[0].decode())


def counted(account):
    row = Throttle.objects.get(scope="account", key=str(account.pk))
    return len(row.recent), row.blocked_until


def serials(cards):
    return [card.serial for card in cards]


def told():
    events = AuditEvent.objects.filter(action=AuditAction.VICTIM_RELIEVED).order_by("pk")
    return [(event.target, event.details["tries"], event.details["is_unflagged"]) for event in events]


# --- Tries, and the block that they bring


def test_a_victims_tries_do_not_count_and_his_block_ends(batch, account, agent):
    cards = stolen(batch)
    for minutes_ago in (9, 8, 7, 6):
        assert attempt(account, cards[0], minutes_ago).reason == RefusalReason.FROZEN
    good = factories.card(batch)
    assert attempt(account, good).untried == Untried.THROTTLED
    assert relieve(serials(cards), agent) == 1
    assert counted(account) == (0, None)
    assert told() == [(f"account:{account.pk}", 4, False)]
    assert attempt(account, good).outcome == "redeemed"
    # What happened stays written.
    assert Attempt.objects.filter(account=account, code=cards[0].serial).count() == 4


def test_tries_of_other_cards_stay_counted(batch, account, agent):
    cards, other = stolen(batch), factories.card(batch, status=CodeStatus.FROZEN)
    attempt(account, unknown(batch), 9)
    attempt(account, cards[0], 8)
    attempt(account, other, 7)
    attempt(account, cards[0], 6)
    assert attempt(account, other).untried == Untried.THROTTLED
    left = [tried.at for tried in Attempt.objects.filter(account=account).exclude(code=cards[0].serial).order_by("at")]
    assert relieve(serials(cards), agent) == 1
    assert Throttle.objects.get(scope="account", key=str(account.pk)).recent == left
    assert counted(account) == (2, None)
    # Two are left of four: the second from here is the last.
    assert [attempt(account, other).reason for _ in range(2)] == [RefusalReason.FROZEN] * 2
    assert attempt(account, other).untried == Untried.THROTTLED


def test_a_preview_that_counted_is_lifted_too(batch, account, agent):
    cards = stolen(batch)
    to(cards[0], CodeStatus.ACTIVE)
    assert attempt(account, cards[0], 9, by=preview).outcome == "previewed"
    to(cards[0], CodeStatus.FROZEN)
    attempt(account, cards[0], 8)
    assert counted(account) == (2, None)
    assert relieve(serials(cards), agent) == 1
    assert counted(account) == (0, None)


def test_done_again_it_lifts_nothing_more_even_where_tries_fall_on_one_moment(batch, account, agent):
    cards, at = stolen(batch), timezone.now()
    for text in (unknown(batch), cards[0].text, unknown(batch)):
        redeem(account=account, text=text, channel=Channel.WEB, now=at)
    assert relieve(serials(cards), agent) == 1
    assert counted(account) == (2, None)
    assert relieve(serials(cards), agent) == 0
    assert counted(account) == (2, None)
    assert len(told()) == 1


def test_a_try_that_ran_again_after_its_lease_is_known_by_when_it_was_counted(batch, account, agent):
    from redemption.models import IdempotencyKey

    cards, at = stolen(batch), timezone.now()
    attempt(account, cards[0], 5)
    # As if the first run had died: the key is as old as the count, the attempt is of the second run.
    key = IdempotencyKey.objects.get(scope=f"account:{account.pk}")
    earlier = at - 7 * MINUTE
    IdempotencyKey.objects.filter(pk=key.pk).update(created_at=earlier)
    Throttle.objects.filter(scope="account", key=str(account.pk)).update(recent=[earlier])
    assert relieve(serials(cards), agent) == 1
    assert counted(account) == (0, None)


# --- Who is no victim


def test_whoever_tried_a_card_before_it_was_sold_is_none(batch, account, agent):
    cards = [factories.card(batch, status=CodeStatus.INACTIVE), *stolen(batch)]
    assert attempt(account, cards[0], 30).reason == RefusalReason.NOT_ACTIVATED
    sell(cards[0], 20)
    to(cards[0], CodeStatus.FROZEN)
    attempt(account, cards[0], 10)
    assert relieve(serials(cards), agent) == 0
    # Nor for the report's other card, which he tried after its sale only.
    attempt(account, cards[1], 5)
    assert relieve([cards[1].serial], agent, among=Code.objects.filter(pk__in=serials(cards)).values("pk")) == 0
    assert counted(account) == (3, None)
    assert told() == []


def test_whoever_tried_a_card_that_was_never_sold_is_none(batch, account, agent):
    card = factories.card(batch, status=CodeStatus.INACTIVE)
    attempt(account, card, 5)
    assert relieve([card.serial], agent) == 0
    assert counted(account) == (1, None)


def test_whoever_redeemed_one_of_the_reports_cards_is_none(batch, account, agent):
    cards = stolen(batch, 2)
    to(cards[0], CodeStatus.ACTIVE)
    assert attempt(account, cards[0], 9).outcome == "redeemed"
    attempt(account, cards[1], 8)
    attempt(account, cards[0], 7)
    report = Code.objects.filter(pk__in=serials(cards)).values("pk")
    assert relieve([cards[1].serial], agent, among=report) == 0
    assert relieve([cards[0].serial], agent) == 0
    assert counted(account) == (2, None)


def test_each_account_is_judged_by_itself(batch, account, agent):
    cards = stolen(batch, 2)
    thief, bystander = factories.account(batch.product.program), factories.account(batch.product.program)
    to(cards[0], CodeStatus.ACTIVE)
    attempt(thief, cards[0], 9)
    for who in (thief, account):
        attempt(who, cards[0], 8)
        attempt(who, cards[1], 7)
    attempt(bystander, factories.card(batch, status=CodeStatus.FROZEN), 6)
    assert relieve(serials(cards), agent) == 1
    assert [counted(who)[0] for who in (thief, account, bystander)] == [2, 0, 1]
    assert told() == [(f"account:{account.pk}", 2, False)]


# --- The flag


def flagged(account):
    Account.objects.filter(pk=account.pk).update(restriction=Restriction.UNUSUAL_ACTIVITY)


def restriction(account):
    return Account.objects.values_list("restriction", flat=True).get(pk=account.pk)


def test_the_flag_goes_where_these_cards_alone_can_have_raised_it(batch, account, agent):
    cards = stolen(batch, 2)
    attempt(account, cards[0], 9)
    attempt(account, cards[1], 8)
    flagged(account)
    # What the flag itself refuses says nothing about why it is there.
    assert attempt(account, factories.card(batch), 7).reason == RefusalReason.ACCOUNT_RESTRICTED
    assert relieve([cards[0].serial], agent) == 1
    assert (restriction(account), counted(account)[0]) == (Restriction.UNUSUAL_ACTIVITY, 1)
    # With the first one ended, the second explains what is left.
    to(cards[0], CodeStatus.VOID)
    assert relieve([cards[1].serial], agent) == 1
    assert restriction(account) == Restriction.NONE
    assert told() == [(f"account:{account.pk}", 1, False), (f"account:{account.pk}", 1, True)]


def test_the_flag_stays_after_a_guess_or_another_card(batch, account, agent):
    cards = stolen(batch)
    guesser, other = account, factories.account(batch.product.program)
    attempt(guesser, unknown(batch), 60 * 24 * 29)
    attempt(other, factories.card(batch, status=CodeStatus.FROZEN), 4)
    for who in (guesser, other):
        attempt(who, cards[0], 5)
        flagged(who)
    relieve(serials(cards), agent)
    assert [restriction(who) for who in (guesser, other)] == [Restriction.UNUSUAL_ACTIVITY] * 2


def test_a_refusal_of_long_ago_does_not_keep_the_flag(batch, account, agent):
    cards = stolen(batch)
    attempt(account, unknown(batch), 60 * 24 * 31)
    attempt(account, cards[0], 5)
    flagged(account)
    relieve(serials(cards), agent)
    assert restriction(account) == Restriction.NONE


@pytest.mark.parametrize("kind", [Restriction.PAYMENT_DISPUTE, Restriction.POLICY_VIOLATION])
def test_other_restrictions_are_not_about_cards(batch, account, agent, kind):
    cards = stolen(batch)
    attempt(account, cards[0], 5)
    Account.objects.filter(pk=account.pk).update(restriction=kind)
    relieve(serials(cards), agent)
    assert restriction(account) == kind


def test_an_account_with_nothing_to_lift_is_not_told_of(batch, account, agent):
    cards = stolen(batch, minutes_ago=60 * 24 * 3)
    attempt(account, cards[0], 60 * 24 * 2)
    assert relieve(serials(cards), agent) == 1
    assert relieve(serials(cards), agent) == 0
    assert relieve([], agent) == 0
    assert len(told()) == 1


# --- With others at work


@pytest.mark.django_db(transaction=True)
def test_of_two_who_relieve_at_once_while_he_tries_each_try_counts_or_not_once():
    agent, batch = factories.user(Role.AGENT), factories.batch()
    cards, account = stolen(batch, 2), factories.account(batch.product.program)
    attempt(account, cards[0], 9)
    attempt(account, cards[1], 8)
    guess = unknown(batch)
    outcomes = all_at_once(
        [
            lambda: relieve([cards[0].serial], agent),
            lambda: attempt(account, guess),
            lambda: relieve([cards[1].serial], agent),
            lambda: relieve([cards[0].serial], agent),
        ]
    )
    assert errors(outcomes) == []
    assert outcomes[2] + outcomes[0] + outcomes[3] == 2
    assert counted(account) == (1, None)
    assert sum(tries for _, tries, _ in told()) == 2
