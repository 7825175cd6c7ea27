"""The audit trail, read-only: one sentence an event."""

from typing import Any

from django.contrib import admin
from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, DropdownFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory
from redemption.admin.filters import DayRangeFilter
from redemption.models import User
from redemption.requests import StaffRequest
from redemption.roles import STAFF_ROLES, Permission, Role
from support.models import AuditAction, AuditEvent, AuditPersonal


class PersonFilter(DropdownFilter):
    title = "person"
    parameter_name = "person"

    def lookups(self, request: StaffRequest, model_admin: Any) -> list[tuple[str, str]]:
        staff = User.objects.filter(role__in=[*STAFF_ROLES, Role.SYSTEM]).order_by("name", "email")
        return [(str(person.pk), str(person)) for person in staff]

    def queryset(self, request: StaffRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        known = {value for value, _ in self.lookup_choices}
        return queryset.filter(actor_id=int(self.value())) if self.value() in known else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.VIEW_AUDIT
    list_display = ["sentence", "when", "role"]
    list_filter = [("action", ChoicesCheckboxFilter), PersonFilter, ("at", DayRangeFilter)]
    search_fields = ["target"]
    search_help_text = "A target, such as account:12 or code:1000000123"
    ordering = ["-pk"]
    fieldsets = [(None, {"fields": ["sentence", "when", "role", "target", "facts", "personal", "id"]})]
    readonly_fields = ["sentence", "when", "role", "facts", "personal"]

    def get_queryset(self, request: StaffRequest) -> QuerySet[AuditEvent]:
        # Events have no foreign keys: whoever they name may be gone.
        person = User.objects.filter(pk=OuterRef("actor_id")).annotate(
            shown=Coalesce(NullIf("name", Value("")), "email", output_field=CharField())
        )
        return super().get_queryset(request).annotate(actor=Subquery(person.values("shown")))

    def get_search_results(
        self, request: StaffRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        return (queryset.filter(target=search_term.strip()) if search_term.strip() else queryset), False

    @admin.display(description="What happened")
    def sentence(self, event: AuditEvent) -> str:
        actor = getattr(event, "actor", None) or f"person {event.actor_id}"
        return AuditAction(event.action).label.format(actor=actor, target=event.target or "nothing")

    @admin.display(description="When", ordering="pk")
    def when(self, event: AuditEvent) -> str:
        return f"{event.at:%-d %b %Y, %H:%M:%S} UTC"

    @admin.display(description="As")
    def role(self, event: AuditEvent) -> str:
        return Role(event.actor_role).label if event.actor_role in Role.values else event.actor_role

    @admin.display(description="Details")
    def facts(self, event: AuditEvent) -> str:
        return "; ".join(f"{name}: {value}" for name, value in sorted(event.details.items())) or "—"

    @admin.display(description="Personal details")
    def personal(self, event: AuditEvent) -> str:
        if event.personal_hash is None:
            return "—"
        kept = AuditPersonal.objects.filter(pk=event.pk).first()
        return kept.text if kept else "erased"
