"""Work on a batch, and a batch's figures."""

from django.db import models

from redemption.models.batch import Batch
from redemption.models.fields import TransactionIdField
from redemption.models.job import Job


class BatchJob(Job):
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="jobs")

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.get_status_display()}"


class BatchTally(models.Model):
    """A batch's figures, rolled up from the append-only records: pages read this row and never count codes."""

    batch = models.OneToOneField(Batch, models.PROTECT, primary_key=True, related_name="tally")
    issued = models.PositiveBigIntegerField(default=0)
    activated = models.PositiveBigIntegerField(default=0)
    redeemed = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)
    outstanding = models.BigIntegerField(default=0, help_text="Liability in the batch's currency, minor units.")

    class Meta:
        ordering = ["batch"]

    def __str__(self) -> str:
        return str(self.batch_id)


class TallyMark(models.Model):
    """One row for batches’ tallies and one for days’: every record below this transaction id is in them."""

    xact = TransactionIdField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.xact)
