"""What the parts of the demo hand on to each other while they load."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from redemption.models import Account, Batch, Product, Program, Retailer, User
from redemption.roles import Role
from support.models import CompromiseReport, Ticket


@dataclass(frozen=True, slots=True)
class Card:
    """A code in the clear, as its buyer holds it: in memory while the world loads, and nowhere else."""

    serial: int
    text: str = field(repr=False)


@dataclass(slots=True)
class World:
    """What is loaded so far, each part under a name."""

    now: datetime
    say: Callable[[str], None]
    programs: dict[str, Program] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    retailers: dict[str, Retailer] = field(default_factory=dict)
    people: dict[Role, User] = field(default_factory=dict)
    # Retailers' people, as examples.MEMBERS calls them.
    members: dict[str, User] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    cards: dict[str, list[Card]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    # Answers that left no row, and cards sent by e-mail.
    references: dict[str, str] = field(default_factory=dict)
    digital: dict[str, int] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    reports: dict[str, CompromiseReport] = field(default_factory=dict)

    def ago(self, days: float, hour: int = 12, minute: int = 0) -> datetime:
        """A moment of a past day, never one to come."""
        day = (self.now - timedelta(days=days)).date()
        return min(datetime.combine(day, time(hour, minute), self.now.tzinfo), self.now)
