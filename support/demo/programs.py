"""Two services' card schemes: one whose codes we make, one whose codes a supplier makes."""

from redemption.models import Benefit, CodeFormat, Plan, Product, ProductKind, Program
from support.demo.world import World

MUSIC, FILMS = "Spotify Premium", "Netflix"

# Country: currency, minor units of credit, minor units of a month's price.
COUNTRIES = {
    "US": ("USD", (1000, 3000, 6000), 1199),
    "GB": ("GBP", (1000, 3000, 6000), 1199),
    "DE": ("EUR", (1000, 3000, 6000), 1099),
    "SE": ("SEK", (10000, 30000, 60000), 12900),
}
SINGLE_PLANS = [Plan.FREE, Plan.INDIVIDUAL]


def load(world: World, printer_key: str) -> None:
    music = Program.objects.create(
        name=MUSIC,
        slug="spotify-premium",
        digest_name="spotify",
        time_zone="Europe/Stockholm",
        share_link_patterns=[
            r"^spotify:(track|album|playlist|artist|episode|user):",
            r"^(https?://)?(open|play)\.spotify\.com/",
            r"^(https?://)?spotify\.link/",
        ],
        wording={
            "new_subscribers_only": "This offer is for people who are new to Premium. A gift card works for you.",
        },
        printer_key=printer_key,
    )
    CodeFormat.objects.create(program=music, version=1, prefix="SPOTIFY")
    films = Program.objects.create(
        name=FILMS,
        slug="netflix",
        digest_name="netflix",
        time_zone="America/Los_Angeles",
        share_link_patterns=[r"^(https?://)?(www\.)?netflix\.com/(title|watch)/"],
        wording={"check_the_code": "Scratch the whole PIN free, then enter its eleven digits again."},
    )
    # The supplier's PINs: eleven digits, without a check symbol.
    CodeFormat.objects.create(
        program=films,
        version=1,
        alphabet="0123456789",
        length=11,
        has_check_symbol=False,
        look_alikes={"O": "0", "I": "1", "L": "1"},
    )
    world.programs = {MUSIC: music, FILMS: films}
    _gift_cards(world)
    _vouchers(world)


def _gift_cards(world: World) -> None:
    for country, (currency, credits_, month) in COUNTRIES.items():
        for value in credits_:
            _product(
                world, MUSIC, f"CREDIT-{value // 100}-{country}", f"Gift card {value // 100} {currency}", value, country
            )
            if country != "SE":
                value = {1000: 1500, 3000: 2500, 6000: 5000}[value]
                _product(
                    world, FILMS, f"PIN-{value // 100}-{country}", f"Card {value // 100} {currency}", value, country
                )
        for months in (1, 3, 12):
            # A year costs ten months, as gift cards do.
            price = month * (10 if months == 12 else months)
            name = f"Premium {months} month{'s' if months > 1 else ''} {country}"
            # Not for students, duos and families: their plans have a price of their own.
            _product(
                world, MUSIC, f"PREMIUM-{months}M-{country}", name, price, country, months=months, plans=SINGLE_PLANS
            )


def _vouchers(world: World) -> None:
    everywhere = list(COUNTRIES)
    _product(
        world, MUSIC, "PROMO-2M", "Autumn Sessions, 2 months", 0, *everywhere, months=2, plans=SINGLE_PLANS,
        kind=ProductKind.PROMO_VOUCHER,
    )  # fmt: skip
    _product(
        world, MUSIC, "PROMO-10D", "Newsletter, 10 days", 0, *everywhere, days=10, kind=ProductKind.PROMO_VOUCHER
    )  # fmt: skip
    _product(
        world, MUSIC, "TRIAL-3M", "Trial, 3 months", 0, *everywhere, months=3, new_subscribers_only=True,
        kind=ProductKind.PREMIUM_TRIAL,
    )  # fmt: skip
    # A carrier pays for what it gives to its customers.
    _product(
        world, MUSIC, "BUNDLE-6M-GB", "Phone bundle, 6 months", 4800, "GB", months=6, plans=SINGLE_PLANS,
        kind=ProductKind.PROMO_VOUCHER,
    )  # fmt: skip


def _product(
    world: World,
    program: str,
    sku: str,
    name: str,
    value: int,
    *countries: str,
    months: int = 0,
    days: int = 0,
    plans: list[Plan] | None = None,
    new_subscribers_only: bool = False,
    kind: ProductKind = ProductKind.GIFT_CARD,
) -> None:
    product = Product(
        program=world.programs[program],
        sku=sku,
        name=name,
        kind=kind,
        benefit=Benefit.PREMIUM if months or days else Benefit.CREDIT,
        value=value,
        currency=COUNTRIES[countries[0]][0],
        months=months,
        days=days,
        countries=list(countries),
        plans=plans or [],
        new_subscribers_only=new_subscribers_only,
    )
    product.full_clean()
    product.save()
    world.products[sku] = product
