"""Who sells or gives codes out."""

from django.db import models
from django_countries.fields import CountryField


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
