"""What people and tills did to cards: one row for each unbroken run of serial numbers that it touched."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from redemption.models.batch import Batch
from redemption.models.fields import HotForeignKey, TransactionIdField


class CardEventKind(models.TextChoices):
    ISSUED = "issued", "Issued"
    IMPORTED = "imported", "Imported"
    BATCH_ACTIVATED = "batch_activated", "Batch activated"
    BATCH_FROZEN = "batch_frozen", "Batch frozen"
    BATCH_THAWED = "batch_thawed", "Batch thawed"
    BATCH_CLOSED = "batch_closed", "Batch closed"
    EXTENDED = "extended", "Expiry changed"
    ACTIVATED = "activated", "Activated at the till"
    DEACTIVATED = "deactivated", "Sale taken back at the till"
    FROZEN = "frozen", "Frozen"
    THAWED = "thawed", "Thawed"
    VOIDED = "voided", "Voided"
    REPLACED = "replaced", "Replaced"
    SUCCEEDED = "succeeded", "Issued in place of another card"
    SENT = "sent", "Sent by e-mail"


class CardEvent(models.Model):
    kind = models.CharField(max_length=20, choices=CardEventKind)
    batch = HotForeignKey(Batch, related_name="events")
    first_serial = models.BigIntegerField()
    last_serial = models.BigIntegerField()
    # Facts of the kind, such as the old and the new expiry; never a code.
    details = models.JSONField(default=dict)
    reason = models.CharField(max_length=200, blank=True)
    approval = models.ForeignKey("redemption.Approval", models.PROTECT, null=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(last_serial__gte=F("first_serial")), name="event_serials_are_in_order"),
        ]
        indexes = [
            # A code's timeline, in two: events of one card (tills write millions), and the few that span a range.
            models.Index(fields=["first_serial"], name="event_of_card", condition=Q(first_serial=F("last_serial"))),
            models.Index(
                fields=["batch", "first_serial"],
                name="event_of_range",
                condition=~Q(first_serial=F("last_serial")),
            ),
            # The roll-up of batches' figures: what was written since.
            models.Index(fields=["xact"], name="event_xact"),
            # activate_cards(): which cards were sold before; and what was owed on a past day.
            models.Index(fields=["first_serial"], name="event_deactivated", condition=Q(kind="deactivated")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.first_serial}–{self.last_serial}"

    @property
    def count(self) -> int:
        return self.last_serial - self.first_serial + 1
