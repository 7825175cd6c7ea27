"""Batches in every stage of their life: issued or imported, given away, expired, not yet active, still a draft."""

import io
import secrets
from dataclasses import dataclass
from datetime import timedelta

import pyrage

from redemption.batches import activate_batch
from redemption.importing import import_codes
from redemption.issuing import issue_batch
from redemption.models import Batch
from redemption.print_files import confirm_receipt, path_of
from redemption.roles import Role
from support.demo.programs import FILMS
from support.demo.state import DemoError
from support.demo.world import Card, World


@dataclass(frozen=True, slots=True)
class Plan:
    """`issued`: days ago; None: still a draft. `expires`: days from now, below zero for what has expired. `sold`: how
    many are sold by the day `until`, also days ago. `given`: all of it counts as sold at once, as for codes that are
    given away or billed in one sum. `printed`: the printer has confirmed that the file arrived."""

    sku: str
    retailer: str
    quantity: int
    issued: int | None
    expires: int | None = None
    sold: int = 0
    until: int = 2
    given: bool = False
    active: bool = True
    printed: bool = True


PLANS = {
    "old credit": Plan("CREDIT-10-GB", "Fennel Lane News", 400, 900, sold=120, until=500),
    "us credit 10": Plan("CREDIT-10-US", "Corner Lantern", 2000, 180, sold=220),
    "us credit": Plan("CREDIT-30-US", "Maple & Main", 2000, 176, sold=300),
    "us month": Plan("PREMIUM-1M-US", "Corner Lantern", 2000, 172, sold=300),
    "us quarter": Plan("PREMIUM-3M-US", "Maple & Main", 1000, 168, sold=160),
    "us year": Plan("PREMIUM-12M-US", "Maple & Main", 500, 166, sold=60),
    "gb credit": Plan("CREDIT-30-GB", "Ludlow & Hart", 2000, 162, sold=260),
    "gb month": Plan("PREMIUM-1M-GB", "Fennel Lane News", 1500, 158, sold=240),
    "gb quarter": Plan("PREMIUM-3M-GB", "Ludlow & Hart", 1000, 155, sold=120),
    "de credit": Plan("CREDIT-30-DE", "Kaufhaus Lindner", 1500, 150, sold=200),
    "de month": Plan("PREMIUM-1M-DE", "Kaufhaus Lindner", 1500, 148, sold=180),
    "de credit 60": Plan("CREDIT-60-DE", "Kaufhaus Lindner", 500, 140, sold=70),
    "se credit": Plan("CREDIT-300-SE", "Norrviken Butiker", 1000, 136, sold=120),
    "se month": Plan("PREMIUM-1M-SE", "Norrviken Butiker", 1000, 134, sold=110),
    "se withdrawn": Plan("CREDIT-100-SE", "Norrviken Butiker", 300, 178, sold=40, until=65),
    "us stolen": Plan("CREDIT-60-US", "Corner Lantern", 500, 40, sold=45, until=8),
    "promo": Plan("PROMO-2M", "Autumn Sessions", 1500, 60, expires=45, given=True),
    "expired promo": Plan("PROMO-2M", "Autumn Sessions", 800, 130, expires=-41, given=True),
    "newsletter": Plan("PROMO-10D", "Autumn Sessions", 600, 75, expires=20, given=True),
    "trial": Plan("TRIAL-3M", "Halcyon Consoles", 1200, 120, expires=240, given=True),
    "bundle": Plan("BUNDLE-6M-GB", "Tellwave Mobile", 600, 110, expires=300, given=True),
    "expired bundle": Plan("BUNDLE-6M-GB", "Tellwave Mobile", 200, 170, expires=-19, given=True),
    "on its way": Plan("PREMIUM-12M-DE", "Kaufhaus Lindner", 750, 4, active=False, printed=False),
    "planned": Plan("PREMIUM-3M-GB", "Ludlow & Hart", 20_000, None, expires=700),
}
# The supplier's PINs come as files.
IMPORTS = {
    "us films": Plan("PIN-25-US", "Maple & Main", 1200, 145, sold=150),
    "gb films": Plan("PIN-25-GB", "Ludlow & Hart", 900, 144, sold=110),
    "de films": Plan("PIN-50-DE", "Kaufhaus Lindner", 600, 143, sold=70),
}


class Printer:
    """The printing house: its key opens what leaves here encrypted. The key is gone when the loading ends."""

    def __init__(self) -> None:
        self._identity = pyrage.x25519.Identity.generate()

    @property
    def key(self) -> str:
        return str(self._identity.to_public())

    def read(self, encrypted: bytes) -> list[Card]:
        lines = pyrage.decrypt(encrypted, [self._identity]).decode().splitlines()
        return [Card(int(serial), text) for serial, text in (line.split(",") for line in lines)]


def load(world: World, printer: Printer) -> None:
    for name, plan in PLANS.items():
        world.batches[name] = batch = _draft(world, plan)
        if plan.issued is not None:
            _issue(world, name, plan, batch, printer)
    for name, plan in IMPORTS.items():
        _import(world, name, plan)


def _issue(world: World, name: str, plan: Plan, batch: Batch, printer: Printer) -> None:
    manager, at = world.people[Role.MANAGER], world.ago(plan.issued or 0, 9)
    print_file = issue_batch(batch=batch, by=manager, now=at)
    world.cards[name] = printer.read(path_of(print_file).read_bytes())
    if plan.printed:
        confirm_receipt(print_file, by=manager, now=at + timedelta(days=1))
    if plan.active:
        activate_batch(batch, by=manager, with_cards=plan.given, now=at + timedelta(days=3))


def _import(world: World, name: str, plan: Plan) -> None:
    manager, at = world.people[Role.MANAGER], world.ago(plan.issued or 0, 9)
    texts: dict[str, None] = {}
    while len(texts) < plan.quantity:
        texts[f"{secrets.randbelow(10**11):011}"] = None
    file = "".join(f"{number};{text}\r\n" for number, text in enumerate(texts, start=1))
    report = import_codes(
        product=world.products[plan.sku],
        retailer=world.retailers[plan.retailer],
        by=manager,
        source=io.BytesIO(b"no;PIN\r\n" + file.encode()),
        column="PIN",
        now=at,
    )
    if report.batch is None:
        raise DemoError(f"The {FILMS} codes were not imported: {report.reasons}.")
    first = report.batch.first_serial
    assert first
    world.cards[name] = [Card(serial, text) for serial, text in enumerate(texts, start=first)]
    _backdate(report.batch, world, plan)
    activate_batch(report.batch, by=manager, now=at + timedelta(days=3))
    world.batches[name] = report.batch


def _draft(world: World, plan: Plan) -> Batch:
    product = world.products[plan.sku]
    today = product.program.today(world.now)
    batch = Batch.objects.create(
        product=product,
        retailer=world.retailers[plan.retailer],
        code_format=product.program.current_format(),
        quantity=plan.quantity,
        expires_on=None if plan.expires is None else today + timedelta(days=plan.expires),
        created_by=world.people[Role.MANAGER],
    )
    _backdate(batch, world, plan)
    return batch


def _backdate(batch: Batch, world: World, plan: Plan) -> None:
    """The model itself fills in when a row was made, and that would be the time of loading."""
    Batch.objects.filter(pk=batch.pk).update(created_at=world.ago(plan.issued or 1, 8))
    batch.refresh_from_db()
