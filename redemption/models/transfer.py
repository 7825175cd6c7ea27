"""The ledger. Every movement is one row with a debit and a credit book: an unbalanced entry cannot be written."""

from django.db import models
from django.db.models import F, Q

from redemption.models.account import Account
from redemption.models.batch import Batch
from redemption.models.code import Code
from redemption.models.fields import HotForeignKey, TransactionIdField
from redemption.models.program import Program
from redemption.models.retailer import Retailer


class Book(models.TextChoices):
    RECEIVABLE = "receivable", "Retailer receivable"
    LIABILITY = "liability", "Code liability"
    CUSTOMER_CREDIT = "customer_credit", "Customer credit"
    GOODWILL = "goodwill", "Goodwill"
    REVENUE = "revenue", "Subscription revenue"
    BREAKAGE = "breakage", "Breakage"


class TransferKind(models.TextChoices):
    ACTIVATE = "activate", "Card sold"
    REDEEM = "redeem", "Code redeemed"
    VOID = "void", "Card voided"
    BREAKAGE = "breakage", "Card expired"
    REPLACE = "replace", "Card replaced"
    MANUAL_CREDIT = "manual_credit", "Manual credit"
    RENEWAL = "renewal", "Month's plan paid"
    REVERSAL = "reversal", "Reversal"


class Wallet(models.Model):
    """An account's credit in one currency, in minor units. Its balance is the sum of its transfers, and says so:
    both change in one transaction, and `reconcile` compares them."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="wallets", db_index=False)
    currency = models.CharField(max_length=3)
    balance = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["account", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["account", "currency"], name="one_wallet_per_currency"),
            models.CheckConstraint(
                condition=Q(balance__gte=0),
                name="wallet_never_below_zero",
                violation_error_code="not_enough_credit",
                violation_error_message="The account has not enough credit.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.currency}"


class Transfer(models.Model):
    debit = models.CharField(max_length=20, choices=Book)
    credit = models.CharField(max_length=20, choices=Book)
    wallet = models.ForeignKey(
        Wallet,
        models.PROTECT,
        null=True,
        related_name="transfers",
        help_text="Null between the house's own books.",
    )
    amount = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=20, choices=TransferKind)
    # What caused it, such as “code:1000000123”; the same cause never posts twice.
    source = models.CharField(max_length=60)
    program = HotForeignKey(Program, related_name="+")
    retailer = HotForeignKey(Retailer, null=True, related_name="+")
    batch = HotForeignKey(Batch, null=True, related_name="+")
    code = models.ForeignKey(Code, models.PROTECT, null=True, related_name="transfers", db_index=False)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, related_name="reversed_by")
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="debit_and_credit_books_differ"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="amounts_are_above_zero"),
            models.CheckConstraint(
                condition=Q(debit__in=Book.values) & Q(credit__in=Book.values), name="books_are_known"
            ),
            models.CheckConstraint(
                condition=(Q(wallet__isnull=False) & (Q(debit=Book.CUSTOMER_CREDIT) | Q(credit=Book.CUSTOMER_CREDIT)))
                | (Q(wallet__isnull=True) & ~Q(debit=Book.CUSTOMER_CREDIT) & ~Q(credit=Book.CUSTOMER_CREDIT)),
                name="customer_credit_names_its_wallet",
            ),
            models.UniqueConstraint(fields=["kind", "source"], name="a_cause_posts_once"),
            models.CheckConstraint(
                condition=(Q(kind=TransferKind.REVERSAL) & Q(reverses__isnull=False))
                | (~Q(kind=TransferKind.REVERSAL) & Q(reverses__isnull=True)),
                name="reversals_name_what_they_reverse",
            ),
        ]
        indexes = [
            # A code's page: what its card moved.
            models.Index(fields=["code"], name="transfer_code", condition=Q(code__isnull=False)),
            # The roll-up of batches' figures: what was written since.
            models.Index(fields=["xact"], name="transfer_xact"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"
