"""redeem(): what each outcome writes, and what it leaves alone."""

import pytest

from redemption.models import (
    Attempt,
    AttemptOutcome,
    Book,
    Channel,
    CodeStatus,
    PremiumGrant,
    Redemption,
    Throttle,
    Transfer,
    TransferKind,
    Wallet,
)
from redemption.redeem import KeyConflictError, KeyRefusedError, preview, redeem
from redemption.refusals import Answer, RefusalReason
from tests import factories

pytestmark = pytest.mark.django_db


def try_code(account, text, **more):
    return redeem(account=account, text=text, channel=Channel.WEB, **more)


def test_credit_goes_to_the_wallet_once():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    result = try_code(account, card.text)
    assert (result.outcome, result.reason, result.benefit) == (AttemptOutcome.REDEEMED, None, "£30.00 credit")
    assert Wallet.objects.get(account=account).balance == 3000
    assert card.row.status == CodeStatus.REDEEMED
    redemption = Redemption.objects.get()
    assert (redemption.code_id, redemption.account_id, redemption.value) == (card.serial, account.pk, 3000)
    transfer = Transfer.objects.get(kind=TransferKind.REDEEM)
    assert (transfer.debit, transfer.credit, transfer.amount, transfer.code_id) == (
        Book.LIABILITY,
        Book.CUSTOMER_CREDIT,
        3000,
        card.serial,
    )
    again = try_code(account, card.text)
    assert (again.outcome, again.reason) == (AttemptOutcome.REFUSED, RefusalReason.REDEEMED_BY_YOU)
    assert Wallet.objects.get(account=account).balance == 3000
    other = try_code(factories.account(account.program), card.text)
    assert other.reason == RefusalReason.REDEEMED_BY_ANOTHER


def test_premium_time_starts_a_period_and_extends_it():
    program = factories.program()
    batch = factories.batch(factories.product(program, months=3))
    account = factories.account(program)
    first, second = factories.cards(2, batch)
    now = factories.NOON
    assert try_code(account, first.text, now=now).premium_until.isoformat() == "2026-09-15"
    assert try_code(account, second.text, now=now).premium_until.isoformat() == "2026-12-15"
    periods = [(grant.period.lower.isoformat(), grant.period.upper.isoformat()) for grant in PremiumGrant.objects.all()]
    assert periods == [("2026-06-15", "2026-09-15"), ("2026-09-15", "2026-12-15")]
    account.refresh_from_db()
    assert (account.premium_until.isoformat(), account.had_premium, account.premium_anchor_day) == (
        "2026-12-15",
        True,
        15,
    )
    assert [t.credit for t in Transfer.objects.filter(kind=TransferKind.REDEEM)] == [Book.REVENUE, Book.REVENUE]


def test_success_gives_the_attempt_back_and_a_refusal_keeps_it():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    try_code(account, card.text, address="192.0.2.7")
    assert {counter.scope: len(counter.recent) for counter in Throttle.objects.all()} == {
        "account": 0,
        "address": 0,
        "program": 0,
    }
    try_code(account, card.text)
    assert len(Throttle.objects.get(scope="account").recent) == 1


def test_the_fifth_wrong_try_in_a_day_is_turned_away_and_leaves_no_row():
    account = factories.account()
    unknown = [factories.card().text for _ in range(5)]
    results = [try_code(account, text) for text in unknown]
    assert [result.reason for result in results] == [RefusalReason.UNKNOWN] * 4 + [RefusalReason.ATTEMPTS_SPENT]
    assert results[4].answer == Answer.TOO_MANY_ATTEMPTS
    assert Attempt.objects.count() == 4


def test_the_same_key_gets_the_same_answer_and_has_one_effect():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    first = try_code(account, card.text, key="abc")
    again = try_code(account, card.text.lower(), key="abc")
    assert (again.reference, again.outcome, again.benefit) == (first.reference, first.outcome, first.benefit)
    assert Attempt.objects.count() == 1
    with pytest.raises(KeyConflictError):
        try_code(account, factories.card(card.batch).text, key="abc")


def test_a_slip_is_told_at_once_and_counts_nothing():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    wrong = card.code[:-1] + ("0" if card.code[-1] != "0" else "1")
    result = try_code(account, wrong)
    assert (result.answer, result.attempt_id) == (Answer.CHECK_THE_CODE, None)
    assert (Attempt.objects.count(), Throttle.objects.count()) == (0, 0)


def test_a_preview_counts_and_redeeming_gives_it_back():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    result = preview(account=account, text=card.text, channel=Channel.WEB)
    assert (result.outcome, result.benefit) == (AttemptOutcome.PREVIEWED, "£30.00 credit")
    assert card.row.status == CodeStatus.ACTIVE
    assert len(Throttle.objects.get(scope="account").recent) == 1
    assert try_code(account, card.text).is_redeemed
    assert Throttle.objects.get(scope="account").recent == []


def test_an_outage_uses_nothing_up():
    card = factories.card()
    program = card.batch.product.program
    account = factories.account(program)
    program.is_paused = True
    program.save()
    result = try_code(account, card.text, key="k")
    assert result.answer == Answer.UNAVAILABLE
    assert (Attempt.objects.count(), Throttle.objects.get(scope="account").recent) == (0, [])
    program.is_paused = False
    program.save()
    assert try_code(account, card.text, key="k").is_redeemed


@pytest.mark.parametrize("key", ["", "x" * 101, "a\0b"])
def test_a_key_that_is_none_is_refused_before_anything_is_counted(key):
    card = factories.card()
    with pytest.raises(KeyRefusedError):
        redeem(account=factories.account(card.batch.product.program), text=card.text, channel=Channel.WEB, key=key)
    assert (Attempt.objects.count(), Throttle.objects.count()) == (0, 0)


def test_a_repeated_preview_says_the_same_again():
    card = factories.card()
    account = factories.account(card.batch.product.program)
    first = preview(account=account, text=card.text, channel=Channel.WEB, key="p")
    again = preview(account=account, text=card.text, channel=Channel.WEB, key="p")
    assert (again.reference, again.outcome, again.benefit) == (first.reference, first.outcome, "£30.00 credit")
