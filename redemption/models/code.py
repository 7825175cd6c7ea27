"""One code: the row that the whole product turns on. Kept narrow, because there are millions.

The primary key is the serial number. The code itself is nowhere: its keyed digest and last four symbols are.
"""

from django.conf import settings
from django.db import models

from redemption.models.batch import Batch
from redemption.models.fields import HotForeignKey


class CodeStatus(models.IntegerChoices):
    INACTIVE = 0, "Inactive"
    ACTIVE = 1, "Active"
    REDEEMED = 2, "Redeemed"
    FROZEN = 3, "Frozen"
    VOID = 4, "Void"
    REPLACED = 5, "Replaced"

    @property
    def is_unspent(self) -> bool:
        return self in {CodeStatus.INACTIVE, CodeStatus.ACTIVE, CodeStatus.FROZEN}


class Code(models.Model):
    serial = models.BigIntegerField("serial number", primary_key=True)
    digest = models.BinaryField(max_length=16, unique=True, editable=False)
    # No constraint per row: loading a million would check a million times. A statement's trigger checks the set.
    batch = HotForeignKey(Batch, related_name="codes", editable=False)
    key_version = models.SmallIntegerField(editable=False)
    status = models.SmallIntegerField(choices=CodeStatus, default=CodeStatus.INACTIVE, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    # Null: not sold yet. A thawed card goes back to active or inactive by it.
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["serial"]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=CodeStatus.values), name="code_status_is_known"),
            models.CheckConstraint(
                condition=~models.Q(status__in=[CodeStatus.ACTIVE, CodeStatus.REDEEMED])
                | models.Q(activated_at__isnull=False),
                name="active_and_redeemed_codes_were_activated",
            ),
        ]
        indexes = [
            # The look-up: last four symbols with a batch or retailer.
            models.Index(fields=["last_four", "batch"], name="code_last_four"),
        ]

    def __str__(self) -> str:
        return str(self.serial)


class Replacement(models.Model):
    """A card's value handed to a successor. Chains are followed from row to row; each card has one successor."""

    original = models.OneToOneField(Code, models.PROTECT, related_name="replaced_by")
    successor = models.OneToOneField(Code, models.PROTECT, related_name="replaces")
    value = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    expires_on = models.DateField(null=True, blank=True)
    breakage_posted_for = models.DateField(null=True, blank=True)
    # One may cover several cards of a report.
    approval = models.ForeignKey("redemption.Approval", models.PROTECT, related_name="replacements")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(original=models.F("successor")), name="no_card_replaces_itself"),
        ]
        indexes = [
            # The nightly post_breakage, for successors.
            models.Index(
                fields=["expires_on"], name="replacement_expiry", condition=models.Q(expires_on__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.original_id} → {self.successor_id}"
