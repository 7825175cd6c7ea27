"""Work on a batch that takes longer than a page: its progress outlives the page that started it."""

from django.conf import settings
from django.db import models

from redemption.models.batch import Batch
from redemption.models.fields import TransactionIdField


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Waiting for the worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class BatchJob(models.Model):
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="jobs")
    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField()
    message = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.get_status_display()}"

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


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
