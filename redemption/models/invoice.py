"""A month of an account's plan, and who paid what of it."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q

from redemption.models.account import Account, Plan, random_reference
from redemption.models.fields import TransactionIdField
from redemption.money import format_minor


class InvoiceStatus(models.TextChoices):
    PAID = "paid", "Paid"
    # The platform was told, and has not said yet whether its payment method paid.
    DUE = "due", "Due"
    FAILED = "failed", "Not paid"


def invoice_reference() -> str:
    return random_reference("IN")


class Invoice(models.Model):
    """One for an account and month. `due` is what the payment method on file is asked for; cards are the platform's."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="invoices", db_index=False)
    reference = models.CharField(max_length=20, unique=True, default=invoice_reference, editable=False)
    # The first day of the month that it pays, and the first after it.
    starts_on = models.DateField()
    ends_on = models.DateField()
    plan = models.CharField(max_length=20, choices=Plan)
    currency = models.CharField(max_length=3)
    # All three in minor units.
    price = models.BigIntegerField()
    from_credit = models.BigIntegerField()
    due = models.BigIntegerField()
    status = models.CharField(max_length=10, choices=InvoiceStatus)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "starts_on"], name="one_invoice_per_account_and_month"),
            models.CheckConstraint(
                condition=Q(price=F("from_credit") + F("due")) & Q(from_credit__gte=0, due__gte=0, price__gt=0),
                name="invoice_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(status=InvoiceStatus.DUE, due__gt=0, settled_at=None)
                | (~Q(status=InvoiceStatus.DUE) & Q(settled_at__isnull=False)),
                name="settled_invoices_say_when",
            ),
        ]
        indexes = [
            # The webhooks: what was written since.
            models.Index(fields=["xact"], name="invoice_xact"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def month(self) -> str:
        """“15 June to 14 July 2026”: its first day and its last."""
        last = self.ends_on - timedelta(days=1)
        first = f"{self.starts_on:%-d %B}" if self.starts_on.year == last.year else f"{self.starts_on:%-d %B %Y}"
        return f"{first} to {last:%-d %B %Y}"

    @property
    def shown_price(self) -> str:
        return format_minor(self.price, self.currency)

    @property
    def shown_credit(self) -> str:
        return format_minor(self.from_credit, self.currency)

    @property
    def shown_due(self) -> str:
        return format_minor(self.due, self.currency)

    @property
    def was_not_asked(self) -> bool:
        """There was no payment method: the account fell to Free at once."""
        return self.status == InvoiceStatus.FAILED and self.settled_at == self.at
