"""Credits of several people over some weeks, by chance with a fixed seed, granted as on any day."""

import random
from datetime import timedelta

from django.utils import timezone

from redemption.roles import Role
from support.actions import credits, decisions, reversals
from support.models import DAYS, ManualCredit
from tests import factories

SINGLE = 1000


class World:
    def __init__(self, count=24, weeks=10):
        chance = random.Random(count)
        self.program, self.other = factories.program(), factories.program()
        self.agents = [factories.user(Role.AGENT, name=f"Agent {number}") for number in range(3)]
        self.seniors = [factories.user(Role.SENIOR_AGENT, name=f"Senior {number}") for number in range(2)]
        factories.credit_policy(Role.AGENT, Role.SENIOR_AGENT, single=SINGLE, approves=10**9)
        self.accounts = [factories.account(program) for program in (self.program, self.program, self.other)]
        batch = factories.batch(factories.product(self.program))
        self.cards = factories.cards(2, batch)
        self.reasons = [factories.credit_reason("technical_failure"), factories.credit_reason("goodwill")]
        now = timezone.now()
        for _ in range(count):
            at = now - timedelta(minutes=chance.randint(1, weeks * 7 * 24 * 60))
            self.credit(chance, at)
        for credit in list(ManualCredit.objects.order_by("pk")[: count // 6]):
            self.take_back(credit)

    def credit(self, chance, at):
        account = chance.choice(self.accounts)
        card = chance.choice([None, *self.cards]) if account.program == self.program else None
        # Written by the customer, or a call that an agent wrote down.
        writer = chance.choice([None, None, self.agents[0]])
        ticket = factories.ticket(account.program, account=account, by=writer, now=at - timedelta(hours=1))
        wanted = factories.wanted(
            account,
            ticket=ticket,
            code=card.row if card else None,
            amount=chance.choice([500, 950, 1000, 1400, chance.randint(1, 1500)]),
            reason=chance.choice(self.reasons),
        )
        by = chance.choice(self.agents)
        try:
            credits.grant(wanted, by=by, now=at)
        except credits.NeedsSecondPersonError:
            asked = credits.request(wanted, why="He lost an evening.", by=by, now=at)
            wait = timedelta(minutes=chance.randint(1, 600))
            decisions.approve(asked, by=chance.choice(self.seniors), now=at + wait)

    def take_back(self, credit):
        asked = reversals.request_reversal(credit, why="Wrong account.", by=self.seniors[0], now=credit.granted_at)
        decisions.approve(asked, by=self.seniors[1], now=credit.granted_at + timedelta(hours=1))

    def days(self, account, count, at):
        factories.credit_policy(Role.AGENT, unit=DAYS)
        return factories.credit(account, by=self.agents[0], unit=DAYS, amount=count, now=at)
