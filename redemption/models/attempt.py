"""Every try to redeem, with its outcome; and the one that won. Both append-only."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from redemption.models.account import Account, random_reference
from redemption.models.batch import Batch
from redemption.models.code import Code
from redemption.models.fields import HotForeignKey, TransactionIdField
from redemption.models.program import Program
from redemption.refusals import RefusalReason


class AttemptOutcome(models.TextChoices):
    REDEEMED = "redeemed", "Redeemed"
    REFUSED = "refused", "Refused"
    PREVIEWED = "previewed", "Previewed"


class Channel(models.TextChoices):
    WEB = "web", "Web"
    DESKTOP = "desktop", "Desktop app"
    MOBILE = "mobile", "Mobile app"
    API = "api", "API"
    STAFF = "staff", "Staff"


def attempt_reference() -> str:
    return random_reference("AT")


class Attempt(models.Model):
    reference = models.CharField(max_length=20, default=attempt_reference)
    account = models.ForeignKey(Account, models.PROTECT, related_name="attempts", db_index=False)
    program = HotForeignKey(Program, related_name="+")
    # Null: nothing of ours was typed. No digest of unknown codes is kept: it would be a list of what people try.
    code = models.ForeignKey(Code, models.PROTECT, null=True, related_name="attempts", db_index=False)
    # The card one slip away from an unknown code, if there was exactly one.
    near_code = models.ForeignKey(Code, models.PROTECT, null=True, related_name="near_attempts", db_index=False)
    outcome = models.CharField(max_length=10, choices=AttemptOutcome)
    reason = models.CharField(max_length=30, choices=RefusalReason, blank=True)
    channel = models.CharField(max_length=10, choices=Channel)
    apparent_country = models.CharField(max_length=2, blank=True)
    at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Not unique=True, which adds a second index for LIKE.
            models.UniqueConstraint(fields=["reference"], name="one_attempt_per_reference"),
            models.CheckConstraint(
                condition=(Q(outcome=AttemptOutcome.REFUSED) & ~Q(reason=""))
                | (~Q(outcome=AttemptOutcome.REFUSED) & Q(reason="")),
                name="refused_attempts_have_a_reason",
            ),
        ]
        indexes = [
            # An account's page: its attempts, newest first; redeem(): its previews of a code.
            models.Index(fields=["account", "-id"], name="attempt_account"),
            # A code's timeline.
            models.Index(fields=["code", "-id"], name="attempt_code", condition=Q(code__isnull=False)),
            models.Index(fields=["near_code"], name="attempt_near", condition=Q(near_code__isnull=False)),
            # The roll-up of batches' figures: what was written since.
            models.Index(fields=["xact"], name="attempt_xact"),
            # The failures of a stretch of time, in whose order rows come: a few bytes a megabyte say where it is.
            BrinIndex(fields=["at"], name="attempt_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return self.reference


class Redemption(models.Model):
    """The attempt that won. Unique on the code: the database itself allows no second one."""

    code = models.OneToOneField(Code, models.PROTECT, related_name="redemption")
    account = models.ForeignKey(Account, models.PROTECT, related_name="redemptions")
    attempt = models.OneToOneField(Attempt, models.PROTECT, related_name="redemption")
    batch = HotForeignKey(Batch, related_name="+")
    value = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    months = models.PositiveSmallIntegerField(default=0)
    days = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.code_id} by {self.account_id}"
