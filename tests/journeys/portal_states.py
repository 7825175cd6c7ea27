"""The retailers' pages of reports in their states: to be filled in, refused, under way, judged, written about."""

from collections.abc import Iterator
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions.messages import write_staff_message
from support.actions.reports import Told, open_report, settle
from support.attachments import attach
from support.models import CompromiseKind, CompromiseReport, MessageKind, Outcome, ReportChannel, TicketStatus
from support.reported_lines import typed_lines
from tests import factories
from tests.journeys.states import State, World, goes_to
from tests.journeys.visit import Visit
from tests.support.test_attachments import bought


class Reports:
    """On top of a world of cards; its retailer's clerk reports them. Every answer and every outcome is there once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clerk = factories.member(world.retailer, name="Wilhelmina Featherstonehaugh-Cholmondeley")
        batch = factories.batch(world.product, retailer_id=world.retailer.pk, first_serial=7_000_000_000)
        self.cards = factories.cards(90, batch)
        for card in self.cards[:2]:
            redeem(account=factories.account(world.program), text=card.text, channel=Channel.WEB)
        first, last = self.cards[0].serial, self.cards[-1].serial
        self.full = self._report(f"{first}–{last}\n5000000000-5000000029\nnot a number\n{first}")
        self._judge()
        self._write()
        self.asked = self._report(str(self.cards[40].serial), kind=CompromiseKind.TAMPERED)
        self.asked.ticket.status = TicketStatus.WAITING_FOR_RETAILER
        self.asked.ticket.save(update_fields=["status"])
        self.large = self._report(f"{batch.serials.lower}-{batch.serials.lower + 5_000}")

    def _report(self, text: str, kind: CompromiseKind = CompromiseKind.STOLEN) -> CompromiseReport:
        now = timezone.now()
        told = Told(
            kind=kind,
            store="Kaufhaus am Hauptbahnhof, second floor beside the escalators",
            till="Till 14 of the service counter",
            sold_at=now + timedelta(seconds=1),
            discovered_at=now + timedelta(minutes=1),
            receipt_number="R-2026-000017",
            customer_present=True,
            police_reference="ST/0817/2026",
            note="The seal was torn on every package of the box.\nTwo customers have come back so far.",
        )
        opened = open_report(
            retailer=self.world.retailer,
            lines=typed_lines(text),
            told=told,
            by=self.clerk,
            channel=ReportChannel.PORTAL,
        )
        return opened.report

    def _judge(self) -> None:
        for card, outcome in zip(self.cards[1:], Outcome, strict=False):
            now, by = timezone.now(), self.world.manager
            with transaction.atomic():
                settle(retailer=self.world.retailer, serials=[card.serial], outcome=outcome, by=by, now=now)

    def _write(self) -> None:
        agent = factories.user(Role.AGENT)
        first = self.full.ticket.messages.order_by("pk").first()
        files = [SimpleUploadedFile("receipt of the till.jpg", bought()), SimpleUploadedFile("seal.svg", b"<svg>")]
        attach(ticket=self.full.ticket, message=first, files=files, kinds=["receipt", "card_photo"], by=self.clerk)
        write_staff_message(
            ticket=self.full.ticket,
            kind=MessageKind.REPLY,
            body="Which till sold them?\n\nPlease send us a photo of the box as well.",
            by=agent,
            now=timezone.now() - timedelta(minutes=5),
        )

    def pages(self) -> Iterator[State]:
        yield State("portal reports", goes_to("/retailer/reports/"))
        yield State("portal reports, none", goes_to("/retailer/reports/?stage=answered"))
        yield State("portal reports, a code", self._searches)
        yield State("portal report", goes_to(f"/retailer/reports/{self.full.reference}/"))
        yield State("portal report, one answer", goes_to(f"/retailer/reports/{self.full.reference}/?only=bad"))
        yield State("portal report, asked", goes_to(f"/retailer/reports/{self.asked.reference}/"))
        yield State("portal report, under way", goes_to(f"/retailer/reports/{self.large.reference}/"))
        yield State("portal new report", goes_to("/retailer/reports/new/"))
        yield State("portal new report, counted", self._types)
        yield State("portal new report, refused", self._is_refused)

    def _searches(self, visit: Visit) -> None:
        visit.page.goto("/retailer/reports/")
        visit.page.get_by_label("Serial number or reference").fill(self.cards[5].text)
        visit.page.get_by_role("button", name="Find").click()
        visit.sees("it was not looked up")

    def _types(self, visit: Visit) -> None:
        visit.page.goto("/retailer/reports/new/")
        visit.page.get_by_label("Serial numbers").fill(f"1000000001\n1000000100-1000000199\nno\n{self.cards[5].text}")
        visit.sees("101 cards, 1 range, 2 lines not read.")

    def _is_refused(self, visit: Visit) -> None:
        self._types(visit)
        visit.page.get_by_label("Sold at").fill("2026-06-02T10:00")
        visit.page.get_by_label("Discovered at").fill("2026-06-01T10:00")
        visit.page.get_by_role("button", name="Freeze these cards").click()
        visit.sees("This is before the sale.")
