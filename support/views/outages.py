"""Outages: whether redeeming works at each program, the switch, and what has happened before."""

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminTextareaWidget

from redemption.code_spotting import CodeSpotter
from redemption.models import Outage, Program
from redemption.outages import OutageError
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions.outages import switch_off, switch_on
from support.models import DONE, AuditAction
from support.pages import page, part, see_other
from support.permissions import requires


class SwitchOffForm(forms.Form):
    message = forms.CharField(
        label="What customers read",
        required=False,
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "autocomplete": "off"}),
        help_text="On the status page and where they redeem, beside our own sentence. Empty: ours alone. No codes.",
    )

    @sensitive_variables()
    def clean_message(self) -> str:
        message: str = self.cleaned_data["message"]
        if CodeSpotter().holds_code([message]):
            raise forms.ValidationError("There is a code in it, and everybody reads it: leave it out.")
        return message


@dataclass(frozen=True, slots=True)
class Standing:
    """How redeeming stands at a program."""

    program: Program
    outage: Outage | None

    @property
    def is_off(self) -> bool:
        return self.program.is_paused or self.outage is not None


@require_safe
@requires(Permission.SWITCH_REDEEMING)
@transaction.atomic
def outages(request: StaffRequest) -> HttpResponse:
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:outages")
    unanswered = Count("problem_ticket__incidents", filter=~Q(problem_ticket__incidents__status__in=DONE))
    known = Outage.objects.select_related("program", "started_by", "ended_by", "problem_ticket")
    known = known.annotate(unanswered=unanswered)
    going_on = {outage.program_id: outage for outage in known.filter(ended_at=None)}
    context = {
        "standings": [
            Standing(program, going_on.get(program.pk)) for program in Program.objects.order_by("name", "pk")
        ],
        "past": part(request, "past", known.exclude(ended_at=None).order_by("-started_at", "-pk")),
    }
    return page(request, "support/outages.html", context, title="Outages")


@sensitive_post_parameters("message")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.SWITCH_REDEEMING)
def switch(request: StaffRequest, slug: str, way: str) -> HttpResponse:
    """What it would do, and the button that does it. `way`: off or on."""
    if way not in {"off", "on"}:
        raise Http404
    program = get_object_or_404(Program, slug=slug)
    if request.method != "POST":
        return _asked(request, program, way, SwitchOffForm())
    form = SwitchOffForm(request.POST)
    if way == "off" and not form.is_valid():
        return _asked(request, program, way, form, status=422)
    try:
        if way == "off":
            switch_off(program=program, message=form.cleaned_data["message"], by=request.user)
        else:
            switch_on(program=program, by=request.user)
    except OutageError as refused:
        return _asked(request, program, way, form, refused=str(refused), status=409)
    told = "is switched off" if way == "off" else "works again"
    messages.success(request, f"Redeeming {told} at {program}.")
    return see_other(reverse("outages"))


@transaction.atomic
def _asked(
    request: StaffRequest, program: Program, way: str, form: SwitchOffForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:outages", also=[f"program:{program.pk}"])
    going_on = Outage.objects.filter(program=program, ended_at=None).first()
    context = {"program": program, "way": way, "form": form, "refused": refused, "outage": going_on}
    title = f"Switch redeeming {way}: {program}"
    return page(request, "support/switch_redeeming.html", context, title=title, status=status)
