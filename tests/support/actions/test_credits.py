"""Manual credits: what is granted at once, what needs a second person, and what is refused."""

import pytest

from redemption.models import Wallet
from redemption.reconcile import reconcile
from redemption.roles import Role
from support.actions import decisions
from support.actions.credits import NeedsSecondPersonError, grant, request
from support.models import ManualCredit
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_credit_within_the_limits_is_granted_at_once():
    factories.credit_policy(single=500)
    wanted = factories.wanted(amount=500)
    credit = grant(wanted, by=factories.user(Role.AGENT))
    assert (credit.amount, credit.unit, credit.approval) == (500, "GBP", None)
    assert Wallet.objects.get(account=wanted.account).balance == 500
    assert [line for line in reconcile() if not line.agrees] == []


def test_a_credit_above_the_limits_waits_for_a_second_person():
    factories.credit_policy(Role.AGENT, Role.MANAGER, single=499, approves=500)
    agent, manager = factories.user(Role.AGENT), factories.user(Role.MANAGER)
    wanted = factories.wanted(amount=500)
    with pytest.raises(NeedsSecondPersonError, match=r"£4\.99, your limit for one credit"):
        grant(wanted, by=agent)
    assert not ManualCredit.objects.exists()
    asked = request(wanted, why="He lost an evening.", by=agent)
    approval = decisions.approve(asked, by=manager)
    credit = ManualCredit.objects.get()
    assert (credit.amount, credit.granted_by, credit.approval) == (500, agent, approval)
    assert Wallet.objects.get(account=wanted.account).balance == 500
