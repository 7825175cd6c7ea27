"""What a plan costs in a month."""

from django.core.validators import MinValueValidator
from django.db import models

from redemption.models.account import Plan
from redemption.models.program import Program
from redemption.money import currency_choices, format_minor


class PlanPrice(models.Model):
    """A program's price of a plan, for a month, in minor units. A plan without one is not billed here."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="plan_prices")
    plan = models.CharField(max_length=20, choices=[(plan.value, plan.label) for plan in Plan if plan != Plan.FREE])
    currency = models.CharField(max_length=3, choices=currency_choices)
    price = models.PositiveBigIntegerField(validators=[MinValueValidator(1)], help_text="A month’s, in minor units.")

    class Meta:
        ordering = ["program", "plan", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "plan", "currency"],
                name="one_price_per_plan_and_currency",
                violation_error_message="This plan has a price in this currency already.",
            ),
            models.CheckConstraint(condition=models.Q(price__gt=0), name="plans_cost_something"),
        ]

    def __str__(self) -> str:
        return f"{self.get_plan_display()}, {format_minor(self.price, self.currency)} a month"

    def covers(self, value: int) -> str:
        """“about 2½ months of your plan”: what a credit pays for, to half a month and downwards, because nobody is
        promised more than there is; empty for no credit."""
        if not value:
            return ""
        if value < self.price:
            return "less than a month of your plan"
        halves = 2 * value // self.price
        if halves == 2:
            return "about a month of your plan"
        whole, half = divmod(halves, 2)
        return f"about {whole}{'½' if half else ''} months of your plan"
