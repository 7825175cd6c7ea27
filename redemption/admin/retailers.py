from django.contrib import admin
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter

from redemption.admin.base import DeskModelAdmin
from redemption.models import Retailer
from redemption.roles import Permission


@admin.register(Retailer)
class RetailerAdmin(DeskModelAdmin):
    view_permission = Permission.VIEW_CATALOGUE
    change_permission = Permission.MANAGE_RETAILERS
    list_display = ["name", "kind", "country_name", "contact_email", "is_active"]
    list_filter = [("kind", ChoicesCheckboxFilter), ("is_active", BooleanRadioFilter)]
    search_fields = ["name", "slug", "contact_email"]
    search_help_text = "Name or e-mail address"
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "kind", "country"]}),
        ("Dealing with them", {"fields": ["contact_email", "is_active"]}),
    ]

    @admin.display(description="Country", ordering="country")
    def country_name(self, retailer: Retailer) -> str:
        return retailer.country.name or "—"
