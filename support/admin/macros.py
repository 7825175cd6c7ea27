"""Macros, as managers write them. A variable that nobody knows is refused when it is saved, not when it is used."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory
from redemption.code_spotting import CodeSpotter
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, Macro
from support.reply_variables import VARIABLES, unknown


class MacroForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_body(self) -> str:
        body: str = self.cleaned_data["body"]
        if strange := unknown(body):
            names = ", ".join(f"{{{name}}}" for name in strange)
            raise forms.ValidationError(f"No such variable: {names}. There are {{{'}, {'.join(VARIABLES)}}}.")
        if CodeSpotter().holds_code([body]):
            raise forms.ValidationError("There is a code in it: name a card by {card}, its serial number.")
        return body

    def clean_add_tags(self) -> list[str]:
        return list(
            dict.fromkeys(" ".join(tag.lower().split()) for tag in self.cleaned_data["add_tags"] if tag.strip())
        )


@admin.register(Macro)
class MacroAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.ANSWER_TICKETS
    change_permission = Permission.MANAGE_DESK
    tells_changes = False
    form = MacroForm
    list_display = ["name", "kind", "program", "status", "is_active"]
    list_select_related = ["program"]
    list_filter = [("program", RelatedDropdownFilter), ("is_active", BooleanRadioFilter)]
    search_fields = ["name"]
    ordering = ["name"]
    readonly_fields = ["variables"]
    fieldsets = [
        (None, {"fields": ["name", "program", "kind", "body", "variables", "is_active"]}),
        ("What it does when it is sent", {"fields": ["status", "priority", "add_tags", "assigns_to_me"]}),
    ]

    def save_model(self, request: StaffRequest, obj: Macro, form: Any, change: bool) -> None:
        obj.save()
        audit.record(
            AuditAction.DESK_CHANGED,
            by=request.user,
            target=f"macro:{obj.pk}",
            fields=" ".join(form.changed_data),
        )

    @admin.display(description="Variables")
    def variables(self, macro: Macro) -> str:
        return format_html_join("", "<div><code>{{{}}}</code> {}</div>", VARIABLES.items())
