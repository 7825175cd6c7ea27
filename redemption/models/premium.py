"""Premium time, kept as grants that cannot overlap."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value

from redemption.models.account import Account
from redemption.models.attempt import Redemption


class PremiumGrant(models.Model):
    """A stretch of premium days, half-open: the upper bound is the first day without.

    Months are counted from the chain's anchor day, so that 31 January plus a month is 28 February, and one more
    is 31 March. Days are counted as they are.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="premium_grants")
    # Null where all of it was taken back.
    period = DateRangeField(null=True)
    months = models.PositiveSmallIntegerField(default=0)
    days = models.PositiveSmallIntegerField(default=0)
    # Days of it that were taken back before they were used.
    taken_back = models.PositiveSmallIntegerField(default=0, db_default=0)
    anchor_day = models.PositiveSmallIntegerField()
    # Null for time that an agent granted: its manual credit points here.
    redemption = models.OneToOneField(Redemption, models.PROTECT, null=True, related_name="premium_grant")
    at = models.DateTimeField()

    class Meta:
        ordering = ["account", "period"]
        constraints = [
            ExclusionConstraint(
                name="premium_grants_never_overlap",
                # A range of one account stands in for btree_gist's equality, which the embedded server lacks.
                expressions=[
                    (
                        Func(F("account"), F("account"), Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    ("period", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=Q(months__gt=0, days=0) | Q(months=0, days__gt=0), name="grant_keeps_months_or_days"
            ),
            models.CheckConstraint(condition=Q(period__isempty=False), name="grant_is_not_empty"),
            models.CheckConstraint(
                condition=Q(anchor_day__gte=1, anchor_day__lte=31), name="anchor_is_a_day_of_the_month"
            ),
        ]

    def __str__(self) -> str:
        """“15 June 2026 up to 15 July 2026”, and what was taken back of it."""
        back = f"{self.taken_back} day{'' if self.taken_back == 1 else 's'}"
        if self.period is None:
            return f"All {back} taken back"
        kept = f"{self.period.lower:%-d %B %Y} up to {self.period.upper:%-d %B %Y}"
        return f"{kept}, {back} taken back" if self.taken_back else kept
