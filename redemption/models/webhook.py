"""What we tell a platform's servers, and how far each telling is."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from redemption.models.account import random_reference
from redemption.models.fields import TransactionIdField
from redemption.models.program import Program


class WebhookKind(models.TextChoices):
    REDEEMED = "redeemed", "A code was redeemed"
    CREDITED = "credited", "Credit was granted by hand, or taken back"
    FROZEN = "frozen", "Cards were frozen"
    REPLACED = "replaced", "A card was replaced"
    INVOICE_DUE = "invoice_due", "A month’s price is due from the payment method on file"
    # Sent from the desk to one endpoint, whatever it hears.
    TEST = "test", "A test"


# What an endpoint may hear.
WEBHOOK_KINDS = tuple(kind for kind in WebhookKind if kind != WebhookKind.TEST)


class WebhookEndpoint(models.Model):
    """An address of a platform's. The secret signs what is sent there, so it is kept, encrypted under SECRET_KEY."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="webhook_endpoints")
    url = models.URLField(max_length=500)
    kinds = ArrayField(models.CharField(max_length=20, choices=WebhookKind))
    is_active = models.BooleanField(default=True, help_text="Off: nothing is sent; what happens meanwhile is not kept.")
    secret = models.TextField(editable=False)
    # While the platform changes over, both sign.
    former_secret = models.TextField(blank=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    # Failures in a row, and until when nothing but a try now and then goes to a server that does not answer.
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [models.CheckConstraint(condition=~Q(kinds=[]), name="an_endpoint_hears_something")]

    def __str__(self) -> str:
        return self.url


def webhook_reference() -> str:
    return random_reference("WH")


class WebhookEvent(models.Model):
    """Something that happened, as it is told. `source` names the record that says so: one record, one event."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=WebhookKind)
    reference = models.CharField(max_length=20, unique=True, default=webhook_reference)
    source = models.CharField(max_length=60, unique=True)
    data = models.JSONField()
    happened_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [
            # The nightly clean-up.
            models.Index(fields=["happened_at"], name="webhook_event_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    GIVEN_UP = "given_up", "Given up"


class WebhookDelivery(models.Model):
    """An event on its way to an endpoint: the outbox. At least once; sent again by hand, it waits anew."""

    event = models.ForeignKey(WebhookEvent, models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False)
    status = models.CharField(max_length=10, choices=DeliveryStatus, default=DeliveryStatus.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    # When it came to wait, at first or by hand: it is given up so many days later.
    waiting_since = models.DateTimeField()
    # While it is being sent, the end of the sender's lease.
    not_before = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    # “503”, or the kind of error; never what was answered.
    last_answer = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="one_delivery_per_event_and_endpoint"),
        ]
        indexes = [
            # What is due at each endpoint, oldest first.
            models.Index(fields=["endpoint", "not_before", "id"], name="webhook_due", condition=Q(status="waiting")),
            # An endpoint's page: its latest, and those that were given up.
            models.Index(fields=["endpoint", "-id"], name="webhook_latest"),
            models.Index(fields=["endpoint", "-id"], name="webhook_given_up", condition=Q(status="given_up")),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"


class WebhookMark(models.Model):
    """One row: every record below this transaction id was looked at."""

    xact = TransactionIdField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.xact)
