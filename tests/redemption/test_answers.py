"""What an answer gives away: to a stranger nothing, to a signed-in customer nothing about codes that are not his."""

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.batches import close_batch, freeze_batch
from redemption.models import (
    Attempt,
    BatchStatus,
    BillingProvider,
    Channel,
    CodeStatus,
    Restriction,
    Throttle,
    User,
)
from redemption.redeem import preview, redeem
from redemption.refusals import PUBLIC_TEXT, REFUSALS, Answer, Fixer, RefusalReason
from redemption.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db

NOON = factories.NOON


@pytest.fixture
def program():
    return factories.program()


def not_valid(program):
    """A code for each reason that a customer is not told, well-formed all of them."""
    manager = factories.user(Role.MANAGER)
    batch = factories.batch(factories.product(program))

    def in_batch(**fields):
        return factories.card(factories.batch(factories.product(program, **fields.pop("product", {})), **fields))

    def then(change, card):
        change(card.batch)
        return card

    return {
        RefusalReason.UNKNOWN: factories.card(factories.batch(factories.product(factories.program()))),
        RefusalReason.VOID: factories.card(batch, status=CodeStatus.VOID),
        RefusalReason.REPLACED: factories.card(batch, status=CodeStatus.REPLACED),
        RefusalReason.BATCH_NOT_ACTIVE: in_batch(status=BatchStatus.ISSUED),
        RefusalReason.BATCH_FROZEN: then(lambda of: freeze_batch(of, by=manager, reason="leak"), in_batch()),
        RefusalReason.BATCH_CLOSED: then(lambda of: close_batch(of, by=manager), in_batch()),
        RefusalReason.NOT_ACTIVATED: factories.card(batch, status=CodeStatus.INACTIVE),
        RefusalReason.FROZEN: factories.card(batch, status=CodeStatus.FROZEN),
        RefusalReason.EXPIRED: in_batch(expires_on=NOON.date() - timedelta(days=1)),
        RefusalReason.COUNTRY_DIFFERS: in_batch(product={"countries": ["US"]}),
        RefusalReason.CURRENCY_DIFFERS: in_batch(product={"currency": "EUR"}),
    }


@dataclass(frozen=True)
class Seen:
    """All that somebody outside could see or measure of an answer, but for its reference and the clock."""

    text: str
    outcome: str
    untried: object
    benefit: str
    premium_until: object
    blocked_until: object
    attempts_used: int
    reference_shape: str
    statements: tuple[str, ...]


def _shape(sql):
    """The statement without its savepoint's number and its parameters."""
    return re.sub(r"'[^']*'|\bs\d+_x\d+\b|\b\d+\b|\bNULL(?=::)", "?", sql)


def see(account, text, run=redeem):
    with CaptureQueriesContext(connection) as queries:
        result = run(account=account, text=text, channel=Channel.WEB, now=NOON, address="192.0.2.1")
    counter = Throttle.objects.filter(scope="account", key=str(account.pk)).first()
    return result, Seen(
        result.customer_text(account.program),
        result.outcome,
        result.untried,
        result.benefit,
        result.premium_until,
        result.blocked_until,
        len(counter.recent) if counter else 0,
        "".join(symbol if symbol == "-" else "x" for symbol in result.reference[2:]),
        # What was asked of the database, without what was asked for.
        tuple(_shape(query["sql"]) for query in queries.captured_queries),
    )


@pytest.mark.parametrize("run", [redeem, preview])
def test_a_signed_in_customer_gets_one_answer_for_every_code_that_is_not_valid(program, run):
    cards = not_valid(program)
    see(factories.account(program), factories.card().text, run)  # reads the formats, once a process
    seen = {}
    for reason, card in cards.items():
        result, seen[reason] = see(factories.account(program), card.text, run)
        assert result.reason == reason
    assert set(cards) == {reason for reason in RefusalReason if reason.answer == Answer.NOT_VALID} - {
        # No text of ours is misread by another program's format alone, and drafts have no codes.
        RefusalReason.NOT_RECOGNISED,
        RefusalReason.BATCH_NOT_ISSUED,
    }
    assert len(set(seen.values())) == 1, seen
    answer = seen[RefusalReason.UNKNOWN]
    assert answer.text == Answer.NOT_VALID.label
    assert answer.attempts_used == 1
    # Count, read, write.
    assert len(answer.statements) == 3


def test_the_fourth_wrong_code_blocks_whatever_it_was(program):
    for card in not_valid(program).values():
        account = factories.account(program)
        for _ in range(4):
            see(account, card.text)
        result, _ = see(account, card.text)
        assert (result.reason, result.blocked_until) == (RefusalReason.ATTEMPTS_SPENT, NOON + timedelta(hours=24))


