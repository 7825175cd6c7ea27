from typing import Any

from django import forms
from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from redemption.admin.base import DeskModelAdmin
from redemption.admin.fields import CountryCodesField
from redemption.models import Plan, Product
from redemption.money import format_minor, to_major, to_minor
from redemption.requests import StaffRequest
from redemption.roles import Permission

# What cards that are out promise; a trigger refuses changes too.
PROMISED = ["program", "benefit", "worth", "currency", "months", "days"]


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    value = forms.CharField(
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="In the product's currency, such as 30 or 9.99: the credit granted, or the price paid for premium "
        "time. Empty or 0: given away.",
    )
    countries = CountryCodesField(max_length=1000, help_text="Codes of the accounts' countries: DE, AT, CH.")
    plans = forms.MultipleChoiceField(
        choices=Plan,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Plans that may redeem it; none ticked: every plan.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["value"] = str(to_major(self.instance.value, self.instance.currency))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "value" in self.fields and data.get("currency"):
            try:
                data["value"] = to_minor(data.get("value") or "0", data["currency"])
            except ValueError as error:
                self.add_error("value", str(error))
                return data
            if data["value"] < 0:
                self.add_error("value", "A value is not below zero.")
        return data


@admin.register(Product)
class ProductAdmin(DeskModelAdmin):
    view_permission = Permission.VIEW_CATALOGUE
    change_permission = Permission.MANAGE_PROGRAMS
    form = ProductForm
    list_display = ["name", "sku", "program", "kind", "grants", "price", "where", "who"]
    list_select_related = ["program"]
    list_filter = [("program", RelatedDropdownFilter), ("kind", ChoicesCheckboxFilter)]
    search_fields = ["name", "sku"]
    search_help_text = "Name or SKU"
    autocomplete_fields = ["program"]
    fieldsets = [
        (None, {"fields": ["program", "name", "sku", "kind"]}),
        (
            "What it grants",
            {
                "fields": ["benefit", "value", "currency", "months", "days"],
                "description": "Credit has a value and no time; premium time has months or days, one of them. "
                "Once a batch is issued, this stays as it is.",
            },
        ),
        ("Who may redeem it", {"fields": ["countries", "plans", "new_subscribers_only"]}),
    ]

    def get_readonly_fields(self, request: StaffRequest, obj: Product | None = None) -> list[str]:
        return PROMISED if obj and obj.batches.with_codes().exists() else []

    def get_fieldsets(self, request: StaffRequest, obj: Product | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if self.get_readonly_fields(request, obj) or not self.has_change_permission(request, obj):
            (basics, (title, grants), rules) = fieldsets
            shown = ["worth" if name == "value" else name for name in grants["fields"]]
            return [basics, (title, {**grants, "fields": shown}), rules]
        return fieldsets

    @admin.display(description="Grants")
    def grants(self, product: Product) -> str:
        return product.grants

    @admin.display(description="Value", ordering="value")
    def price(self, product: Product) -> str:
        return format_minor(product.value, product.currency)

    @admin.display(description="Value")
    def worth(self, product: Product) -> str:
        return format_minor(product.value, product.currency)

    @admin.display(description="Countries")
    def where(self, product: Product) -> str:
        first, rest = product.countries[:6], len(product.countries) - 6
        return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")

    @admin.display(description="For")
    def who(self, product: Product) -> str:
        plans = ", ".join(str(Plan(plan).label) for plan in product.plans) or "every plan"
        return f"new subscribers, {plans}" if product.new_subscribers_only else plans
