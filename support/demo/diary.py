"""What happened, put into the order in which it happened: history is written as it was made."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from redemption.models import AttemptOutcome, Channel
from redemption.redeem import Result, redeem
from redemption.references import Untried
from redemption.refusals import RefusalReason
from support.demo.state import DemoError
from support.demo.world import Card, World

# What it returns is of no interest here.
Deed = Callable[[datetime], object]
_PROGRESS_SECONDS = 2
_FROM_THE_SHOP = timedelta(minutes=100)


class Diary:
    """Deeds with their moments. Two at one moment are done in the order in which they were noted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._entries: list[tuple[datetime, int, Deed]] = []
        self._bought: dict[int, datetime] = {}

    def note(self, at: datetime, deed: Deed) -> None:
        self._entries.append((at, len(self._entries), deed))

    def bought(self, card: Card, at: datetime) -> None:
        """The story needs this card sold by then."""
        self._bought[card.serial] = min(at, self._bought.get(card.serial, at))

    def sale_of(self, card: Card, otherwise: datetime) -> datetime:
        return self._bought.get(card.serial, otherwise)

    def play(self) -> None:
        told = time.monotonic()
        for number, (at, _, deed) in enumerate(sorted(self._entries, key=lambda entry: entry[:2]), start=1):
            deed(at)
            if time.monotonic() - told > _PROGRESS_SECONDS:
                told = time.monotonic()
                self.world.say(f"  {number:,} of {len(self._entries):,} events, up to {at:%d %B}")

    def try_code(
        self,
        at: datetime,
        account: str,
        card: Card | str,
        expected: RefusalReason | Untried | None = None,
        *,
        seen_in: str = "",
        channel: Channel = Channel.WEB,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        """Somebody tries a code. `expected`: the refusal that this must end in; None: it redeems."""
        text = card if isinstance(card, str) else card.text
        if isinstance(card, Card):
            self.bought(card, at - _FROM_THE_SHOP)
        self.note(at, lambda at: self.try_now(at, account, text, expected, seen_in=seen_in, channel=channel, then=then))

    def try_now(
        self,
        at: datetime,
        account: str,
        text: str,
        expected: RefusalReason | Untried | None = None,
        *,
        seen_in: str = "",
        channel: Channel = Channel.WEB,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        result = redeem(
            account=self.world.accounts[account], text=text, channel=channel, apparent_country=seen_in, now=at
        )
        outcome = result.untried or result.reason
        if outcome != expected or (expected is None and result.outcome != AttemptOutcome.REDEEMED):
            raise DemoError(f"{account} tries a code at {at:%d %B %Y}: expected {expected}, and it was {outcome}.")
        if then:
            then(result)


def without_symbol(text: str) -> str:
    """Mistyped: the third symbol from the end was left out."""
    return text[:-3] + text[-2:]


def swapped(text: str) -> str:
    """Mistyped: two neighbours have changed places, the last two that differ."""
    for place in range(len(text) - 1, 0, -1):
        if text[place] != text[place - 1] and "-" not in text[place - 1 : place + 1]:
            return text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]
    return text[:-1]
