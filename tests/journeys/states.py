"""A world with a card in every state, and how to reach every page that shows one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from redemption import approvals
from redemption.batches import close_batch, freeze_batch
from redemption.cards import activate_cards, freeze_cards, void_cards, void_payload
from redemption.code_format import check_symbol, last_four
from redemption.digests import digester
from redemption.issuing import issue_batch
from redemption.models import ApprovalAction, Attempt, Batch, BillingProvider, Channel, Code, CodeStatus, User
from redemption.print_files import open_for_download
from redemption.redeem import redeem
from redemption.references import Untried, sign
from redemption.replacing import replace_card, replace_payload
from redemption.roles import Role
from redemption.tallies import roll_up
from tests import factories
from tests.journeys.visit import Visit
from tests.redemption.batch_world import draft, printer
from tests.support.desk import wrong


@dataclass(frozen=True)
class State:
    """A page in one of its states: whose it is, and how it is reached."""

    name: str
    reach: Callable[[Visit], Any]


def goes_to(address: str) -> Callable[[Visit], Any]:
    return lambda visit: visit.page.goto(address)


def types(text: str) -> Callable[[Visit], Any]:
    def reach(visit: Visit) -> None:
        visit.page.goto("/")
        visit.page.locator("#typed:focus").wait_for()
        visit.look_up(text)

    return reach


class World:
    """Names and amounts are long ones: pages must hold them."""

    def __init__(self) -> None:
        self.agent = factories.user(Role.AGENT, name="Maximiliane von Hohenlohe-Waldenburg")
        self.manager = factories.user(Role.ADMINISTRATOR, name="Aleksandra Wojciechowska")
        self.program = factories.program("Spotify Premium United Kingdom", printer_key=printer()[1])
        self.product = factories.product(self.program, name="Gift card of thirty pounds, printed", value=123456700)
        self.retailer = factories.retailer(name="Kaufhaus am Hauptbahnhof Mönchengladbach GmbH & Co. KG")
        self.batch = self._batch()
        self.account = factories.account(self.program, email="wilhelmina.featherstonehaugh-cholmondeley@example.com")
        self.cards = {
            "works": self._card(),
            "redeemed": self._card(),
            "not activated": factories.card(self.batch, status=CodeStatus.INACTIVE),
            "frozen": self._card(),
            "void": self._card(),
            "replaced": self._card(),
            "expired": factories.card(self._batch(expires_on=factories.last_day(40))),
            "batch frozen": factories.card(self._batch()),
            "batch closed": factories.card(self._batch()),
        }
        assert redeem(account=self.account, text=self.cards["redeemed"].text, channel=Channel.WEB).is_redeemed
        freeze_cards(first=self.cards["frozen"].serial, by=self.agent, reason="reported by the shop as stolen")
        self._void(self.cards["void"].serial)
        self._replace(self.cards["replaced"].serial)
        freeze_batch(self.cards["batch frozen"].batch, by=self.agent, reason="a pallet was stolen from the lorry")
        close_batch(self.cards["batch closed"].batch, by=self.manager, reason="the shop is no more")
        other = factories.account(self.program, billing_provider=BillingProvider.APPLE, country="SE", currency="SEK")
        for tried_by, name in [(self.account, "frozen"), (self.account, "void"), (other, "redeemed")]:
            redeem(account=tried_by, text=self.cards[name].text, channel=Channel.API, apparent_country="SE")
        self.refused = Attempt.objects.filter(account=self.account).order_by("-pk")[0]
        self.other = other
        factories.account(factories.pin_program(), email=self.account.email)
        for subject in ("It says that the code is not valid", "The receipt from the Kaufhaus am Hauptbahnhof"):
            factories.ticket(
                self.program,
                subject=subject,
                account=self.account,
                code=self.cards["redeemed"].row,
                requester_name="Wilhelmina Featherstonehaugh-Cholmondeley",
            )
        self.neighbour = self._neighbour(self.cards["works"])
        self.drafted = draft(product=self.product, retailer=self.retailer, quantity=5_000_000)
        self.issued = draft(product=self.product, retailer=self.retailer, quantity=30)
        print_file = issue_batch(batch=self.issued, by=self.manager)
        open_for_download(print_file, by=self.manager).close()
        activate_cards(first=Batch.objects.get(pk=self.issued.pk).first_serial, by=User.objects.system())
        roll_up()

    def _batch(self, **fields: Any) -> Batch:
        return factories.batch(self.product, retailer_id=self.retailer.pk, **fields)

    def _card(self) -> factories.Card:
        return factories.card(self.batch)

    def _approved(self, action: ApprovalAction, serial: int, payload: dict[str, Any]) -> Any:
        asked = approvals.request(action=action, target=f"code:{serial}", payload=payload, reason="torn", by=self.agent)
        return approvals.approve(asked, by=self.manager)

    def _void(self, serial: int) -> None:
        approval = self._approved(ApprovalAction.VOID, serial, void_payload(serial))
        void_cards(first=serial, by=self.agent, approval=approval, reason="torn in two")

    def _replace(self, serial: int) -> None:
        approval = self._approved(ApprovalAction.REPLACE, serial, replace_payload(serial))
        replace_card(serial=serial, by=self.agent, approval=approval, reason="scratched until unreadable")

    def _neighbour(self, card: factories.Card) -> str:
        """Gives another card a code that differs from this one in two symbols, and what lies between them."""
        body = ("2" if card.code[0] != "2" else "3") + card.code[1:-1]
        code = body + check_symbol(body)
        digests = digester(self.program.digest_name)
        last_serial = Batch.objects.get(pk=self.batch.pk).last_serial
        assert last_serial
        Code.objects.create(
            serial=last_serial,
            digest=digests.current(code),
            batch=self.batch,
            key_version=digests.version,
            last_four=last_four(code),
        )
        return card.batch.code_format.pattern.display(card.code[:-1] + code[-1])

    def desk(self) -> Iterator[State]:
        works = self.cards["works"]
        for name, card in self.cards.items():
            yield State(f"card {name}", goes_to(f"/codes/{card.serial}/"))
        yield State("look-up", goes_to("/"))
        yield State("nothing found", types("SPOTIFY-2222-2222-2222"))
        yield State("one near miss", types(wrong(self.cards["redeemed"])))
        yield State("several near misses", types(self.neighbour))
        yield State("several records", types(self.account.email))
        yield State("tickets found", types("receipt kaufhaus"))
        yield State("link for sharing", types("spotify:track:4uLU6hMCjMI75M1A2tKUQC"))
        fails = f"/codes/{self.cards['redeemed'].serial}/?account={self.other.reference}#diagnosis"
        yield State("diagnosis, refused", goes_to(fails))
        passes = f"/codes/{works.serial}/?country=GB&plan=free&billing=direct&had_premium=on&day=2026-12-24#diagnosis"
        yield State("diagnosis, passed", goes_to(passes))
        yield State("account", goes_to(f"/customers/{self.account.reference}/"))
        yield State("attempt", goes_to(f"/attempts/{self.refused.reference}/"))
        signed = sign(Untried.UNAVAILABLE, self.account.pk, timezone.now() - timedelta(hours=1))
        yield State("try that left no row", goes_to(f"/attempts/{signed}/"))
        yield State("error 404", goes_to("/codes/1/"))

    def admin(self) -> Iterator[State]:
        batches = "/admin/redemption/batch/"
        yield State("admin", goes_to("/admin/"))
        for name in ("batch", "product", "program", "retailer", "account", "user"):
            yield State(f"list, {name}", goes_to(f"/admin/redemption/{name}/"))
        yield State("audit trail", goes_to("/audit/"))
        yield State("batch, draft", goes_to(f"{batches}{self.drafted.pk}/change/"))
        yield State("batch, issued", goes_to(f"{batches}{self.issued.pk}/change/"))
        yield State("batch, frozen", goes_to(f"{batches}{self.cards['batch frozen'].batch.pk}/change/"))
        yield State("batch, to be closed", goes_to(f"{batches}{self.issued.pk}/do/close/"))
        yield State("batch, to be extended", goes_to(f"{batches}{self.cards['expired'].batch.pk}/do/extend/"))
        yield State("new batch", goes_to(f"{batches}add/"))
        yield State("product", goes_to(f"/admin/redemption/product/{self.product.pk}/change/"))
        yield State("program", goes_to(f"/admin/redemption/program/{self.program.pk}/change/"))
        yield State("retailer", goes_to(f"/admin/redemption/retailer/{self.retailer.pk}/change/"))
        yield State("account in the admin", goes_to(f"/admin/redemption/account/{self.account.pk}/change/"))
        yield State("person", goes_to(f"/admin/redemption/user/{self.agent.pk}/change/"))
