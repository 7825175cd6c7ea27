"""Clear codes on their only ways out: a batch's print file, and a digital card's sealed envelope."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from redemption.models.batch import Batch
from redemption.models.code import Code


class PrintFile(models.Model):
    """A batch's codes, encrypted to the printer's age key. Downloadable until the printer confirms its receipt."""

    batch = models.OneToOneField(Batch, models.PROTECT, related_name="print_file")
    name = models.CharField(max_length=100, help_text="Within the private files' folder.")
    recipient = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True)
    destroyed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(destroyed_at__isnull=True) ^ Q(destroyed_by__isnull=False),
                name="destroyed_print_files_say_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PrintFileDownload(models.Model):
    print_file = models.ForeignKey(PrintFile, models.PROTECT, related_name="downloads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.print_file_id} at {self.at}"


class OutboxCard(models.Model):
    """A digital card on its way: the code rests only here, sealed, and delivery destroys the row."""

    code = models.OneToOneField(Code, models.PROTECT, related_name="outbox_card")
    email = models.EmailField()
    sealed = models.BinaryField(help_text="The clear code, encrypted with age to OUTBOX_KEY.")
    created_at = models.DateTimeField()
    # Mails that failed so far, and when the next one is due.
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.code_id)