ACCOUNTS = {
    RefusalReason.ACCOUNT_RESTRICTED: {"restriction": Restriction.PAYMENT_DISPUTE},
    RefusalReason.EMAIL_UNVERIFIED: {"email_verified": False},
    RefusalReason.LOCATION_DIFFERS: {"last_seen_country": "US"},
    RefusalReason.BILLED_ELSEWHERE: {"billing_provider": BillingProvider.APPLE},
}


@pytest.mark.parametrize("reason", ACCOUNTS)
def test_an_account_in_the_way_hears_the_same_of_every_code_live_or_dead(program, reason):
    account = factories.account(program, **ACCOUNTS[reason])
    codes = {**not_valid(program), "live": factories.card(factories.batch(factories.product(program)))}
    redeemed = factories.card(codes["live"].batch)
    assert redeem(account=factories.account(program), text=redeemed.text, channel=Channel.WEB, now=NOON).is_redeemed
    codes["redeemed"] = redeemed
    seen = set()
    for card in codes.values():
        result, what = see(account, card.text)
        assert result.reason == reason
        seen.add(what)
    assert len(seen) == 1, seen
    (what,) = seen
    assert what.text == REFUSALS[reason].answer.label
    assert what.attempts_used == 0
    assert Attempt.objects.filter(account=account).count() == len(codes)


def test_a_blocked_account_hears_the_same_of_every_code_and_leaves_no_row(program):
    account = factories.account(program)
    for card in factories.cards(4, factories.batch(factories.product(factories.program()))):
        redeem(account=account, text=card.text, channel=Channel.WEB, now=NOON)
    codes = [*not_valid(program).values(), factories.card(factories.batch(factories.product(program)))]
    before = Attempt.objects.count()
    seen = {see(account, card.text)[1] for card in codes}
    assert len(seen) == 1, seen
    (what,) = seen
    assert (what.text, what.attempts_used) == (Answer.TOO_MANY_ATTEMPTS.label, 4)
    assert Attempt.objects.count() == before


def test_only_the_one_who_redeemed_hears_so(program):
    card = factories.card(factories.batch(factories.product(program)))
    winner, other = factories.account(program), factories.account(program)
    redeem(account=winner, text=card.text, channel=Channel.WEB, now=NOON)
    own, _ = see(winner, card.text)
    others, _ = see(other, card.text)
    assert own.answer == Answer.REDEEMED_BY_YOU
    assert others.answer == Answer.ALREADY_REDEEMED
    assert own.redeemed_at == NOON
    assert own.customer_text(program).endswith(" It was on 15 June 2026.")
    first = redeem(account=winner, text=card.text, channel=Channel.WEB, now=NOON, key="k")
    assert redeem(account=winner, text=card.text, channel=Channel.WEB, key="k") == first
    assert others.redeemed_at is None
    assert "2026" not in others.customer_text(program)
    assert winner.reference not in others.customer_text(program)


def test_a_programs_own_words_are_the_same_for_every_reason(program):
    program.wording = {"code_not_valid": "Nope."}
    program.save()
    texts = {see(factories.account(program), card.text)[1].text for card in not_valid(program).values()}
    assert texts == {"Nope."}


# --- The list itself


def test_every_reason_has_its_three_texts():
    assert set(REFUSALS) == set(RefusalReason)
    for reason, refusal in REFUSALS.items():
        assert refusal.answer.label.endswith(".")
        assert refusal.agent.endswith(".")
        assert refusal.remedy.endswith(".")
        assert refusal.fixer in Fixer
        assert reason.answer_key == refusal.answer.value
    agents = [refusal.agent for refusal in REFUSALS.values()]
    assert len(set(agents)) == len(agents), "two reasons that an agent cannot tell apart"


def test_the_public_gets_one_text_that_none_of_the_others_is():
    assert PUBLIC_TEXT not in {answer.label for answer in Answer}
    assert not any(word in PUBLIC_TEXT.lower() for word in ("frozen", "expired", "country", "already", "premium"))


def test_the_answers_differ_only_where_the_design_says_so():
    about_the_code = {reason.answer for reason in RefusalReason if reason.burns_an_attempt}
    assert about_the_code == {
        Answer.NOT_VALID,
        Answer.ALREADY_REDEEMED,
        Answer.REDEEMED_BY_YOU,
        Answer.OTHER_PLAN,
        Answer.NEW_SUBSCRIBERS,
        Answer.TOO_MUCH_TIME,
    }


def test_nobody_is_told_a_serial_number_or_a_last_four(program):
    for card in not_valid(program).values():
        text = see(factories.account(program), card.text)[1].text
        assert str(card.serial) not in text
        assert card.code[-4:] not in text
    assert User.objects.exists()
