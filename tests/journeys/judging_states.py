"""The desk's pages of reported cards in their states: listed, opened, planned, asked for, decided, handed over."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone

from redemption.models import Account, Attempt, AttemptOutcome, Channel, MemberRole
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.roles import Role
from support.actions import decisions, judging
from support.models import CardSign, CardSignKind, CompromiseKind
from tests import factories
from tests.journeys.states import State, World, goes_to
from tests.journeys.visit import Visit
from tests.support.test_attachments import attached, bought


class Judging:
    """On top of a world of cards: names and numbers are long ones."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.decider = factories.user(Role.MANAGER, name="Bartholomäus Freiherr von Droste zu Vischering")
        clerk = factories.member(world.retailer, MemberRole.CLERK, name="Friederike Müller-Lüdenscheidt")
        batch = world.batch
        self.cards = factories.cards(60, batch)
        thief = factories.account(world.program, email="bartholomew.featherstonehaugh@example.com")
        for card in (self.cards[12], self.cards[13], self.cards[8], self.cards[45]):
            assert redeem(account=thief, text=card.text, channel=Channel.WEB).is_redeemed
        now = timezone.now()
        for number, card in enumerate(self.cards[10:14]):
            self._tried(card, thief if number % 2 else world.account, now - timedelta(days=number + 1))
        elsewhere = factories.report(self.cards[45], by=clerk)
        self.report = factories.report(
            *self.cards[10:40],
            by=clerk,
            kind=CompromiseKind.TAMPERED,
            store="Mönchengladbach, Untergeschoss, Kasse der Geschenkkarten",
            till="Till 14",
            receipt_number="2026-11-21/000/4711-B",
            police_reference="ST/0815/2026-112233",
            customer_present=True,
            sold_at=now - timedelta(days=1),
            discovered_at=now,
            note="The foil of every packet was cut along the lower edge and glued again.\nThe whole hook is put aside.",
        )
        self.report.cards.create(line=31, serial=self.cards[0].serial + 5_000_000, answer="unknown")
        self.report.cards.create(line=32, serial=None, problem="a_code", answer="bad")
        attached(bought(), ticket=self.report.ticket)
        CardSign.objects.create(
            kind=CardSignKind.NOT_ACTIVATED, batch=batch, first_serial=self.cards[9].serial,
            last_serial=self.cards[14].serial, is_run=True, cards=6, tried=4, tries=4, expected=0.04, chance=1e-8,
            since=now, until=now, raised_at=now,
        )  # fmt: skip
        serials = [card.serial for card in self.cards]
        agent = world.agent
        judging.clear(self.report, serials=serials[38:40], by=agent, reason="These were behind the counter.")
        replaced = judging.request_replacement(
            self.report, serials=serials[30:33], source=None, by=agent, reason="The buyers came back with their cards."
        )
        decisions.approve(replaced, by=self.decider)
        self.asked = judging.request_void(
            self.report, serials=serials[14:22], by=agent, reason="Cut open and glued again, all of them."
        )
        self.answered = elsewhere
        judging.close(elsewhere, serials=[serials[45]], by=agent, reason="Redeemed in good faith.")
        self.allowed = serials[30]

    def _tried(self, card: factories.Card, by: Account, at: datetime) -> None:
        Attempt.objects.create(
            account=by, program=by.program, code=card.row, outcome=AttemptOutcome.REFUSED,
            reason=RefusalReason.NOT_ACTIVATED, channel=Channel.WEB, at=at,
        )  # fmt: skip

    def of_the_agent(self) -> Iterator[State]:
        report = f"/compromised/{self.report.reference}/"
        yield State("compromised", goes_to("/compromised/"))
        yield State("compromised, none", goes_to("/compromised/?kind=scam"))
        yield State("compromised, answered", goes_to("/compromised/?stage=answered"))
        yield State("report", goes_to(report))
        yield State("report, narrowed down", goes_to(f"{report}?answer=before_sale&status=2&decision=undecided#cards"))
        yield State("report, answered", goes_to(f"/compromised/{self.answered.reference}/"))
        yield State("report taken down", goes_to(f"/compromised/new/?serial={self.cards[50].serial}"))
        yield State("report taken down, refused", self._is_incomplete)
        yield State("card on an open report", goes_to(f"/codes/{self.cards[25].serial}/"))
        yield State("ticket of a report", goes_to(f"/tickets/{self.report.ticket.reference}/"))
        yield State("void, planned", lambda visit: self._plans(visit, "Void"))
        yield State("replace, planned", lambda visit: self._plans(visit, "Replace"))
        yield State("replace, refused", self._is_refused)
        yield State("handing over", goes_to(f"{report}replace/{self.allowed}/"))
        yield State("handed over", lambda visit: self._hands_over(visit, report))

    def of_the_manager(self) -> Iterator[State]:
        yield State("approvals of reports", goes_to("/approvals/"))
        yield State("approval of voiding", goes_to(f"/approvals/{self.asked.pk}/"))
        yield State("audit of a report", goes_to(f"/audit/?target=report:{self.report.pk}"))

    def _plans(self, visit: Visit, verb: str) -> None:
        page = visit.page
        page.goto(f"/compromised/{self.report.reference}/")
        for box in page.locator("[data-row] input[type=checkbox]").all()[:4]:
            box.check()
        page.get_by_role("button", name=f"{verb}…").click()
        page.get_by_role("region", name="What would happen").wait_for()

    def _is_refused(self, visit: Visit) -> None:
        self._plans(visit, "Replace")
        page = visit.page
        page.evaluate("for (const each of document.querySelectorAll('.judge-form [required]')) each.required = false")
        page.locator("form.judge-form button").click()
        page.locator(".field-error").first.wait_for()

    def _is_incomplete(self, visit: Visit) -> None:
        page = visit.page
        page.goto("/compromised/new/")
        page.evaluate("for (const each of document.querySelectorAll('[required]')) each.required = false")
        page.get_by_role("button", name="Freeze these cards").click()
        page.get_by_text("This field is required.").first.wait_for()

    def _hands_over(self, visit: Visit, report: str) -> None:
        visit.page.goto(f"{report}replace/{self.allowed}/")
        visit.page.get_by_role("button", name="Make it and show it now").click()
        visit.page.get_by_role("region", name="The new card").wait_for()
