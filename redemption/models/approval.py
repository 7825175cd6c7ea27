"""The second person. One mechanism for credits, reversals, voiding and replacing alike."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from redemption.models.fields import TransactionIdField


class ApprovalAction(models.TextChoices):
    CREDIT = "credit", "Grant a credit"
    REVERSAL = "reversal", "Reverse a transfer"
    VOID = "void", "Void cards"
    REPLACE = "replace", "Replace a card"
    MOVE = "move", "Move what a card gave"
    POLICY = "policy", "Change the limits of credits"


class RequestStatus(models.TextChoices):
    PENDING = "pending", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"


class ApprovalRequest(models.Model):
    """What somebody asks for. Only its status changes, once, and the database sees to that: withdraw it and ask anew.

    `customers` are the people who would gain by it, by the ids of their sign-ins: neither may one of them ask for it.
    """

    action = models.CharField(max_length=10, choices=ApprovalAction)
    target = models.CharField(max_length=60, help_text="What it is about, such as “code:1000000123”.")
    payload = models.JSONField()
    payload_hash = models.BinaryField(max_length=32)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=RequestStatus, default=RequestStatus.PENDING)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    customers = ArrayField(models.BigIntegerField(), default=list)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "target"],
                condition=Q(status=RequestStatus.PENDING),
                name="one_pending_request_per_target",
                violation_error_code="already_requested",
                violation_error_message="Somebody has asked for this already, and it waits to be decided.",
            ),
            models.CheckConstraint(
                condition=~Q(customers__contains=[F("requested_by")]),
                name="nobody_asks_for_himself",
                violation_error_code="own_gain",
                violation_error_message="You are the customer: a colleague must ask for it.",
            ),
        ]
        indexes = [
            # What waits, the oldest first.
            models.Index(fields=["requested_at"], name="request_pending", condition=Q(status=RequestStatus.PENDING)),
            # What was decided in one way, the newest first.
            models.Index(fields=["status", "-requested_at", "-id"], name="request_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.target}"


class Decision(models.TextChoices):
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Approval(models.Model):
    """The decision, append-only. It repeats what it decided, so that it can be read and sealed by itself."""

    request = models.OneToOneField(ApprovalRequest, models.PROTECT, related_name="approval")
    action = models.CharField(max_length=10, choices=ApprovalAction)
    target = models.CharField(max_length=60)
    payload_hash = models.BinaryField(max_length=32)
    decision = models.CharField(max_length=10, choices=Decision)
    reason = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    customers = ArrayField(models.BigIntegerField(), default=list)
    decided_at = models.DateTimeField()
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(requested_by=F("decided_by")),
                name="nobody_decides_his_own_request",
                violation_error_code="own_request",
                violation_error_message="Another person must decide what you asked for.",
            ),
            models.CheckConstraint(
                condition=~Q(customers__contains=[F("decided_by")]),
                name="nobody_decides_for_himself",
                violation_error_code="own_gain",
                violation_error_message="You are the customer: a colleague must decide it.",
            ),
        ]
        indexes = [
            # The seals: what was written since.
            models.Index(fields=["xact"], name="approval_xact"),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()}: {self.target}"
