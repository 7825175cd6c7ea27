"""A customer's account at a program's service."""

import secrets

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django_countries.fields import CountryField

from redemption.code_format import CROCKFORD
from redemption.models.program import Program
from redemption.money import currency_choices


class Plan(models.TextChoices):
    FREE = "free", "Free"
    INDIVIDUAL = "individual", "Individual"
    STUDENT = "student", "Student"
    DUO = "duo", "Duo"
    FAMILY = "family", "Family"
    BASIC = "basic", "Basic"
    STANDARD = "standard", "Standard"
    PREMIUM = "premium", "Premium"


class BillingProvider(models.TextChoices):
    NONE = "none", "Nobody"
    DIRECT = "direct", "The service itself"
    APPLE = "apple", "Apple (App Store)"
    GOOGLE = "google", "Google Play"
    CARRIER = "carrier", "A mobile carrier"
    BUNDLE = "bundle", "A partner's bundle"

    @property
    def is_third_party(self) -> bool:
        return self not in {BillingProvider.NONE, BillingProvider.DIRECT}


class Restriction(models.TextChoices):
    NONE = "none", "None"
    UNUSUAL_ACTIVITY = "unusual_activity", "Unusual activity"
    PAYMENT_DISPUTE = "payment_dispute", "Payment dispute"
    POLICY_VIOLATION = "policy_violation", "Policy violation"


def random_reference(prefix: str) -> str:
    """A reference to read out on the phone: 60 random bits, never sequential, so that it tells no volumes."""
    symbols = "".join(CROCKFORD[byte & 31] for byte in secrets.token_bytes(12))
    return f"{prefix}-{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def account_reference() -> str:
    return random_reference("AC")


def validate_country(value: str) -> None:
    from django_countries import countries

    if value and value not in countries.countries:
        raise ValidationError("No country has the code %(value)s.", params={"value": value})


class Account(models.Model):
    """The rules of eligibility read this row: a trigger advances `version` with every change to it."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="accounts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="accounts")
    reference = models.CharField(max_length=20, unique=True, default=account_reference, editable=False)
    email = models.EmailField()
    email_verified = models.BooleanField(default=False)
    country = CountryField()
    currency = models.CharField(max_length=3, choices=currency_choices, help_text="What the account is billed in.")
    plan = models.CharField(max_length=20, choices=Plan, default=Plan.FREE)
    billing_provider = models.CharField(max_length=10, choices=BillingProvider, default=BillingProvider.NONE)
    restriction = models.CharField(max_length=20, choices=Restriction, default=Restriction.NONE)
    had_premium = models.BooleanField(default=False, help_text="Ever, on any plan: no new subscriber any more.")
    last_seen_country = models.CharField(
        max_length=2,
        blank=True,
        validators=[validate_country],
        help_text="Where the customer last appeared to be; may be a VPN's country. Empty: unknown.",
    )
    # The end of the account's premium grants (the first day without), and the day of the month that the chain of
    # months began on: 31 January + 1 month + 1 month is 31 March. Kept by redeem() beside the grants.
    premium_until = models.DateField(null=True, blank=True, editable=False)
    premium_anchor_day = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    # When the running month ends and the next one is paid, and the day of the month that months are counted from. Null:
    # not billed here.
    renews_on = models.DateField(null=True, blank=True, help_text="When the next month of the plan is paid.")
    renewal_anchor_day = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    has_payment_method = models.BooleanField(
        "payment method on file",
        default=False,
        help_text="The platform has one, and asks it for what credit does not cover. We hold nothing of it.",
    )
    version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                "program",
                Lower("email"),
                name="one_account_per_program_and_email",
                violation_error_code="email_taken",
                violation_error_message="This program has an account with this e-mail address already.",
            ),
        ]
        indexes = [
            # The look-up: an e-mail address in any case, whatever the program.
            models.Index(Lower("email"), name="account_email"),
            # renew_subscriptions: whose month ends.
            models.Index(
                fields=["renews_on", "id"], name="account_renewal", condition=models.Q(renews_on__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.reference
