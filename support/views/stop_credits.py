"""The switch that stops all credits: how it stands, who has pressed it, and the form to press it."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from redemption.reasons import ReasonForm
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, policy
from support.actions import limits
from support.models import AuditAction, CreditStop
from support.pages import page, part, see_other
from support.permissions import requires


class StopForm(ReasonForm):
    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="Everybody who grants credits reads it. No codes.",
    )


@sensitive_post_parameters("reason")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.APPROVE)
def stop_credits(request: StaffRequest) -> HttpResponse:
    """Whoever decides what others ask for may stop all credits at once; only who sets the limits allows them again."""
    if request.method != "POST":
        return _page(request, StopForm())
    resumes = request.POST.get("do") == "resume"
    if resumes and not request.user.may(Permission.MANAGE_CREDITS):
        raise Http404
    form = StopForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        if resumes:
            limits.resume(reason=form.cleaned_data["reason"], by=request.user)
        else:
            limits.stop(reason=form.cleaned_data["reason"], by=request.user)
    except limits.LimitsError as refused:
        form.add_error(None, str(refused))
        return _page(request, form, status=409)
    messages.success(request, "Credits are allowed again." if resumes else "All credits are stopped.")
    return see_other(reverse("stop_credits"))


@transaction.atomic
def _page(request: StaffRequest, form: StopForm, *, status: int = 200) -> HttpResponse:
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:stops")
    context = {
        "form": form,
        "stands": policy.stopped(),
        "may_resume": request.user.may(Permission.MANAGE_CREDITS),
        "stops": part(request, "stops", CreditStop.objects.select_related("by").order_by("-pk")),
    }
    return page(request, "support/stop_credits.html", context, title="Stop all credits", status=status)
