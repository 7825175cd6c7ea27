"""The overview's figures are what plain Python makes of every credit."""

import random
from collections import Counter, defaultdict
from datetime import UTC, timedelta
from statistics import median

import pytest
from django.utils import timezone

from redemption.models import Approval, Book, Transfer, TransferKind
from redemption.roles import Role
from support.actions import credits
from support.models import DAYS, ManualCredit
from support.reports import credit_list, overview
from support.reports.filters import Filters, Period, monday_of, today
from tests import factories
from tests.support.reports.credit_world import World

pytestmark = pytest.mark.django_db


def plain(found, key):
    """{key: (number, value, by a second person, taken back)}"""
    groups = defaultdict(list)
    for credit in found:
        groups[key(credit)].append(credit)
    return {
        name: (
            len(group),
            sum(credit.amount for credit in group),
            sum(credit.amount for credit in group if credit.approval_id),
            sum(credit.reversal.amount for credit in group if hasattr(credit, "reversal")),
        )
        for name, group in groups.items()
    }


def shown(sums):
    return {name: (of.count, of.amount, of.second_amount, of.back_amount) for name, of in sums.items()}


def test_every_grouping_is_what_plain_python_counts_in_any_period():
    world = World()
    world.days(world.accounts[0], 10, timezone.now())
    chance = random.Random(8)
    everything = list(ManualCredit.objects.select_related("reversal"))
    assert any(hasattr(credit, "reversal") for credit in everything)
    for _ in range(12):
        last = today() - timedelta(days=chance.randint(0, 40))
        period = Period(last - timedelta(days=chance.randint(0, 60)), last)
        filters = Filters().but(days=period, program=chance.choice(["", world.program.pk]))
        found = [
            credit
            for credit in everything
            if period.first <= credit.granted_at.astimezone(UTC).date() <= period.last
            and credit.unit == "GBP"
            and filters.program in {"", str(credit.program_id)}
        ]
        figures = overview.figures(filters, unit="GBP")
        assert shown({"": figures.total}) == (plain(found, lambda credit: "") or {"": (0, 0, 0, 0)})
        assert shown(figures.weeks) == plain(found, lambda credit: monday_of(credit.granted_at.astimezone(UTC).date()))
        assert shown(figures.reasons) == plain(found, lambda credit: credit.reason_id)
        assert shown(figures.agents) == plain(found, lambda credit: (credit.granted_by_id, credit.granted_as))
        assert shown(figures.programs) == plain(found, lambda credit: credit.program_id)
        assert shown(figures.retailers) == plain(found, lambda credit: credit.retailer_id)
        # And the list that a figure opens has the same.
        totals = credit_list.totals(filters.but(unit="GBP"))
        assert [(total.count, total.amount) for total in totals] == [
            (figures.total.count, figures.total.amount) for _ in totals
        ]


def test_the_value_of_all_credits_is_what_the_ledger_posted():
    World()
    figures = overview.figures(Filters(), unit="GBP")
    posted = Transfer.objects.filter(kind=TransferKind.MANUAL_CREDIT, debit=Book.GOODWILL)
    back = Transfer.objects.filter(kind=TransferKind.REVERSAL, credit=Book.GOODWILL)
    assert figures.total.amount == sum(posted.values_list("amount", flat=True))
    assert figures.total.back_amount == sum(back.values_list("amount", flat=True))


def test_units_are_counted_one_by_one_in_the_settings_order():
    world = World(6)
    world.days(world.accounts[0], 10, timezone.now())
    assert list(overview.units(Filters()).items()) == [("GBP", 6), (DAYS, 1)]


def test_an_agent_far_above_his_peers_stands_out_and_two_people_are_no_crowd():
    factories.credit_policy()
    quiet = [factories.user(Role.AGENT, name=f"Quiet {number}") for number in range(2)]
    busy = factories.user(Role.AGENT, name="Busy")
    for agent, count in ((quiet[0], 1), (busy, 5)):
        for _ in range(count):
            factories.credit(by=agent)
    assert [agent.stands_out for agent in overview.by_agent(overview.figures(Filters(), unit="GBP"))] == [False, False]
    factories.credit(by=quiet[1])
    agents = overview.by_agent(overview.figures(Filters(), unit="GBP"))
    assert [(str(agent.person), agent.stands_out) for agent in agents] == [
        ("Busy", True),
        ("Quiet 0", False),
        ("Quiet 1", False),
    ]
    assert (agents[0].count_median, agents[0].amount_median, agents[0].peers) == (1, 500, 3)


def test_accounts_cards_and_receipts_with_several_credits():
    world = World(0)
    account, lonely, card = world.accounts[0], world.accounts[1], world.cards[0]
    for agent in world.agents[:2]:
        factories.credit(account, by=agent, code=card.row)
    factories.credit(lonely, by=world.agents[0])
    world.days(account, 3, timezone.now())
    accounts, cards, receipts = overview.several(Filters())
    assert [(row.name, row.count, row.people, row.amounts) for row in accounts.rows] == [
        (account.reference, 3, 2, ["£10.00", "3 days"])
    ]
    assert [(row.name, row.count) for row in cards.rows] == [(str(card.serial), 2)]
    assert (accounts.of, cards.of, receipts.of, receipts.rows) == (1, 1, 0, [])
    assert credit_list.totals(Filters(account=account.reference))[0].count == 2


def test_how_long_a_second_person_took_and_what_waits():
    world = World(18)
    asked = credits.request(
        factories.wanted(world.accounts[0], amount=5000), why="A long outage.", by=world.agents[0], now=timezone.now()
    )
    found = overview.approvals(Filters())
    waited = [
        (row.decided_at - row.request.requested_at).total_seconds()
        for row in Approval.objects.select_related("request")
    ]
    assert found.total.count == len(waited) > 3
    assert found.total.median == pytest.approx(median(waited))
    assert (found.waiting, found.oldest) == (1, asked.requested_at)
    weeks = Counter(monday_of(row.decided_at.astimezone(UTC).date()) for row in Approval.objects.all())
    assert {week: waits.count for week, waits in found.weeks.items()} == weeks


def test_nothing_at_all_is_nothing_and_no_error():
    figures = overview.figures(Filters(), unit="GBP")
    assert (figures.total.count, figures.weeks, overview.by_agent(figures)) == (0, {}, [])
    assert overview.units(Filters()) == {}
    assert [kind.rows for kind in overview.several(Filters())] == [[], [], []]
    assert overview.approvals(Filters()).total.median is None
