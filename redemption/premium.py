"""Premium time that people grant and take back, beside what redeem() grants."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
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
            account=account,
            period=DateRange(stretch.start, stretch.end),
            days=days,
            anchor_day=stretch.anchor_day,
            at=now,
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
        back = timedelta(days=left)
        start, end = grant.period.lower, grant.period.upper - back
        if start < end:
            _place(grant, start, end)
        else:
            grant.period = None
        grant.taken_back += left
        grant.save(update_fields=["period", "anchor_day", "taken_back"])
        for later in grants[grants.index(grant) + 1 :]:
            _place(later, later.period.lower - back, later.period.upper - back)
            later.save(update_fields=["period", "anchor_day"])
        last = PremiumGrant.objects.filter(account=account, period__isnull=False).order_by("-period").first()
        account.premium_until, account.premium_anchor_day = (
            (last.period.upper, last.anchor_day) if last else (None, None)
        )
        account.save(update_fields=["premium_until", "premium_anchor_day"])
    return left


def _place(grant: PremiumGrant, start: date, end: date) -> None:
    """Months that follow are counted from the new end: the chain begins anew there, as after days."""
    grant.period, grant.anchor_day = DateRange(start, end), end.day


def _locked(account: Account) -> Account:
    return Account.objects.select_for_update(no_key=True, of=("self",)).select_related("program").get(pk=account.pk)
