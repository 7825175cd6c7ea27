"""The catalogue of known errors, with their causes. Each change leaves an audit event."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from redemption.admin.base import DeskInline, DeskModelAdmin, WithoutHistory, badge
from redemption.admin.fields import LinesField
from redemption.refusals import RefusalReason
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, Cause, KnownError, Ticket
from support.references import read_reference
from support.reply_variables import VARIABLES, unknown

_LONGEST = 300


class KnownErrorForm(forms.ModelForm):  # type: ignore[type-arg]
    other_wordings = LinesField(
        required=False, max_length=20_000, help_text="Older, translated or shortened wordings, one a line."
    )

    def clean_other_wordings(self) -> list[str]:
        wordings: list[str] = self.cleaned_data["other_wordings"]
        if any(len(wording) > _LONGEST for wording in wordings):
            raise forms.ValidationError(f"A wording has at most {_LONGEST} characters.")
        return list(dict.fromkeys(wordings))


class CauseForm(forms.ModelForm):  # type: ignore[type-arg]
    reasons = forms.MultipleChoiceField(
        choices=RefusalReason,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="The refusals by which the checks prove this cause; none, where no check can know it.",
    )
    reply = forms.CharField(
        max_length=5000,
        widget=UnfoldAdminTextareaWidget({"rows": 10}),
        help_text="Filled in when it is used: " + ", ".join(f"{{{name}}} {what}" for name, what in VARIABLES.items()),
    )

    def clean_reply(self) -> str:
        reply: str = self.cleaned_data["reply"]
        if strange := unknown(reply):
            names = ", ".join(f"{{{name}}}" for name in strange)
            raise forms.ValidationError(f"There is no such variable: {names}")
        return reply


class CauseInline(DeskInline):
    """A cause that is no longer one is removed here; what was answered with it stays on its tickets."""

    model = Cause
    form = CauseForm
    view_permission = Permission.VIEW_TICKETS
    change_permission = Permission.MANAGE_DESK
    fields = ["rank", "title", "reasons", "question", "remedy", "reply"]
    ordering = ["rank", "pk"]
    collapsible = True

    def has_delete_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def formfield_for_dbfield(self, db_field: Any, request: StaffRequest, **kwargs: Any) -> Any:
        if db_field.name in {"question", "remedy"}:
            kwargs["widget"] = UnfoldAdminTextareaWidget({"rows": 2})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(KnownError)
class KnownErrorAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.VIEW_TICKETS
    change_permission = Permission.MANAGE_DESK
    tells_changes = False
    target_kind = "known_error"
    form = KnownErrorForm
    inlines = [CauseInline]
    list_display = ["wording", "program_name", "state", "answer_name", "cause_count"]
    list_select_related = ["program"]
    list_filter = [
        ("program", RelatedDropdownFilter),
        ("answer", ChoicesCheckboxFilter),
        ("is_active", BooleanRadioFilter),
    ]
    search_fields = ["wording"]
    search_help_text = "Wording"
    ordering = ["wording", "pk"]
    autocomplete_fields = ["program"]
    fieldsets = [
        (None, {"fields": ["wording", "other_wordings", "program", "answer", "is_active"]}),
    ]

    def get_queryset(self, request: StaffRequest) -> QuerySet[KnownError]:
        return super().get_queryset(request).annotate(how_many=Count("causes"))

    def formfield_for_choice_field(self, db_field: Any, request: StaffRequest, **kwargs: Any) -> Any:
        if db_field.name == "answer":
            kwargs |= {"label": "Our answer", "help_text": "Which of our own it is, where it is one of ours."}
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: StaffRequest) -> dict[str, Any]:
        """From a ticket whose message nobody knew. The address names the ticket: a customer's words stand in none."""
        reference = read_reference(request.GET.get("ticket", ""))
        ticket = Ticket.objects.visible_to(request.user).filter(reference=reference).first() if reference else None
        return {"wording": ticket.error_message[:_LONGEST], "program": ticket.program_id} if ticket else {}

    def save_related(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> None:
        """The causes are saved last: then it is known what changed in all."""
        super().save_related(request, form, formsets, change)
        (causes,) = formsets
        fields = [*form.changed_data, *(["causes"] if causes.has_changed() else [])]
        if fields or not change:
            audit.record(
                AuditAction.DESK_CHANGED,
                by=request.user,
                target=f"known_error:{form.instance.pk}",
                fields=" ".join(fields),
            )

    @admin.display(description="Program", ordering="program__name")
    def program_name(self, error: KnownError) -> str:
        return error.program.name if error.program else "every program"

    @admin.display(description="State", ordering="is_active")
    def state(self, error: KnownError) -> str:
        return badge("Recognised", "success") if error.is_active else badge("Off", "warning")

    @admin.display(description="Our answer", ordering="answer")
    def answer_name(self, error: KnownError) -> str:
        return error.answer.replace("_", " ").capitalize() or "—"

    @admin.display(description="Causes")
    def cause_count(self, error: KnownError) -> int:
        return getattr(error, "how_many", 0)
