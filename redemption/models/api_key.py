"""Keys of machines, and their requests that may come twice."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from redemption.models.program import Program
from redemption.models.retailer import Retailer


class ApiScope(models.TextChoices):
    """What a key opens: the first four the tills’ interface, for retailers; the others the platforms’."""

    ACTIVATE = "activate", "Activate cards"
    DEACTIVATE = "deactivate", "Take a sale back"
    REPORT = "report", "Report compromised cards"
    STATUS = "status", "Ask for a card’s status"
    VALIDATE = "validate", "See what a code would give"
    REDEEM = "redeem", "Redeem codes for accounts"
    ACCOUNTS = "accounts", "Read accounts’ credit and statements"
    CODES = "codes", "Ask for a code’s status"
    BILLING = "billing", "Tell what became of invoices"


TILL_SCOPES = (ApiScope.ACTIVATE, ApiScope.DEACTIVATE, ApiScope.REPORT, ApiScope.STATUS)
PLATFORM_SCOPES = tuple(scope for scope in ApiScope if scope not in TILL_SCOPES)


class ApiKey(models.Model):
    """A retailer's key, or a program's for its platform. Only the secret's digest is kept: it is shown once. Rotated by
    making the next one while the old one still works, until it expires or somebody revokes it."""

    retailer = models.ForeignKey(Retailer, models.PROTECT, null=True, blank=True, related_name="api_keys")
    program = models.ForeignKey(Program, models.PROTECT, null=True, blank=True, related_name="api_keys")
    name = models.CharField(max_length=60, help_text="Where it is used, such as “tills, Malmö”.")
    # Public: how a key is found and told apart.
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    # BLAKE2b of the secret, which has 256 random bits: nothing slower is needed.
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=ApiScope))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    # The key that it was made to replace.
    replaces = models.OneToOneField("self", models.PROTECT, null=True, related_name="replaced_by")
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    # To the minute: not every request writes it.
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="a_key_opens_something"),
            models.CheckConstraint(
                condition=Q(retailer__isnull=False, program=None, scopes__contained_by=list(TILL_SCOPES))
                | Q(retailer=None, program__isnull=False, scopes__contained_by=list(PLATFORM_SCOPES)),
                name="a_key_is_a_retailers_or_a_programs",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def shop(self) -> Retailer:
        """The retailer of a key that opens the tills' interface."""
        assert self.retailer
        return self.retailer

    @property
    def platform(self) -> Program:
        """The program of a key that opens the platforms' interface."""
        assert self.program
        return self.program

    @property
    def owner(self) -> str:
        """Such as “retailer:5”: a target of audit events, and whose idempotency keys these are."""
        return f"retailer:{self.retailer_id}" if self.retailer_id else f"program:{self.program_id}"


class ApiRequest(models.Model):
    """The answer to a request with an idempotency key, written in the transaction of its effect: repeated, it is given
    again and nothing happens twice."""

    # “retailer:5” or “program:2”: whose keys share their idempotency keys.
    owner = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    # Keyed, and over method, address and body: the same key for something else is a conflict.
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_interface_answer_per_key")]
        indexes = [
            # The nightly clean-up.
            models.Index(fields=["at"], name="api_request_age"),
        ]

    def __str__(self) -> str:
        return f"request {self.pk}"
