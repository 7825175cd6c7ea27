"""The reasons for credits, as managers keep them: one that is no longer used is retired, and stays readable on what it
was given for."""

from typing import Any

from django import forms
from django.contrib import admin
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory, badge
from redemption.code_spotting import CodeSpotter
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.credit_defaults import MOVED_CARD
from support.models import AuditAction, CreditReason


class CreditReasonForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("name", "description"):
            if CodeSpotter().holds_code([data.get(name, "")]):
                self.add_error(name, "There is a code in it, and a reason is read by everybody.")
        if self.instance.slug == MOVED_CARD and data.get("is_retired"):
            self.add_error("is_retired", "What a card gave is moved under this reason: it stays in use.")
        return data


@admin.register(CreditReason)
class CreditReasonAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.VIEW_REPORTS
    change_permission = Permission.MANAGE_CREDITS
    tells_changes = False
    target_kind = "reason"
    form = CreditReasonForm
    list_display = ["name", "proof", "second_person", "state"]
    list_filter = [("is_retired", BooleanRadioFilter), ("proof", ChoicesCheckboxFilter)]
    search_fields = ["name", "description"]
    search_help_text = "Name or description"
    ordering = ["is_retired", "name"]
    fields = ["name", "slug", "description", "proof", "needs_approval", "is_retired"]

    def get_readonly_fields(self, request: StaffRequest, obj: CreditReason | None = None) -> list[str]:
        # Requests that wait name it.
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: StaffRequest, obj: CreditReason | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def save_model(self, request: StaffRequest, obj: CreditReason, form: Any, change: bool) -> None:
        obj.save()
        if form.changed_data or not change:
            audit.record(
                AuditAction.REASON_CHANGED,
                by=request.user,
                target=f"reason:{obj.pk}",
                fields=" ".join(form.changed_data),
            )

    @admin.display(description="Second person", ordering="needs_approval")
    def second_person(self, reason: CreditReason) -> str:
        return "Always" if reason.needs_approval else "Above the limits"

    @admin.display(description="State", ordering="is_retired")
    def state(self, reason: CreditReason) -> str:
        return badge("Retired", "warning") if reason.is_retired else badge("In use", "success")
