"""Keys of retailers' systems in the admin: to be looked at, and revoked. Their retailers' managers make them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory
from redemption.models import ApiKey, ApiScope
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.keys import revoke_key


@admin.register(ApiKey)
class ApiKeyAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.VIEW_CATALOGUE
    revoke_permission = Permission.MANAGE_RETAILERS
    list_display = ["name", "begins_with", "retailer", "may", "created_at", "last_used_at", "expires_at", "revoked_at"]
    list_filter = [("retailer", AutocompleteSelectFilter)]
    list_select_related = ["retailer"]
    search_fields = ["name", "prefix", "retailer__name"]
    search_help_text = "Name, what it begins with, or retailer"
    ordering = ["-pk"]
    change_form_outer_before_template = "support/admin/api_key_panel.html"
    fieldsets = [
        (None, {"fields": ["retailer", "name", "begins_with", "may"]}),
        ("Its life", {"fields": ["created_by", "created_at", "replaces", "last_used_at", "expires_at", "revoked_at"]}),
    ]
    readonly_fields = ["begins_with", "may"]

    @admin.display(description="Begins with")
    def begins_with(self, key: ApiKey) -> str:
        return f"rd_{key.prefix}_…"

    @admin.display(description="May")
    def may(self, key: ApiKey) -> str:
        return ", ".join(ApiScope(scope).label for scope in key.scopes)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ApiKey]":
        """Platforms' keys have a page of their own, for fewer people."""
        found: QuerySet[ApiKey] = super().get_queryset(request).filter(program=None)
        return found

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        return {"may_revoke": request.user.may(self.revoke_permission)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke)
        return [path("<int:pk>/revoke/", view, name="redemption_apikey_revoke"), *super().get_urls()]

    def revoke(self, request: StaffRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not request.user.may(self.revoke_permission):
            raise Http404
        key = get_object_or_404(ApiKey.objects.select_related("retailer"), pk=pk, program=None)
        if revoke_key(key, by=request.user):
            messages.success(request, f"The key {key} opens nothing any more.")
        else:
            messages.info(request, f"The key {key} was revoked before.")
        return redirect("admin:redemption_apikey_change", pk)
