"""What a code grants, to whom."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django_countries import countries as all_countries

from redemption.models.account import Plan
from redemption.models.program import Program
from redemption.money import currency_choices, format_minor


class ProductKind(models.TextChoices):
    GIFT_CARD = "gift_card", "Gift card"
    PROMO_VOUCHER = "promo_voucher", "Promo voucher"
    PREMIUM_TRIAL = "premium_trial", "Premium trial"


class Benefit(models.TextChoices):
    CREDIT = "credit", "Credit"
    PREMIUM = "premium", "Premium time"


class Product(models.Model):
    program = models.ForeignKey(Program, models.PROTECT, related_name="products")
    sku = models.CharField("SKU", max_length=40)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=20, choices=ProductKind)
    benefit = models.CharField(max_length=10, choices=Benefit)
    value = models.PositiveBigIntegerField(
        default=0,
        validators=[MaxValueValidator(10**12)],
        help_text="Minor units. What a sold card is worth: credit granted, or the price paid for premium time.",
    )
    currency = models.CharField(max_length=3, choices=currency_choices)
    months = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(60)])
    days = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(730)])
    countries = ArrayField(models.CharField(max_length=2), help_text="Country codes, separated by commas: DE, AT.")
    plans = ArrayField(
        models.CharField(max_length=20, choices=Plan),
        default=list,
        blank=True,
        help_text="Plans that may redeem it; none named: every plan.",
    )
    new_subscribers_only = models.BooleanField(default=False, help_text="Only accounts that never had premium.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["program", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "sku"],
                name="one_product_per_sku",
                violation_error_code="sku_taken",
                violation_error_message="This program has a product with this SKU already.",
            ),
            models.CheckConstraint(
                condition=(Q(benefit=Benefit.CREDIT) & Q(value__gt=0) & Q(months=0) & Q(days=0))
                | (Q(benefit=Benefit.PREMIUM) & (Q(months__gt=0, days=0) | Q(months=0, days__gt=0))),
                name="product_grants_either_credit_or_months_or_days",
                violation_error_code="unclear_benefit",
                violation_error_message="Credit needs a value and no time; premium time needs either months or days.",
            ),
            models.CheckConstraint(condition=Q(countries__len__gt=0), name="product_names_its_countries"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if unknown := [code for code in self.countries or [] if code not in all_countries.countries]:
            raise ValidationError({"countries": f"No country has the code {', '.join(unknown)}."})

    @property
    def grants(self) -> str:
        """The benefit in words: “3 months of premium”, “£30.00 credit”."""
        return benefit_text(self.benefit, self.value, self.currency, self.months, self.days)


def benefit_text(benefit: str, value: int, currency: str, months: int, days: int) -> str:
    if benefit == Benefit.CREDIT:
        return f"{format_minor(value, currency)} credit"
    count, unit = (months, "month") if months else (days, "day")
    return f"{count} {unit}{'' if count == 1 else 's'} of premium"
