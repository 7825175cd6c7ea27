"""What is taken back, and what goes over to another account: once, capped at what is left, by two people."""

import pytest

from redemption.models import Channel, Redemption, Wallet
from redemption.reconcile import reconcile
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import decisions
from support.actions.reversals import request_move, request_reversal
from support.models import CreditReversal, ManualCredit
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_credit_is_reversed_by_a_new_transfer():
    credit = factories.credit(amount=500)
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=1)
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    asked = request_reversal(credit, why="Wrong account.", by=agent)
    decisions.approve(asked, by=manager)
    reversal = CreditReversal.objects.get()
    assert (reversal.credit, reversal.amount, reversal.by) == (credit, 500, agent)
    assert Wallet.objects.get().balance == 0
    assert [line for line in reconcile() if not line.agrees] == []


def test_what_a_card_gave_goes_over():
    factories.credit_policy(Role.AGENT, Role.MANAGER, approves=1)
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    card = factories.card()
    program = card.batch.product.program
    wrong, right = factories.account(program), factories.account(program)
    redeem(account=wrong, text=card.text, channel=Channel.WEB)
    asked = request_move(
        Redemption.objects.get(),
        to=right,
        ticket=factories.ticket(program, account=wrong),
        why="His other one.",
        by=agent,
    )
    decisions.approve(asked, by=manager)
    moved = ManualCredit.objects.get()
    assert (moved.account, moved.amount, moved.moves.redemption.code_id) == (right, 3000, card.serial)
    assert dict(Wallet.objects.values_list("account", "balance")) == {wrong.pk: 0, right.pk: 3000}
    assert [line for line in reconcile() if not line.agrees] == []
