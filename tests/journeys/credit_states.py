"""The pages of credits in their states: asked for, granted, approved, taken back, counted, sealed, taken away."""

from collections.abc import Iterator

from redemption.models import JobStatus, Redemption
from redemption.roles import Role
from redemption.tallies import roll_up
from support import policy
from support.actions import credits, decisions, limits, reversals
from support.exports import making
from support.jobs import make_export_job
from support.limits import matrix_of
from support.models import DAYS, Export
from support.sealing import seal
from tests import factories
from tests.journeys.states import State, World, goes_to
from tests.journeys.visit import Visit
from tests.support.test_attachments import attached, bought


class Credits:
    """On top of a world of cards. Its manager asks for limits, so that another one decides them."""

    def __init__(self, world: World) -> None:
        self.world = world
        agent = world.agent
        self.decider = factories.user(Role.MANAGER, name="Bartholomäus Freiherr von Droste zu Vischering")
        self._limits()
        account = world.account
        self.ticket = factories.ticket(world.program, account=account, subject="Charged twice, and nothing plays")
        receipt = attached(bought(), ticket=self.ticket)
        note = "He rang three times and sent the receipt. " * 5
        self.credit = credits.grant(
            factories.wanted(account, ticket=self.ticket, code=world.cards["redeemed"].row, receipt=receipt, note=note),
            by=agent,
        )
        back = credits.grant(factories.wanted(account, ticket=self.ticket, amount=700), by=agent)
        asked = reversals.request_reversal(back, why="Meant for somebody else of the same name.", by=agent)
        decisions.approve(asked, by=self.decider, reason="Seen.")
        self.reversed = back
        credits.grant(factories.wanted(account, ticket=self.ticket, unit=DAYS, amount=30), by=agent)
        for number in range(6):
            credits.grant(factories.wanted(world.other, ticket=None, unit=DAYS, amount=29 - number % 2), by=agent)
        large = factories.wanted(account, ticket=self.ticket, amount=123_400, note="As agreed on the telephone.")
        self.asked = credits.request(large, why="A wedding without music, and he was charged four times.", by=agent)
        rejected = credits.request(factories.wanted(world.other, unit=DAYS, amount=40), why="He asked.", by=agent)
        decisions.reject(rejected, by=self.decider, reason="Nothing of ours failed: a kind word will do.")
        self.redemption = Redemption.objects.get(code_id=world.cards["redeemed"].serial)
        self._exports()
        roll_up()
        seal()

    def _limits(self) -> None:
        """In pounds and days, and a change of them that waits."""
        made = factories.credit_policy(Role.AGENT, Role.MANAGER, single=1000, approves=10**7)
        for limit in list(made.limits.all()):
            limit.pk, limit.unit, limit.single = None, DAYS, 30
            limit.save(force_insert=True)
        self.policy = policy.current_policy()
        changed = {key: dict(limit) for key, limit in matrix_of(self.policy).items()}
        for row in changed.values():
            row["single"] = row["single"] * 8 // 10
        self.asked_limits = limits.request_policy(
            changed, base=self.policy.pk, why="Half of all credits are below a third of it.", by=self.world.manager
        )

    def _exports(self) -> None:
        self.exports = [
            making.ask(what=what, query="period=all", form="csv", by=self.decider) for what in ("credits", "audit")
        ]
        make_export_job(self.exports[0].pk)
        Export.objects.filter(pk=self.exports[1].pk).update(
            status=JobStatus.FAILED, message="A sheet of Excel holds 1,048,575 rows, and this list has more."
        )

    def of_the_agent(self) -> Iterator[State]:
        account, card = self.world.account.reference, self.world.cards["redeemed"].serial
        form = f"/credits/new/?account={account}&ticket={self.ticket.reference}"
        yield State("new credit", goes_to(f"{form}&card={card}"))
        yield State("new credit, for whom", goes_to("/credits/new/"))
        yield State("new credit, above the limit", lambda visit: self._above(visit, form))
        yield State("credit", goes_to(f"/credits/{self.credit.reference}/"))
        yield State("credit taken back", goes_to(f"/credits/{self.reversed.reference}/"))
        yield State("moving", goes_to(f"/codes/{card}/move/"))
        yield State("own requests", goes_to("/approvals/"))
        yield State("own request", goes_to(f"/approvals/{self.asked.pk}/"))

    def _above(self, visit: Visit, form: str) -> None:
        page = visit.page
        page.goto(form)
        page.get_by_label("Amount", exact=True).fill("500")
        page.locator("input[name=reason]").first.check()
        page.get_by_role("button", name="Credit it").click()
        page.locator("#above, .field-error").first.wait_for()

    def of_the_manager(self) -> Iterator[State]:
        yield State("approvals", goes_to("/approvals/"))
        yield State("approvals, decided", goes_to("/approvals/?status=approved"))
        yield State("approval", goes_to(f"/approvals/{self.asked.pk}/"))
        yield State("approval of limits", goes_to(f"/approvals/{self.asked_limits.pk}/"))
        yield State("limits", goes_to("/credits/policy/"))
        yield State("limits, a version", goes_to(f"/credits/policy/?version={self.policy.pk}"))
        yield State("stop", goes_to("/credits/stop/"))
        yield State("overview of credits", goes_to("/credits/"))
        yield State("overview, nothing in it", goes_to("/credits/?from=2020-01-01&until=2020-03-01"))
        yield State("all credits", goes_to("/credits/list/?period=all"))
        yield State("liability", goes_to("/reports/liability/"))
        yield State("failures", goes_to("/reports/failures/"))
        yield State("signals", goes_to("/reports/signals/"))
        yield State("exports", goes_to("/exports/"))
        yield State("export, made", goes_to(f"/exports/{self.exports[0].pk}/"))
        yield State("export, failed", goes_to(f"/exports/{self.exports[1].pk}/"))
        yield State("audit", goes_to("/audit/"))
        yield State("audit of an account", goes_to(f"/audit/?target=account:{self.world.account.pk}"))
        yield State("seals", goes_to("/audit/seals/"))
