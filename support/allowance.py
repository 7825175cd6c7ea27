"""What somebody may still credit alone to an account, as it stands beside the form: one table, and one sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from redemption.models import Account, User, Wallet
from redemption.money import decimals
from redemption.premium_time import extend, is_within_cap
from support import policy
from support.models import DAYS, CreditLimit, CreditReason, format_amount

_WINDOWS = (
    ("day", "You, in 24 hours"),
    ("week", "You, in 7 days"),
    ("month", "You, in 30 days"),
    ("account", "This account, in 30 days"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """What one rule still allows, in the order of the units: how much, and in how many credits."""

    rule: str
    cells: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Allowance:
    """`alone`: the most that this person may credit at this moment without a colleague, by unit, in minor units or
    days."""

    units: list[str]
    rows: list[Room]
    alone: dict[str, int]
    limits: dict[str, CreditLimit]
    used: dict[str, dict[str, int]]

    @property
    def sentence(self) -> str:
        most = [format_amount(amount, unit) for unit, amount in self.alone.items() if amount]
        none = ["days" if unit == DAYS else unit for unit, amount in self.alone.items() if not amount]
        if not most:
            return "Whatever you credit here now, a second person decides."
        but = f", and nothing in {none[0]}" if none else ""
        return f"Alone you may credit up to {' or '.join(most)} here now{but}; above it, a second person decides."

    @property
    def is_used_up(self) -> bool:
        return not any(self.alone.values())

    def hits(self, unit: str, amount: int, reason: CreditReason | None) -> list[str]:
        """The sentences of the rules that a credit would pass; without a reason yet, those of the figures."""
        limit = self.limits[unit]
        passed = policy.hits(limit, self.used[unit], amount=amount, reason=reason or CreditReason())
        return [hit.sentence(limit) for hit in passed]


def units_of(account: Account) -> list[str]:
    return [account.currency, DAYS]


def unit_label(unit: str) -> str:
    return "Premium days" if unit == DAYS else f"Credit in {unit}"


def allowance(account: Account, *, by: User, now: datetime) -> Allowance:
    """What the limits leave of what was granted so far; the domain measures again, under its locks."""
    current = policy.current_policy()
    limits = {unit: policy.limit_of(by.role, unit, current) for unit in units_of(account)}
    used = {unit: policy.used(by=by, account=account, unit=unit, now=now) for unit in limits}
    rows = [Room("One credit", [(_amount(limit.single, unit), "") for unit, limit in limits.items()])]
    for window, rule in _WINDOWS:
        rows.append(Room(rule, [_left(limit, used[unit], window, unit) for unit, limit in limits.items()]))
    alone = {unit: _alone(limit, used[unit]) for unit, limit in limits.items()}
    return Allowance([unit_label(unit) for unit in limits], rows, alone, limits, used)


def _left(limit: CreditLimit, used: dict[str, int], window: str, unit: str) -> tuple[str, str]:
    amount = max(getattr(limit, f"{window}_sum") - used[f"{window}_sum"], 0)
    count = max(getattr(limit, f"{window}_count") - used[f"{window}_count"], 0)
    if not (amount and count):
        return "Nothing", ""
    return format_amount(amount, unit), f"{count} credit{'' if count == 1 else 's'}"


def _amount(amount: int, unit: str) -> str:
    return format_amount(amount, unit) if amount else "Nothing"


def _alone(limit: CreditLimit, used: dict[str, int]) -> int:
    windows = [window for window, _ in _WINDOWS]
    if any(used[f"{window}_count"] >= getattr(limit, f"{window}_count") for window in windows):
        return 0
    left: list[int] = [getattr(limit, f"{window}_sum") - used[f"{window}_sum"] for window in windows]
    return max(min([limit.single, *left]), 0)


# --- What the account has, and would have


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one unit: what the account has now, and for the page's own arithmetic the bare figures."""

    unit: str
    label: str
    now: str
    then: str = ""
    balance: int = 0
    decimals: int = 0
    starts: str = ""


def holdings(account: Account, *, now: datetime, wanted: tuple[str, int] | None = None) -> list[Holding]:
    """Both units. `wanted`: what it gets, or below zero loses, of which one; what it would then have is told too."""
    unit, amount = wanted or ("", 0)
    currency = account.currency
    balance = Wallet.objects.filter(account=account, currency=currency).values_list("balance", flat=True).first() or 0
    money = Holding(
        currency,
        unit_label(currency),
        format_amount(balance, currency),
        format_amount(balance + amount, currency) if unit == currency else "",
        balance=balance,
        decimals=decimals(currency),
    )
    today = account.program.today(now)
    until = account.premium_until if account.premium_until and account.premium_until > today else None
    days = Holding(
        DAYS,
        unit_label(DAYS),
        f"until {until:%-d %B %Y}" if until else "none",
        f"until {(until or today) + timedelta(amount):%-d %B %Y}" if unit == DAYS else "",
        starts=f"{until or today:%Y-%m-%d}",
    )
    return [money, days]


def passes_cap(account: Account, days: int, *, now: datetime) -> str:
    """Why the account cannot have so many days ahead, in a sentence; empty where it can."""
    today, months = account.program.today(now), account.program.stacking_cap_months
    stretch = extend(
        today=today, until=account.premium_until, anchor_day=account.premium_anchor_day, months=0, days=days
    )
    if is_within_cap(stretch.end, today, months):
        return ""
    return f"Nobody has more than {months} months of premium time ahead: this would end on {stretch.end:%-d %B %Y}."
