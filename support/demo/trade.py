"""What goes right: cards sold week by week, and many of them redeemed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random

from redemption.cards import activate_cards
from redemption.ledger import post_breakage
from redemption.models import Channel
from redemption.redeem import redeem
from redemption.roles import Role
from support.demo import accounts, batches
from support.demo.diary import Diary
from support.demo.world import World

# The first cards of each batch are kept for the story, which says when they are sold; the crowd takes those after them.
KEPT = 12
_MOST_REDEEMED = 45
# Where the story needs all cards unspent, or nobody may redeem any more.
_LEFT_ALONE = {"old credit", "expired promo", "expired bundle", "se withdrawn", "us stolen"}
_CHANNELS = (Channel.WEB, Channel.WEB, Channel.MOBILE, Channel.DESKTOP)


@dataclass(frozen=True, slots=True)
class _Sale:
    """A week's sales: the cards of these places in the batch, half-open."""

    at: datetime
    first: int
    after: int


def write(diary: Diary, random: Random) -> None:
    """After the story, which needs some cards sold at its own time."""
    world = diary.world
    for name, plan in (batches.PLANS | batches.IMPORTS).items():
        if plan.issued is None or not (plan.sold or plan.given):
            continue
        began = world.ago(plan.issued - 4, 10)
        sales = _sales(plan, began, random) if plan.sold else [_Sale(began, KEPT, plan.quantity)]
        if plan.sold:
            for card in world.cards[name][:KEPT]:
                diary.note(diary.sale_of(card, began), partial(_sell, world, card.serial, card.serial))
            for sale in sales:
                first, last = world.cards[name][sale.first].serial, world.cards[name][sale.after - 1].serial
                diary.note(sale.at, partial(_sell, world, first, last))
        if name not in _LEFT_ALONE:
            _redeem(diary, name, sales, random)
    # As it was done night by night; here month by month, which posts the same.
    for days in range(150, -1, -30):
        diary.note(world.ago(days, 3), _post_breakage)


def _post_breakage(at: datetime) -> None:
    post_breakage(now=at)


def _sales(plan: batches.Plan, began: datetime, random: Random) -> list[_Sale]:
    assert plan.issued
    weeks = (plan.issued - 4 - plan.until) // 7
    places = sorted({KEPT, plan.sold, *(random.randrange(KEPT, plan.sold) for _ in range(weeks - 1))})
    return [_Sale(began + timedelta(weeks=week), first, after) for week, (first, after) in enumerate(pairwise(places))]


def _sell(world: World, first: int, last: int, at: datetime) -> None:
    # It is the till that reports what was sold.
    activate_cards(first=first, last=last, by=world.people[Role.SYSTEM], now=at)


def _redeem(diary: Diary, name: str, sales: list[_Sale], random: Random) -> None:
    """The crowd redeems some of what was sold, within weeks, each account at most one card of a batch."""
    world = diary.world
    product = world.batches[name].product
    people = [key for country in product.countries for key in accounts.crowd(world, product.program.name, country)]
    sold_at = {place: sale.at for sale in sales for place in range(sale.first, sale.after)}
    count = min(len(people), len(sold_at) // 3, _MOST_REDEEMED)
    for who, place in zip(random.sample(people, count), random.sample(sorted(sold_at), count), strict=True):
        at = min(sold_at[place] + timedelta(days=random.uniform(0.05, 30)), world.now - timedelta(days=random.random()))
        diary.note(at, partial(_try, world, who, world.cards[name][place].text, random.choice(_CHANNELS)))


def _try(world: World, who: str, text: str, channel: Channel, at: datetime) -> None:
    """Whatever comes of it: now and then somebody has premium for too long ahead, or is no new subscriber."""
    redeem(account=world.accounts[who], text=text, channel=channel, now=at)
