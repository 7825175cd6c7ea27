"""When the desk is open, and how soon it answers. What is changed here counts at a ticket's next change."""

from datetime import time
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Model

from redemption.admin.base import DeskModelAdmin, WithoutHistory
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, Holiday, OpeningHours, Priority, Target
from support.targets import forget_schedule


class OpeningHoursForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if {"weekday", "opens", "closes"} <= self.cleaned_data.keys():
            given = (self.cleaned_data["opens"], self.cleaned_data["closes"])
            same_day = OpeningHours.objects.filter(weekday=self.cleaned_data["weekday"])
            for other in same_day.exclude(pk=self.instance.pk):
                if _overlap(given, (other.opens, other.closes)):
                    raise forms.ValidationError(f"It overlaps {other}.")
        return cleaned


def _overlap(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Closing at 00:00 is the end of the day."""
    (opens, closes), (opens_too, closes_too) = one, other
    return (closes == time() or opens_too < closes) and (closes_too == time() or opens < closes_too)


class _Audited(WithoutHistory, DeskModelAdmin):
    """Every change is an audit event, and deadlines go by it at once."""

    view_permission = Permission.MANAGE_DESK
    change_permission = Permission.MANAGE_DESK
    tells_changes = False

    def save_model(self, request: StaffRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save()
        self._record(request, obj, fields=" ".join(form.changed_data))

    def delete_model(self, request: StaffRequest, obj: Any) -> None:
        self._record(request, obj, did="deleted")
        obj.delete()

    def log_deletions(self, request: StaffRequest, queryset: Any) -> None:
        """The audit event stands for it."""

    def _record(self, request: StaffRequest, obj: Model, **details: str) -> None:
        audit.record(AuditAction.DESK_CHANGED, by=request.user, target=f"{obj._meta.model_name}:{obj.pk}", **details)
        transaction.on_commit(forget_schedule)


@admin.register(OpeningHours)
class OpeningHoursAdmin(_Audited):
    form = OpeningHoursForm
    list_display = ["weekday", "opens", "closes"]
    ordering = ["weekday", "opens"]
    fieldsets = [
        (
            None,
            {
                "fields": ["weekday", "opens", "closes"],
                "description": "In the desk’s time zone. A desk without any opening hours is always open.",
            },
        ),
    ]

    def has_delete_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)


@admin.register(Holiday)
class HolidayAdmin(_Audited):
    list_display = ["day", "name"]
    search_fields = ["name"]
    search_help_text = "Name"
    ordering = ["-day"]
    fieldsets = [(None, {"fields": ["day", "name"], "description": "The desk is closed for the whole day."})]

    def has_delete_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)


@admin.register(Target)
class TargetAdmin(_Audited):
    list_display = ["priority", "first", "whole"]
    ordering = ["-priority"]
    fieldsets = [
        (
            None,
            {
                "fields": ["priority", "first_response", "resolution"],
                "description": "A priority without a target has no deadlines.",
            },
        ),
    ]

    def has_add_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request) and Target.objects.count() < len(Priority)

    def has_delete_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    def get_readonly_fields(self, request: StaffRequest, obj: Target | None = None) -> list[str]:
        return ["priority"] if obj else []

    @admin.display(description="First response", ordering="first_response")
    def first(self, target: Target) -> str:
        return f"{target.first_response:,} min"

    @admin.display(description="Resolution", ordering="resolution")
    def whole(self, target: Target) -> str:
        return f"{target.resolution:,} min"
