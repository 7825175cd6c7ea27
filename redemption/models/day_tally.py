"""The ledger and the tries by days (UTC), rolled up from the append-only records: figures read these rows and the few
records written since."""

from django.db import models
from django.db.models import Q

from redemption.models.attempt import AttemptOutcome
from redemption.models.fields import HotForeignKey
from redemption.models.program import Program
from redemption.models.transfer import Book, TransferKind
from redemption.refusals import RefusalReason


class LedgerDay(models.Model):
    """All transfers of one sort that were effective on one day."""

    day = models.DateField()
    program = HotForeignKey(Program, related_name="+")
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=20, choices=TransferKind)
    debit = models.CharField(max_length=20, choices=Book)
    credit = models.CharField(max_length=20, choices=Book)
    count = models.PositiveBigIntegerField()
    amount = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["day", "program", "currency", "kind", "debit", "credit"], name="one_row_per_day_of_the_ledger"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}"


class AttemptDay(models.Model):
    """All tries of one day with one outcome and reason."""

    day = models.DateField()
    program = HotForeignKey(Program, related_name="+")
    outcome = models.CharField(max_length=10, choices=AttemptOutcome)
    reason = models.CharField(max_length=30, choices=RefusalReason, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["day", "program", "outcome", "reason"], name="one_row_per_day_of_tries"),
            models.CheckConstraint(
                condition=(Q(outcome=AttemptOutcome.REFUSED) & ~Q(reason=""))
                | (~Q(outcome=AttemptOutcome.REFUSED) & Q(reason="")),
                name="refused_tries_have_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.reason or self.outcome}"
