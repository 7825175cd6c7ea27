"""Credits that agents grant, and what was taken back of them. Append-only, like the transfers that they caused."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from redemption.models import Account, Approval, Code, PremiumGrant, Program, Redemption, Retailer, Transfer
from redemption.models.account import random_reference
from redemption.models.fields import HotForeignKey, TransactionIdField
from redemption.money import format_minor
from redemption.roles import Role
from support.models.attachment import Attachment
from support.models.credit_policy import DAYS, CreditPolicy, CreditReason
from support.models.ticket import Ticket


def credit_reference() -> str:
    return random_reference("CR")


def format_amount(amount: int, unit: str) -> str:
    """“€30.00”, “1 day” or “30 days”."""
    if unit == DAYS:
        return f"{amount:,} day{'' if amount == 1 else 's'}"
    return format_minor(amount, unit)


class CreditReversal(models.Model):
    """What was taken back, once, under an approval: of a manual credit, or of what a card gave, to move it to another
    account. `amount` is what was left of it then, in the unit of what it reverses."""

    credit = models.OneToOneField(
        "support.ManualCredit", models.PROTECT, null=True, blank=True, related_name="reversal"
    )
    redemption = models.OneToOneField(Redemption, models.PROTECT, null=True, related_name="reversal")
    account = models.ForeignKey(Account, models.PROTECT, related_name="reversals")
    unit = models.CharField(max_length=4)
    amount = models.PositiveBigIntegerField()
    # Null where premium days were taken back.
    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500)
    approval = models.OneToOneField(Approval, models.PROTECT, related_name="reversal")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(credit__isnull=False, redemption=None) | Q(credit=None, redemption__isnull=False),
                name="reversal_is_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reversals_take_something_back"),
            models.CheckConstraint(
                condition=Q(unit=DAYS, transfer=None) | (~Q(unit=DAYS) & Q(transfer__isnull=False)),
                name="reversed_money_names_its_transfer",
            ),
        ]
        indexes = [
            # The seals: what was written since.
            models.Index(fields=["xact"], name="reversal_xact"),
        ]

    def __str__(self) -> str:
        return f"{self.shown} taken back"

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit)


class ManualCredit(models.Model):
    """Written by support.actions.credits alone, which holds it to the policy. What somebody else approved names the
    approval; the rest was within the limits of whoever granted it."""

    reference = models.CharField(max_length=20, unique=True, default=credit_reference, editable=False)
    # The form's: posted twice, it makes one credit.
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="credits", db_index=False)
    program = HotForeignKey(Program, related_name="+")
    unit = models.CharField(max_length=4)
    amount = models.PositiveBigIntegerField()
    reason = models.ForeignKey(CreditReason, models.PROTECT, related_name="credits", db_index=False)
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="credits")
    code = models.ForeignKey(Code, models.PROTECT, null=True, related_name="credits", db_index=False)
    retailer = HotForeignKey(Retailer, null=True, related_name="+")
    receipt = models.ForeignKey(Attachment, models.PROTECT, null=True, related_name="credits", db_index=False)
    # The receipt's file: the same one on another ticket is found by it.
    receipt_digest = models.BinaryField(max_length=32, null=True)
    note = models.CharField(max_length=1000, blank=True)

    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    granted_as = models.CharField(max_length=20, choices=Role)
    granted_at = models.DateTimeField()
    policy = models.ForeignKey(CreditPolicy, models.PROTECT, related_name="+", db_index=False)
    approval = models.OneToOneField(Approval, models.PROTECT, null=True, related_name="credit")
    # The customer's own sign-ins, and whether he had written to us on the ticket by then.
    customers = ArrayField(models.BigIntegerField(), default=list)
    customer_wrote = models.BooleanField()

    transfer = models.OneToOneField(Transfer, models.PROTECT, null=True, related_name="credit_granted")
    premium_grant = models.OneToOneField(PremiumGrant, models.PROTECT, null=True, related_name="credit")
    # What this credit hands on, where it moves what a card gave to the wrong account.
    moves = models.OneToOneField(CreditReversal, models.PROTECT, null=True, related_name="moved_to")
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="credits_are_above_zero"),
            models.CheckConstraint(
                condition=Q(unit=DAYS, transfer=None, premium_grant__isnull=False)
                | (~Q(unit=DAYS) & Q(transfer__isnull=False, premium_grant=None)),
                name="credit_names_what_it_gave",
            ),
            models.CheckConstraint(condition=~Q(customers__contains=[F("granted_by")]), name="nobody_credits_himself"),
            models.CheckConstraint(
                condition=Q(moves=None) | Q(approval__isnull=False), name="moves_need_a_second_person"
            ),
        ]
        indexes = [
            # The rolling sums of a person; the figures of an agent.
            models.Index(fields=["granted_by", "granted_at"], name="credit_by"),
            # The rolling sums of an account; its earlier credits.
            models.Index(fields=["account", "granted_at"], name="credit_account"),
            # Earlier credits for this card and this receipt.
            models.Index(fields=["code"], name="credit_code", condition=Q(code__isnull=False)),
            models.Index(fields=["receipt_digest"], name="credit_receipt", condition=Q(receipt_digest__isnull=False)),
            # The managers' figures of a stretch of time.
            models.Index(fields=["granted_at"], name="credit_time"),
            # The seals: what was written since.
            models.Index(fields=["xact"], name="credit_xact"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit)
