"""The limits of credits: what somebody may grant alone, who may approve the rest, and whether credits are stopped."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Count, Q, Sum

from redemption.models import Account, User
from support.models import CreditLimit, CreditPolicy, CreditReason, CreditStop, ManualCredit, format_amount

WINDOWS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
ACCOUNT_WINDOW = timedelta(days=30)


class Hit(models.TextChoices):
    """Which rule asks for a second person, as an agent reads it; {limit} is filled in."""

    REASON = "reason", "This reason always needs a second person."
    SINGLE = "single", "It is more than {limit}, your limit for one credit."
    DAY_SUM = "day_sum", "Your credits of 24 hours would pass {limit}."
    DAY_COUNT = "day_count", "You would have granted more than {limit} in 24 hours."
    WEEK_SUM = "week_sum", "Your credits of 7 days would pass {limit}."
    WEEK_COUNT = "week_count", "You would have granted more than {limit} in 7 days."
    MONTH_SUM = "month_sum", "Your credits of 30 days would pass {limit}."
    MONTH_COUNT = "month_count", "You would have granted more than {limit} in 30 days."
    ACCOUNT_SUM = "account_sum", "This account’s credits of 30 days, all agents’ together, would pass {limit}."
    ACCOUNT_COUNT = "account_count", "This account would have got more than {limit} in 30 days, all agents’ together."

    def sentence(self, limit: CreditLimit) -> str:
        if self == Hit.REASON:
            return self.label
        allowed: int = getattr(limit, self.value)
        if self.value.endswith("_count"):
            return self.label.format(limit=f"{allowed} credit{'' if allowed == 1 else 's'}")
        return self.label.format(limit=format_amount(allowed, limit.unit))


def current_policy() -> CreditPolicy:
    return CreditPolicy.objects.order_by("-pk")[:1].get()


def limit_of(role: str, unit: str, policy: CreditPolicy) -> CreditLimit:
    """A role's limit; without one of its own it may grant nothing alone, and approve nothing."""
    found = CreditLimit.objects.filter(policy=policy, role=role, unit=unit).first()
    nothing = dict.fromkeys([hit.value for hit in Hit if hit != Hit.REASON], 0)
    return found or CreditLimit(policy=policy, role=role, unit=unit, **nothing)


def used(*, by: User, account: Account, unit: str, now: datetime) -> dict[str, int]:
    """What counts against each limit already, by its name: what this person granted alone and what this account got, in
    one unit. What was taken back was granted, and counts; what a card gave and was moved was never new."""
    own = ManualCredit.objects.filter(granted_by=by, unit=unit, approval=None).order_by()
    windows = {name: Q(granted_at__gt=now - length) for name, length in WINDOWS.items()}
    sums = own.filter(windows["month"]).aggregate(
        **{f"{name}_sum": Sum("amount", filter=window, default=0) for name, window in windows.items()},
        **{f"{name}_count": Count("pk", filter=window) for name, window in windows.items()},
    )
    received = ManualCredit.objects.filter(
        account=account, unit=unit, moves=None, granted_at__gt=now - ACCOUNT_WINDOW
    ).aggregate(account_sum=Sum("amount", default=0), account_count=Count("pk"))
    return {name: int(value) for name, value in (sums | received).items()}


def hits(limit: CreditLimit, so_far: Mapping[str, int], *, amount: int, reason: CreditReason) -> list[Hit]:
    """Every rule that a credit would pass, in the order of `Hit`; none: it is granted at once."""
    passed = []
    for hit in Hit:
        if hit == Hit.REASON:
            asks = reason.needs_approval
        elif hit == Hit.SINGLE:
            asks = amount > limit.single
        else:
            asks = so_far[hit.value] + (1 if hit.value.endswith("_count") else amount) > getattr(limit, hit.value)
        if asks:
            passed.append(hit)
    return passed


def approvable(by: User) -> dict[str, int]:
    """The largest credit that this person's role may approve for somebody else, by unit."""
    limits = CreditLimit.objects.filter(policy=current_policy(), role=by.role).order_by("pk")
    return dict(limits.values_list("unit", "approves"))


def stopped() -> CreditStop | None:
    """The stop in force, if all credits are stopped."""
    newest = CreditStop.objects.select_related("by").order_by("-pk").first()
    return newest if newest and newest.is_on else None
