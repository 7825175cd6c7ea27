from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextareaWidget

from redemption.admin.base import DeskInline, DeskModelAdmin, badge
from redemption.admin.fields import LinesField, PairsField
from redemption.admin.plan_prices import PlanPriceInline, save_prices
from redemption.code_format import CROCKFORD_LOOK_ALIKES
from redemption.models import CodeFormat, PlanPrice, Program
from redemption.refusals import Answer
from redemption.requests import StaffRequest
from redemption.roles import Permission

WORDING = {f"wording_{answer.value}": answer for answer in Answer}


class _ProgramForm(forms.ModelForm):  # type: ignore[type-arg]
    """One box for each answer stands for the `wording` column."""

    share_link_patterns = LinesField(
        required=False, max_length=4000, help_text="Regular expressions of share links, one a line."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({name: self.instance.wording.get(answer.value, "") for name, answer in WORDING.items()})

    def save(self, commit: bool = True) -> Program:
        texts = {answer.value: self.cleaned_data.get(name) for name, answer in WORDING.items()}
        self.instance.wording = {answer: text for answer, text in texts.items() if text}
        return super().save(commit)


ProgramForm = type(
    "ProgramForm",
    (_ProgramForm,),
    {
        name: forms.CharField(
            label=answer.value.replace("_", " ").capitalize(),
            required=False,
            max_length=500,
            help_text=f"Otherwise: {answer.label}",
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        )
        for name, answer in WORDING.items()
    },
)


class CodeFormatForm(forms.ModelForm):  # type: ignore[type-arg]
    # Our own codes forgive Crockford's look-alikes; a supplier's alphabet may hold those letters.
    look_alikes = PairsField(
        required=False,
        max_length=300,
        initial=dict(CROCKFORD_LOOK_ALIKES),
        help_text="What is typed for what: O=0, I=1. Only symbols from outside the alphabet are typed wrong.",
    )


class CodeFormatInline(DeskInline):
    """Only added to: printed cards keep the format that they were made with, and a trigger refuses changes."""

    model = CodeFormat
    form = CodeFormatForm
    view_permission = Permission.VIEW_CATALOGUE
    verbose_name_plural = "code formats: the newest is the one of new batches"
    fields = [
        "version",
        "prefix",
        "length",
        "group_size",
        "has_check_symbol",
        "case_sensitive",
        "alphabet",
        "look_alikes",
    ]
    readonly_fields = ["version"]
    ordering = ["-version"]

    def has_add_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return request.user.may(Permission.MANAGE_PROGRAMS)


@admin.register(Program)
class ProgramAdmin(DeskModelAdmin):
    view_permission = Permission.VIEW_CATALOGUE
    change_permission = Permission.MANAGE_PROGRAMS
    form = ProgramForm
    inlines = [PlanPriceInline, CodeFormatInline]
    list_display = ["name", "state", "time_zone", "stacking_cap_months", "third_party", "location", "printer"]
    search_fields = ["name", "slug"]
    search_help_text = "Name"
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "digest_name", "time_zone", "redeeming"]}),
        (
            "Rules of redeeming",
            {"fields": ["stacking_cap_months", "refuses_third_party_billing", "checks_location"]},
        ),
        ("Cards", {"fields": ["printer_key", "share_link_patterns"]}),
        ("Retailers", {"fields": ["retailer_second_factor", "deactivation_minutes"]}),
        (
            "Answers in the program's own words",
            {"fields": list(WORDING), "classes": ["collapse"], "description": "What customers read. Empty: ours."},
        ),
    ]

    def get_readonly_fields(self, request: StaffRequest, obj: Program | None = None) -> list[str]:
        return ["digest_name", "redeeming"] if obj else ["redeeming"]

    def get_prepopulated_fields(self, request: StaffRequest, obj: Program | None = None) -> dict[str, Any]:
        return {} if obj else super().get_prepopulated_fields(request, obj)

    def save_formset(self, request: StaffRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is PlanPrice:
            save_prices(request, formset)
            return
        newest = CodeFormat.objects.filter(program=form.instance).aggregate(newest=Max("version"))["newest"] or 0
        for version, code_format in enumerate(formset.save(commit=False), newest + 1):
            code_format.version = version
            code_format.save()

    @admin.display(description="State")
    def state(self, program: Program) -> str:
        return badge("Paused", "warning") if program.is_paused else badge("Open", "success")

    @admin.display(description="Redeeming")
    def redeeming(self, program: Program) -> str:
        """The switch has a page of its own, where who presses it says what customers read."""
        link = format_html('<a href="{}">Switch it off and on under Outages</a>', reverse("outages"))
        return format_html("{} {}", self.state(program), link)

    @admin.display(description="Third-party billing")
    def third_party(self, program: Program) -> str:
        return "refused" if program.refuses_third_party_billing else "allowed"

    @admin.display(description="Location")
    def location(self, program: Program) -> str:
        return "checked" if program.checks_location else "not checked"

    @admin.display(description="Printer's key")
    def printer(self, program: Program) -> str:
        return "set" if program.printer_key else "missing"
