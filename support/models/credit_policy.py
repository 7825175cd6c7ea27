"""What may be credited, by whom, up to where. Data: each change makes a new version, and old ones stay as they were."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from redemption.models import Approval
from redemption.models.fields import TransactionIdField
from redemption.roles import Role

# Beside the currencies: a credit of premium time is counted in days.
DAYS = "days"


class Proof(models.TextChoices):
    """What a reason demands beside the ticket."""

    NOTHING = "nothing", "Nothing more"
    CARD = "card", "The card"
    RECEIPT = "receipt", "A receipt"
    EITHER = "either", "The card or a receipt"


class CreditReason(models.Model):
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=300, blank=True, help_text="When to use it, for agents.")
    proof = models.CharField(max_length=10, choices=Proof, default=Proof.NOTHING)
    needs_approval = models.BooleanField(
        "needs a second person", default=False, help_text="Whatever the amount and whoever asks."
    )
    is_retired = models.BooleanField(
        "retired", default=False, help_text="Credits that name it stay readable; new ones cannot."
    )

    class Meta:
        ordering = ["is_retired", "name"]
        constraints = [
            models.CheckConstraint(condition=Q(proof__in=Proof.values), name="proof_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class CreditPolicy(models.Model):
    """One version of all limits, append-only; the newest is in force."""

    made_at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    # Both null for the first version alone, which comes with the product.
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="credit_policy")
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(made_by=None, approval=None) | Q(made_by__isnull=False, approval__isnull=False),
                name="changed_policies_name_their_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"Version {self.pk}"


class CreditLimit(models.Model):
    """What a role may credit in one unit, append-only. What a limit allows is granted at once; above it a second person
    decides. Sums and counts are over the last 24 hours, 7 days and 30 days: of one's own credits that nobody approved;
    and, as `account_…`, of all credits to one account in 30 days, whoever granted them."""

    policy = models.ForeignKey(CreditPolicy, models.PROTECT, related_name="limits", db_index=False)
    role = models.CharField(max_length=20, choices=Role)
    unit = models.CharField(max_length=4, help_text="A currency, or “days” of premium time.")
    single = models.PositiveBigIntegerField(help_text="Minor units, or days.")
    day_sum = models.PositiveBigIntegerField()
    day_count = models.PositiveIntegerField()
    week_sum = models.PositiveBigIntegerField()
    week_count = models.PositiveIntegerField()
    month_sum = models.PositiveBigIntegerField()
    month_count = models.PositiveIntegerField()
    account_sum = models.PositiveBigIntegerField()
    account_count = models.PositiveIntegerField()
    # The largest credit that this role may approve for others; 0: none. It never adds to its own limits.
    approves = models.PositiveBigIntegerField(default=0)
    xact = TransactionIdField()

    class Meta:
        ordering = ["policy", "unit", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "role", "unit"], name="one_limit_per_role_and_unit"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="limited_role_is_known"),
            models.CheckConstraint(
                condition=Q(single__lte=F("day_sum"), day_sum__lte=F("week_sum"), week_sum__lte=F("month_sum"))
                & Q(day_count__lte=F("week_count"), week_count__lte=F("month_count")),
                name="longer_windows_allow_no_less",
                violation_error_message="A longer window must allow at least as much as a shorter one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()}, {self.unit}"


class CreditStop(models.Model):
    """The switch that stops all credits: the newest row says how it stands. Append-only."""

    is_on = models.BooleanField(help_text="On: nobody grants anything, approved or not.")
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return "Stopped" if self.is_on else "Allowed"
