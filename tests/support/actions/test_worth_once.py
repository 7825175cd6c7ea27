"""A card's worth is given once: by a credit or by a successor, whatever report asks for it."""

import pytest

from redemption.models import Book
from support.actions import decisions, judging, reversals
from support.actions.credits import CreditError
from support.actions.reports import ReportError
from support.models import ManualCredit, Outcome
from tests import factories
from tests.support.actions.test_judging import allow_replacement, drawn, outcomes

pytestmark = pytest.mark.django_db


def test_a_credited_card_is_replaced_by_no_other_report_as_long_as_the_credit_stands(agent, manager):
    card = factories.card()
    drawn(card)
    first = factories.report(card)
    credit = factories.credit(factories.account(card.batch.product.program), by=agent, code=card.row)
    assert outcomes(first) == [Outcome.CREDITED]
    again = factories.report(card)
    with pytest.raises(ReportError, match="A credit was given for this card: take that back first"):
        judging.request_replacement(again, serials=[card.serial], source=Book.GOODWILL, by=agent, reason="Stolen.")
    asked = reversals.request_reversal(credit, why="Wrong way.", by=agent)
    decisions.approve(asked, by=manager)
    # The first report waits for an answer again.
    first.refresh_from_db()
    assert (outcomes(first), first.undecided, first.answered_at) == ([""], 1, None)
    allow_replacement(again, [card], agent, manager, source=Book.GOODWILL)
    assert judging.hand_over(again, serial=card.serial, by=agent)


def test_a_replaced_card_is_not_credited_any_more(agent, manager):
    card = factories.card()
    drawn(card)
    report = factories.report(card)
    allow_replacement(report, [card], agent, manager, source=Book.GOODWILL)
    judging.hand_over(report, serial=card.serial, by=agent)
    account = factories.account(card.batch.product.program)
    with pytest.raises(CreditError, match="This card was replaced: what it was worth is on its successor"):
        factories.credit(account, by=agent, code=card.row)
    assert ManualCredit.objects.count() == 0
