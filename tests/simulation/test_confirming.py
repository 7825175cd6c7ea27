"""Confirmations in a crowd of guesses, where the last try went on looking."""

import pytest

from redemption.models import Attempt, AttemptOutcome, Channel, Code, CodeStatus, Throttle
from redemption.redeem import preview, redeem
from redemption.refusals import RefusalReason
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = [200, pytest.param(2_000, marks=pytest.mark.heavy)]


@pytest.mark.parametrize("guesses", SIZES)
def test_of_guesses_and_confirmations_at_once_one_confirmation_is_let_in(guesses, crowd, settings):
    """Four were verified before, of which one is the look that all the confirmations want the place of; one gets it."""
    settings.ATTEMPTS_PER_PROGRAM = settings.ATTEMPTS_PER_ADDRESS = 0
    card = factories.card()
    account = factories.account(card.batch.product.program)
    wrong = factories.cards(guesses)
    assert preview(account=account, text=card.text, channel=Channel.WEB).outcome == AttemptOutcome.PREVIEWED
    for one in wrong[:3]:
        redeem(account=account, text=one.text, channel=Channel.WEB)
    calls = [
        (lambda text=text: redeem(account=account, text=text, channel=Channel.WEB))
        for one in wrong
        for text in ([one.text, card.text] if one.serial % 2 else [one.text])
    ]
    # Nothing is won back by redeeming while this lasts: the card is frozen since it was looked at.
    Code.objects.filter(pk=card.serial).update(status=CodeStatus.FROZEN)
    results = all_at_once(calls, clients=crowd)
    assert errors(results) == []
    verified = [result for result in results if result.attempt_id]
    assert [result.reason for result in verified] == [RefusalReason.FROZEN]
    assert len(Throttle.objects.get(scope="account", key=str(account.pk)).recent) == 4
    assert Attempt.objects.count() == 5
