from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesCheckboxFilter,
    RelatedDropdownFilter,
)
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from redemption.admin import batch_views
from redemption.admin.base import DeskModelAdmin
from redemption.admin.batch_panel import panel, status_badge
from redemption.admin.filters import DayRangeFilter
from redemption.models import FIRST_SERIAL, LAST_SERIAL, Batch, BatchStatus, BatchTally
from redemption.money import format_minor
from redemption.requests import StaffRequest
from redemption.roles import Permission
from redemption.serials import SerialsRefusedError, run_from


class BatchForm(forms.ModelForm):  # type: ignore[type-arg]
    first_serial = forms.IntegerField(
        label="First serial number",
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        validators=[MinValueValidator(FIRST_SERIAL), MaxValueValidator(LAST_SERIAL)],
        help_text="Ten digits. Empty: the first free range, when the codes are issued.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["first_serial"] = self.instance.first_serial

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk:
            # The worker holds the row while it makes the codes: whoever comes then is told, and does not wait.
            drafts = Batch.objects.select_for_update(skip_locked=True, of=("self",)).filter(status=BatchStatus.DRAFT)
            if not drafts.filter(pk=self.instance.pk).exists():
                raise forms.ValidationError("Its codes are made already, or just now: nothing was changed.")
        if product := data.get("product"):
            self._take_format_of(product)
        if "first_serial" in data and data.get("quantity"):
            self.instance.serials = None
            if data["first_serial"] is not None:
                wanted = Batch(pk=self.instance.pk, quantity=data["quantity"])
                try:
                    # Nobody else takes a number before this request's transaction ends.
                    self.instance.serials = NumericRange(*run_from(data["first_serial"], wanted))
                except SerialsRefusedError as refused:
                    self.add_error("first_serial", str(refused))
        return data

    def _take_format_of(self, product: Any) -> None:
        code_format = product.program.formats.order_by("-version").first()
        if code_format is None:
            self.add_error("product", f"{product.program} has no code format yet: add one to the program first.")
        elif not code_format.can_generate:
            self.add_error(
                "product", f"{product.program}’s codes are its supplier’s: they are imported, not made here."
            )
        else:
            self.instance.code_format = code_format


@admin.register(Batch)
class BatchAdmin(DeskModelAdmin):
    view_permission = Permission.VIEW_CATALOGUE
    change_permission = Permission.MANAGE_BATCHES
    form = BatchForm
    list_display = [
        "number",
        "product_for_retailer",
        "state",
        "quantity_in_figures",
        "activated",
        "redeemed",
        "refused",
        "outstanding",
        "serial_numbers",
        "expires_on",
    ]
    list_filter = [
        ("status", ChoicesCheckboxFilter),
        ("product__program", RelatedDropdownFilter),
        ("product", AutocompleteSelectFilter),
        ("retailer", AutocompleteSelectFilter),
        ("expires_on", DayRangeFilter),
    ]
    search_fields = ["reference", "product__name", "product__sku", "retailer__name"]
    search_help_text = "Reference, product, retailer or a serial number"
    autocomplete_fields = ["product", "retailer"]
    ordering = ["-pk"]
    change_form_outer_before_template = "redemption/admin/batch_panel.html"
    fieldsets = [
        (None, {"fields": ["product", "retailer", "quantity", "first_serial", "expires_on"]}),
    ]

    def has_change_permission(self, request: StaffRequest, obj: Batch | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.status == BatchStatus.DRAFT)

    def has_add_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request)

    def get_queryset(self, request: StaffRequest) -> QuerySet[Batch]:
        related = ["product__program", "retailer", "code_format", "created_by", "tally"]
        return super().get_queryset(request).select_related(*related)

    def get_search_results(self, request: StaffRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        if search_term.isascii() and search_term.isdigit() and len(search_term) == 10:
            return queryset.filter(serials__contains=int(search_term)), False
        return super().get_search_results(request, queryset, search_term)

    def get_fieldsets(self, request: StaffRequest, obj: Batch | None = None) -> Any:
        if obj and not self.has_change_permission(request, obj):
            names = ["reference", "product", "retailer", "code_format", "quantity", "serial_numbers"]
            return [(None, {"fields": [*names, "worth", "expires_on", "made_by", "created_at"]})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: StaffRequest, obj: Batch | None = None) -> list[str]:
        return ["reference", "code_format", "serial_numbers", "worth", "made_by", "created_at"]

    def save_model(self, request: StaffRequest, obj: Batch, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user
        obj.save()

    def response_post_save_add(self, request: StaffRequest, obj: Batch) -> HttpResponse:
        """To the draft's page, where its codes are issued."""
        return redirect("admin:redemption_batch_change", obj.pk)

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        batch = self.get_object(request, object_id) if object_id else None
        return {"panel": panel(batch, request.user)} if batch and self.has_view_permission(request, batch) else {}

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, view: Any, name: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(lambda request, **kwargs: view(self, request, **kwargs))
            return path(f"<int:pk>/{route}", wrapped, name=f"redemption_batch_{name}")

        return [
            page("do/<slug:name>/", batch_views.act, "act"),
            page("progress/", batch_views.progress, "progress"),
            page("print-file/", batch_views.download_print_file, "print_file"),
            *super().get_urls(),
        ]

    @admin.display(description="Reference", ordering="pk")
    def number(self, batch: Batch) -> str:
        return format_html('<span class="whitespace-nowrap">{}</span>', batch.reference)

    @admin.display(description="Product, retailer", ordering="product__name")
    def product_for_retailer(self, batch: Batch) -> str:
        return format_html("{}<br>{}", batch.product, batch.retailer)

    @admin.display(description="Status", ordering="status")
    def state(self, batch: Batch) -> str:
        return status_badge(batch)

    @admin.display(description="Codes", ordering="quantity")
    def quantity_in_figures(self, batch: Batch) -> str:
        return f"{batch.quantity:,}"

    @admin.display(description="Activated")
    def activated(self, batch: Batch) -> str:
        return _counted(batch, "activated")

    @admin.display(description="Redeemed")
    def redeemed(self, batch: Batch) -> str:
        return _counted(batch, "redeemed")

    @admin.display(description="Refused")
    def refused(self, batch: Batch) -> str:
        return _counted(batch, "refused")

    @admin.display(description="Outstanding")
    def outstanding(self, batch: Batch) -> str:
        tally = tally_of(batch)
        return format_minor(tally.outstanding, batch.currency) if tally and batch.currency else "—"

    @admin.display(description="Serial numbers", ordering="serials")
    def serial_numbers(self, batch: Batch) -> str:
        return f"{batch.first_serial} – {batch.last_serial}" if batch.serials else "—"

    @admin.display(description="Made by")
    def made_by(self, batch: Batch) -> str:
        """Without a link: hardly anybody may open people."""
        return str(batch.created_by)

    @admin.display(description="Value of a card")
    def worth(self, batch: Batch) -> str:
        return format_minor(batch.value, batch.currency) if batch.currency else "—"


def tally_of(batch: Batch) -> BatchTally | None:
    """Drafts have none."""
    return getattr(batch, "tally", None)


def _counted(batch: Batch, figure: str) -> str:
    tally = tally_of(batch)
    return f"{getattr(tally, figure):,}" if tally else "—"
