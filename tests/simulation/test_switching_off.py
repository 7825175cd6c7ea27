"""The switch of redeeming, pressed in the middle of it."""

import pytest

from redemption.models import Attempt, Channel, Redemption
from redemption.outages import declare
from redemption.redeem import redeem
from redemption.refusals import Answer
from redemption.roles import Role
from tests import factories
from tests.simulation.crowd import all_at_once, errors

pytestmark = pytest.mark.usefixtures("no_limits")


def test_once_the_switch_has_committed_nothing_is_redeemed_any_more(crowd):
    """In the middle of live redemptions: what was redeemed was so before, and every other card is as it was."""
    batch, by = factories.batch(size=100), factories.user(Role.MANAGER)
    cards, program = factories.cards(40, batch), batch.product.program
    accounts = [factories.account(program) for _ in cards]
    seen = []

    def switch():
        declare(program=program, message="", by=by)
        seen.append(Redemption.objects.count())

    calls = [
        lambda card=card, account=account: redeem(account=account, text=card.text, channel=Channel.WEB)
        for card, account in zip(cards, accounts, strict=True)
    ]
    outcomes = all_at_once([*calls[:20], switch, *calls[20:]], clients=min(crowd, 12))
    assert errors(outcomes) == []
    results = [result for result in outcomes if result is not None]
    assert len(results) == 40
    redeemed = [result for result in results if result.is_redeemed]
    assert [len(redeemed)] == seen == [Redemption.objects.count()]
    assert {result.answer for result in results} == {None, Answer.UNAVAILABLE} or len(redeemed) in {0, 40}
    assert Attempt.objects.count() == len(redeemed)
