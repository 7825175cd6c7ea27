"""Who sells or gives codes out, and the people there who sign in."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django_countries.fields import CountryField

INVITATIONS_LAST = timedelta(days=7)


class RetailerKind(models.TextChoices):
    SHOP = "shop", "Shop"
    PARTNER = "partner", "Partner"
    CARRIER = "carrier", "Carrier"
    CAMPAIGN = "campaign", "Campaign"


class Retailer(models.Model):
    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(unique=True)
    kind = models.CharField(max_length=10, choices=RetailerKind, default=RetailerKind.SHOP)
    country = CountryField(blank=True)
    contact_email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True, help_text="Off: gets no new batches.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MemberRole(models.TextChoices):
    CLERK = "clerk", "Clerk"
    MANAGER = "manager", "Manager"


class RetailerMember(models.Model):
    """Somebody who signs in for a retailer. Whoever leaves is removed: what he did stays with his name."""

    retailer = models.ForeignKey(Retailer, models.PROTECT, related_name="members", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=MemberRole, default=MemberRole.CLERK)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["retailer", "user"]
        constraints = [
            models.UniqueConstraint(fields=["retailer", "user"], name="a_member_once"),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="member_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.retailer_id}"


class RetailerInvitation(models.Model):
    """A link by mail that makes whoever opens it and signs in with this address a member, once."""

    retailer = models.ForeignKey(Retailer, models.PROTECT, related_name="invitations", db_index=False)
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=MemberRole, default=MemberRole.CLERK)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "retailer",
                Lower("email"),
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation_per_address",
                violation_error_code="already_invited",
                violation_error_message="This address is invited already: send the invitation again.",
            ),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="invited_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"
