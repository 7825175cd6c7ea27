"""Files that came with a message. What is shown are pictures that we made of them; the original is in quarantine."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from support.models.message import Message
from support.models.ticket import Ticket


class AttachmentKind(models.TextChoices):
    RECEIPT = "receipt", "Receipt"
    CARD_PHOTO = "card_photo", "Photo of the card"
    SCREENSHOT = "screenshot", "Screenshot"
    OTHER = "other", "Other"


class ScanState(models.TextChoices):
    """`clean` only where the scanner said so: no answer is not scanned."""

    NOT_SCANNED = "not_scanned", "Not scanned"
    CLEAN = "clean", "Scanned: clean"
    INFECTED = "infected", "Scanned: malware"


class Attachment(models.Model):
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="attachments")
    # Null while it belongs to a draft.
    message = models.ForeignKey(Message, models.PROTECT, null=True, related_name="attachments")
    kind = models.CharField(max_length=12, choices=AttachmentKind, default=AttachmentKind.OTHER)
    # As the sender called it, without folders and redacted; for showing only, no file has this name.
    name = models.CharField(max_length=120)
    # Why there is nothing to show; empty where there is.
    refusal = models.CharField(max_length=200, blank=True)
    size = models.PositiveBigIntegerField()
    # BLAKE2b of the original: the same file on another ticket. And how it looks, in 64 bits, of its first page.
    digest = models.BinaryField(max_length=32)
    looks = models.BigIntegerField(null=True)
    # The four quarters of `looks`, each with its place: pictures that differ in three bits have one of them in common.
    quarters = ArrayField(models.PositiveIntegerField(), default=list)
    # And in 1,024 bits: in 64, two receipts of one shop are the same.
    details = models.BinaryField(max_length=128, null=True)
    # A random name in the quarantine storage; empty where the original was not kept.
    original = models.CharField(max_length=100, blank=True)
    scan = models.CharField(max_length=12, choices=ScanState, default=ScanState.NOT_SCANNED)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=AttachmentKind.values), name="attachment_kind_is_known"),
        ]
        indexes = [
            # The same receipt on several tickets; alike ones are compared among those of equal quarters.
            models.Index(fields=["digest"], name="attachment_same"),
            GinIndex(fields=["quarters"], name="attachment_alike"),
        ]

    def __str__(self) -> str:
        return self.name


class AttachmentPage(models.Model):
    """One picture of our own making, under a random name in private storage."""

    attachment = models.ForeignKey(Attachment, models.PROTECT, related_name="pages", db_index=False)
    number = models.PositiveSmallIntegerField()
    file = models.CharField(max_length=100, unique=True)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        ordering = ["attachment", "number"]
        constraints = [
            models.UniqueConstraint(fields=["attachment", "number"], name="one_picture_per_page"),
        ]

    def __str__(self) -> str:
        return f"{self.attachment_id}, page {self.number}"
