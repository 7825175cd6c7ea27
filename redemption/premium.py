"""Premium time that people grant and take back, beside what redeem() grants."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from redemption.models import Account, PremiumGrant
from redemption.premium_time import extend, is_within_cap


class PremiumError(Exception):
    """The time cannot be granted or taken back; the text says why."""


def grant_days(account: Account, days: int, *, now: datetime | None = None) -> PremiumGrant:
    """`days` of premium after the running time, or from today, within the program's stacking cap."""
    now = now or timezone.now()
    with transaction.atomic():
        # Two that extend at once: the second waits here and begins where the first has ended.
        account = _locked(account)
        today = account.program.today(now)
        stretch = extend(
            today=today, until=account.premium_until, anchor_day=account.premium_anchor_day, months=0, days=days
        )
        if not is_within_cap(stretch.end, today, account.program.stacking_cap_months):
            raise PremiumError(
                f"Nobody has more than {account.program.stacking_cap_months} months of premium time ahead: this would "
                f"end on {stretch.end:%-d %B %Y}."
            )
        account.premium_until, account.premium_anchor_day = stretch.end, stretch.anchor_day
        account.had_premium = True
        account.save(update_fields=["premium_until", "premium_anchor_day", "had_premium"])
        return PremiumGrant.objects.create(
            account=account, period=(stretch.start, stretch.end), days=days, anchor_day=stretch.anchor_day, at=now
        )


def days_left(grant: PremiumGrant, *, now: datetime | None = None) -> int:
    """Days of a grant that nobody has used yet, today's among them."""
    if grant.period is None:
        return 0
    today = grant.account.program.today(now or timezone.now())
    left: timedelta = grant.period.upper - max(grant.period.lower, today)
    return max(left.days, 0)


def take_back(grant: PremiumGrant, *, now: datetime | None = None) -> int:
    """Ends the grant today, and moves later ones up by the days that it still had. Returns how many these were."""
    now = now or timezone.now()
    with transaction.atomic():
        account = _locked(grant.account)
        # In order: each moves into what the one before it has left, and none ever overlaps.
        grants = list(PremiumGrant.objects.filter(account=account, period__isnull=False).order_by("period"))
        grant = next((row for row in grants if row.pk == grant.pk), grant)
        grant.account = account
        left = days_left(grant, now=now)
        if not left:
            raise PremiumError("Nothing of it is left to take back.")
        start, end = grant.period.lower, grant.period.upper - timedelta(days=left)
        grant.period = (start, end) if start < end else None
        grant.taken_back += left
        grant.save(update_fields=["period", "taken_back"])
        for later in grants[grants.index(grant) + 1 :]:
            moved = timedelta(days=left)
            later.period = (later.period.lower - moved, later.period.upper - moved)
            later.save(update_fields=["period"])
        last = PremiumGrant.objects.filter(account=account, period__isnull=False).order_by("-period").first()
        account.premium_until = last.period.upper if last else None
        account.premium_anchor_day = account.premium_until.day if account.premium_until else None
        account.save(update_fields=["premium_until", "premium_anchor_day"])
    return left


def _locked(account: Account) -> Account:
    return Account.objects.select_for_update(no_key=True, of=("self",)).select_related("program").get(pk=account.pk)
