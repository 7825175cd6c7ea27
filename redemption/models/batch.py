"""Codes of one product made for one retailer."""

from datetime import date

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from redemption.models.account import random_reference
from redemption.models.product import Product
from redemption.models.program import CodeFormat
from redemption.models.retailer import Retailer

FIRST_SERIAL, LAST_SERIAL = 1_000_000_000, 9_999_999_999


class BatchPurpose(models.TextChoices):
    PRINTED = "printed", "Printed or imported"
    # Standing batches, filled card by card. A successor's value and expiry stand on its replacement.
    REPLACEMENTS = "replacements", "Replacements"
    DIGITAL_CARDS = "digital_cards", "Digital cards"


class BatchStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    ISSUED = "issued", "Issued"
    ACTIVE = "active", "Active"
    FROZEN = "frozen", "Frozen"
    CLOSED = "closed", "Closed"


def newest_key_version() -> int:
    return len(settings.CODE_KEYS)


def batch_reference() -> str:
    return random_reference("BA")


class BatchQuerySet(models.QuerySet["Batch"]):
    def with_codes(self) -> "BatchQuerySet":
        return self.exclude(status=BatchStatus.DRAFT)


class Batch(models.Model):
    """Rules of eligibility read this row: a trigger advances `version` with every change that they could see, and
    takes the lock that live redemptions hold, so that nothing is redeemed once a freeze has committed."""

    reference = models.CharField(max_length=20, unique=True, default=batch_reference, editable=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="batches")
    retailer = models.ForeignKey(Retailer, models.PROTECT, related_name="batches")
    code_format = models.ForeignKey(CodeFormat, models.PROTECT, related_name="batches", editable=False)
    status = models.CharField(max_length=10, choices=BatchStatus, default=BatchStatus.DRAFT, editable=False)
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5_000_000)])
    # Half-open, as PostgreSQL keeps it: [first, last + 1).
    serials = BigIntegerRangeField("serial numbers", null=True, blank=True)
    expires_on = models.DateField(
        null=True, blank=True, help_text="The last day on which its codes work, in the program's time zone."
    )
    # Frozen when the codes are made: later changes to the product's price do not touch cards that are printed.
    value = models.PositiveBigIntegerField(default=0, editable=False)
    currency = models.CharField(max_length=3, blank=True, editable=False)
    purpose = models.CharField(max_length=20, choices=BatchPurpose, default=BatchPurpose.PRINTED, editable=False)
    # No code of it has a digest of an older version; rotation raises it. New codes are compared with older digests only
    # where a batch of their program has some.
    key_version = models.SmallIntegerField(default=newest_key_version, editable=False)
    # Which expiry date's breakage has been posted; an extension clears it.
    breakage_posted_for = models.DateField(null=True, blank=True, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", editable=False)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "batches"
        constraints = [
            ExclusionConstraint(
                name="batches_never_share_a_serial_number",
                expressions=[("serials", RangeOperators.OVERLAPS)],
                violation_error_code="serials_overlap",
                violation_error_message="Another batch has some of these serial numbers already.",
            ),
            models.CheckConstraint(
                condition=Q(status=BatchStatus.DRAFT) | Q(serials__isnull=False),
                name="batch_with_codes_has_serials",
            ),
            models.CheckConstraint(
                condition=Q(serials__isnull=True) | Q(serials__contained_by=f"[{FIRST_SERIAL},{LAST_SERIAL}]"),
                name="serial_numbers_have_ten_digits",
                violation_error_code="serials_out_of_range",
                violation_error_message="Serial numbers have ten digits.",
            ),
        ]
        indexes = [
            # The nightly post_breakage: batches whose last day is over.
            models.Index(fields=["expires_on"], name="batch_expiry", condition=Q(expires_on__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_replacement(self) -> bool:
        return self.purpose == BatchPurpose.REPLACEMENTS

    @property
    def first_serial(self) -> int | None:
        return self.serials.lower if self.serials else None

    @property
    def last_serial(self) -> int | None:
        return self.serials.upper - 1 if self.serials else None

    def clean(self) -> None:
        today = self.product.program.today() if self.product_id else date.min
        if isinstance(self.expires_on, date) and self.expires_on < today:
            raise ValidationError({"expires_on": "The expiry lies before the issue: choose a day to come."})
        if self.retailer_id and self._state.adding and not self.retailer.is_active:
            raise ValidationError({"retailer": f"{self.retailer} gets no new batches."})
