"""What staff did and looked at. No logic reads these rows and they point at no live data: they are for investigation.

Events hold ids only. Personal details go to a side table that can be erased; their salted hash stays in the event.
"""

from django.db import models

from redemption.models.fields import TransactionIdField


class AuditAction(models.TextChoices):
    """Every action, with its sentence: {actor} and {target} are filled in when it is read."""

    SIGNED_IN = "signed_in", "{actor} signed in"
    LOOKED_UP = "looked_up", "{actor} looked something up and found {target}"
    LOOKED_UP_NOTHING = "looked_up_nothing", "{actor} looked something up and found nothing"
    NEAR_MISS_SHOWN = "near_miss_shown", "{actor} mistyped a code and was shown {target}"
    CODE_OPENED = "code_opened", "{actor} opened the page of {target}"
    ACCOUNT_OPENED = "account_opened", "{actor} opened {target}"
    ATTEMPT_OPENED = "attempt_opened", "{actor} opened {target}"
    ACCOUNTS_LISTED = "accounts_listed", "{actor} listed accounts"
    DIAGNOSED = "diagnosed", "{actor} diagnosed {target}"
    ACCOUNT_CHANGED = "account_changed", "{actor} changed {target}"
    STAFF_CHANGED = "staff_changed", "{actor} changed the person {target}"


class AuditEvent(models.Model):
    at = models.DateTimeField()
    actor_id = models.BigIntegerField()
    actor_role = models.CharField(max_length=20)
    action = models.CharField(max_length=30, choices=AuditAction)
    # Such as “code:1000000123”; empty where the action has none.
    target = models.CharField(max_length=60, blank=True)
    # Ids and enum values only.
    details = models.JSONField(default=dict)
    personal_hash = models.BinaryField(max_length=32, null=True)
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=AuditAction.values), name="audit_action_is_known"),
        ]
        indexes = [
            # “Who looked at this account?”
            models.Index(fields=["target", "-id"], name="audit_target"),
            models.Index(fields=["actor_id", "-id"], name="audit_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}".strip()


class AuditPersonal(models.Model):
    """The erasable part of an event. BLAKE2b over salt and text is the event's `personal_hash`."""

    event_id = models.BigIntegerField(primary_key=True)
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    class Meta:
        ordering = ["event_id"]

    def __str__(self) -> str:
        return str(self.event_id)
