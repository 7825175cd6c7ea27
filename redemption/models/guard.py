"""What keeps attempts honest: counters of tries, and the keys that make a repeated request one request."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from redemption.models.attempt import Attempt


class ThrottleScope(models.TextChoices):
    ACCOUNT = "account", "Attempts of an account"
    ADDRESS = "address", "Attempts from an address"
    PROGRAM = "program", "Attempts at a program"
    AGENT = "agent", "An agent's look-ups that found nothing"
    API_KEY = "api_key", "Requests with a key"
    SIGN_IN = "sign_in", "Failed sign-ins with an address, and from one"
    RETAILER = "retailer", "What may be guesses at codes, in texts of a retailer's people"
    CUSTOMER = "customer", "What a customer writes to support, and has mailed to himself"


class Throttle(models.Model):
    """Recent tries of one key in one scope. One upsert decides and counts; `admitted` is its last decision."""

    scope = models.CharField(max_length=10, choices=ThrottleScope)
    key = models.CharField(max_length=64)
    recent = ArrayField(models.DateTimeField())
    blocked_until = models.DateTimeField(null=True)
    admitted = models.BooleanField()
    # Tries while blocked are counted here and stored nowhere else.
    turned_away = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["scope", "key"]
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_counter_per_key")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class IdempotencyKey(models.Model):
    """A request that may come twice. Null attempt: running, until the lease ends; then it may be run again."""

    scope = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    # Keyed, and over the code's digest: a plain hash of a body that holds a code could be guessed.
    request_hash = models.BinaryField(max_length=16)
    lease_until = models.DateTimeField()
    attempt = models.ForeignKey(Attempt, models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="one_answer_per_key")]
        indexes = [
            # The nightly clean-up.
            models.Index(fields=["created_at"], name="idempotency_age"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.pk}"
