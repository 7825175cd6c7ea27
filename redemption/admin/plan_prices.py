"""What a program's plans cost, on the program's page."""

from typing import Any

from django import forms
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from redemption import trail
from redemption.admin.base import RolePermissions
from redemption.admin.telling import target_of
from redemption.models import PlanPrice
from redemption.money import to_major, to_minor
from redemption.requests import StaffRequest
from redemption.roles import Permission


class PlanPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    price = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="Of a month, in this currency, such as 11 or 10.99. Months that are billed keep the price they had.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["price"] = str(to_major(self.instance.price, self.instance.currency))
            # Another plan or currency is another price.
            for name in ("plan", "currency"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("currency") and data.get("price"):
            try:
                data["price"] = to_minor(data["price"], data["currency"])
            except ValueError as error:
                self.add_error("price", str(error))
                return data
            if data["price"] <= 0:
                self.add_error("price", "A plan costs something.")
        return data


class PlanPriceInline(RolePermissions, TabularInline):
    extra = 0
    model = PlanPrice
    form = PlanPriceForm
    view_permission = Permission.VIEW_CATALOGUE
    change_permission = Permission.MANAGE_PROGRAMS
    verbose_name_plural = "plan prices: a plan without one is billed by nobody here"
    fields = ["plan", "currency", "price"]
    ordering = ["plan", "currency"]


def save_prices(request: StaffRequest, formset: Any) -> None:
    """Saves them, and tells of each what it was and is."""
    formset.save()
    before = {form.instance.pk: form.initial.get("price") for form in formset.initial_forms}
    changed = [price for price, _ in formset.changed_objects]
    for price in [*formset.new_objects, *changed]:
        was = before.get(price.pk)
        trail.tell(
            "catalogue_changed",
            by=request.user,
            target=target_of(price),
            program=price.program_id,
            changes={"price": [None if was is None else to_minor(was, price.currency), price.price]},
        )
