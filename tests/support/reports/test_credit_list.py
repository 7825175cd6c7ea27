"""The list behind the figures: each filter lets through what it says; pages neither skip nor repeat."""

from datetime import timedelta

import pytest
from django.utils import timezone

from redemption.roles import Role
from support.models import CreditLimit, ManualCredit
from support.reports import credit_list, signals
from support.reports.filters import TENTHS, Filters, today
from tests import factories
from tests.support.reports.credit_world import World

pytestmark = pytest.mark.django_db


def ids(**filters):
    return set(credit_list.credits(Filters(period="all", **filters)).values_list("pk", flat=True))


def those(test):
    return {credit.pk for credit in ManualCredit.objects.select_related("account") if test(credit)}


@pytest.fixture
def world():
    return World()


def test_each_filter_lets_through_what_it_says(world):
    agent, account, card = world.agents[0], world.accounts[0], world.cards[0]
    cases = {
        "agent": (agent.pk, lambda credit: credit.granted_by == agent),
        "account": (account.reference, lambda credit: credit.account == account),
        "card": (card.serial, lambda credit: credit.code_id == card.serial),
        "program": (world.other.pk, lambda credit: credit.program_id == world.other.pk),
        "reason": ("goodwill", lambda credit: credit.reason.slug == "goodwill"),
        "retailer": ("none", lambda credit: credit.retailer_id is None),
        "unit": ("GBP", lambda credit: credit.unit == "GBP"),
        "amount": (500, lambda credit: credit.amount == 500),
        "approved": ("yes", lambda credit: credit.approval_id),
        "reversed": ("yes", lambda credit: hasattr(credit, "reversal")),
        "contact": ("no", lambda credit: not credit.customer_wrote),
        "domain": ("example.com", lambda credit: credit.account.email.endswith("@example.com")),
    }
    everything = those(lambda credit: True)
    for name, (value, test) in cases.items():
        assert ids(**{name: str(value)}) == those(test), name
    for name in ("approved", "reversed", "contact"):
        yes, no = ids(**{name: "yes"}), ids(**{name: "no"})
        assert yes | no == everything, name
        assert yes, name
        assert no, name
        assert not yes & no
    assert ids(receipt="ab" * 32) == set()
    assert ids(domain="ample.com") == set()


def test_tenths_of_the_limit_hold_each_lone_credit_once_by_the_limit_of_its_time(world):
    old = ManualCredit.objects.values_list("pk", flat=True)
    old = set(old)
    # A wider limit since then, of which the same amounts are smaller shares.
    factories.credit_policy(Role.AGENT, single=3333)
    for amount in (333, 334, 2999, 3000, 3333, 1):
        factories.credit(world.accounts[2], by=world.agents[0], amount=amount)
    limits = {(limit.policy_id, limit.role, limit.unit): limit.single for limit in CreditLimit.objects.all()}
    expected = {tenth: set() for tenth in TENTHS}
    for credit in ManualCredit.objects.filter(approval=None):
        single = limits[credit.policy_id, credit.granted_as, credit.unit]
        expected[min(9, credit.amount * 10 // single)].add(credit.pk)
    assert {tenth: ids(tenth=str(tenth)) for tenth in TENTHS} == expected
    assert {credit.amount for credit in ManualCredit.objects.filter(pk__in=ids(tenth="9") - old)} == {3000, 3333}
    # The signals count the same from the other side.
    counted = [sum(signs.tenths[tenth] for signs in signals.signal_rows(Filters())) for tenth in TENTHS]
    assert counted == [len(expected[tenth]) for tenth in TENTHS]


def test_pages_show_every_credit_once_the_newest_first_also_of_one_moment(monkeypatch, world):
    monkeypatch.setattr(credit_list, "PAGE", 7)
    moment = timezone.now() - timedelta(days=3)
    for _ in range(9):
        factories.credit(world.accounts[1], by=world.agents[1], now=moment)
    seen, before = [], None
    while True:
        found = credit_list.page_of(Filters(), before=before)
        seen += found[:7]
        if len(found) <= 7:
            break
        before = found[6].pk
    assert [credit.pk for credit in seen] == list(
        ManualCredit.objects.order_by("-granted_at", "-pk").values_list("pk", flat=True)
    )
    assert credit_list.page_of(Filters(), before=10**17) == []


def test_sums_are_by_unit_and_the_period_cuts_at_midnight_utc(world):
    world.days(world.accounts[0], 10, timezone.now())
    totals = {total.unit: (total.count, total.amount) for total in credit_list.totals(Filters())}
    pounds = ManualCredit.objects.filter(unit="GBP").values_list("amount", flat=True)
    assert totals == {"GBP": (len(pounds), sum(pounds)), "days": (1, 10)}
    assert credit_list.totals(Filters())[1].shown == "10 days"
    yesterday = str(today() - timedelta(days=1))
    assert set(credit_list.credits(Filters(first=yesterday, until=yesterday)).values_list("pk", flat=True)) == those(
        lambda credit: str(credit.granted_at.date()) == yesterday
    )
