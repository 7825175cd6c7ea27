"""The limits of credits: what is in force, every version before it, and a form that asks for another one."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import ApprovalAction, ApprovalRequest, RequestStatus
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, policy
from support.actions import limits
from support.limits import ROLES, Difference, differences, matrix_of, tables
from support.limits_form import LimitsForm
from support.models import AuditAction, CreditPolicy
from support.pages import older_than, page, see_other
from support.permissions import requires

PER_PAGE = 20


@sensitive_post_parameters("reason")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_REPORTS)
@transaction.atomic
def credit_policy(request: StaffRequest) -> HttpResponse:
    may_change = request.user.may(Permission.MANAGE_CREDITS)
    current = policy.current_policy()
    if request.method == "POST":
        if not may_change:
            raise Http404
        return _ask(request, current)
    shown = _version(request) or current
    if "edit" in request.GET:
        if not may_change:
            raise Http404
        # An old version fills the form in: to go back to it, its limits are asked for anew.
        return _form_page(request, current, LimitsForm(base=current.pk, start=matrix_of(shown)), filled_from=shown)
    before = CreditPolicy.objects.filter(pk__lt=shown.pk).order_by("-pk").first()
    matrix = matrix_of(shown)
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:limits", version=shown.pk)
    versions, older = _versions(request)
    context: dict[str, Any] = {
        "shown": shown,
        "is_current": shown.pk == current.pk,
        "tables": tables(matrix),
        "roles": ROLES,
        "changes": differences(matrix_of(before), matrix) if before else [],
        "versions": versions,
        "older": older,
        "waits": _waiting(current),
        "may_change": may_change,
        "may_stop": request.user.may(Permission.APPROVE),
    }
    title = "Limits of credits" if shown.pk == current.pk else f"Limits of credits: {str(shown).lower()}"
    return page(request, "support/credit_policy.html", context, title=title)


def _ask(request: StaffRequest, current: CreditPolicy) -> HttpResponse:
    form = LimitsForm(request.POST, base=current.pk, start=matrix_of(current))
    if not form.is_valid():
        return _form_page(request, current, form, status=422)
    try:
        with transaction.atomic():
            asked = limits.request_policy(
                form.matrix(), base=form.cleaned_data["base"], why=form.cleaned_data["reason"], by=request.user
            )
    except limits.StaleLimitsError as refused:
        # The figures stay as they were typed; asked again, they are meant against what is in force now.
        meanwhile = _since(form.cleaned_data["base"], current)
        again = LimitsForm(_with_base(request.POST, current.pk), base=current.pk, start=matrix_of(current))
        again.add_error(None, str(refused))
        return _form_page(request, current, again, meanwhile=meanwhile, status=409)
    except limits.LimitsError as refused:
        form.add_error(None, str(refused))
        return _form_page(request, current, form, status=409)
    messages.success(request, "Asked for. It is in force as soon as a colleague has approved it.")
    return see_other(reverse("approval", args=[asked.pk]))


def _with_base(typed: QueryDict, base: int) -> QueryDict:
    data = typed.copy()
    data["base"] = str(base)
    return data


def _since(base: int, current: CreditPolicy) -> list[Difference]:
    found = CreditPolicy.objects.filter(pk=base).first()
    return differences(matrix_of(found), matrix_of(current)) if found else []


def _form_page(
    request: StaffRequest,
    current: CreditPolicy,
    form: LimitsForm,
    *,
    filled_from: CreditPolicy | None = None,
    meanwhile: list[Difference] | None = None,
    status: int = 200,
) -> HttpResponse:
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:limits", version=current.pk)
    context = {
        "current": current,
        "form": form,
        "tables": form.tables(),
        "roles": ROLES,
        "filled_from": filled_from if filled_from and filled_from.pk != current.pk else None,
        "meanwhile": meanwhile or [],
        "waits": _waiting(current),
        "wrong": sum(bool(errors) for name, errors in form.errors.items() if "-" in name),
    }
    return page(request, "support/credit_policy_form.html", context, title="Change the limits", status=status)


def _version(request: StaffRequest) -> CreditPolicy | None:
    pk = older_than(request, "version")
    if pk is None:
        return None
    found = CreditPolicy.objects.select_related("made_by", "approval__decided_by").filter(pk=pk).first()
    if not found:
        raise Http404
    return found


def _versions(request: StaffRequest) -> tuple[list[CreditPolicy], int | None]:
    versions = CreditPolicy.objects.select_related("made_by", "approval__decided_by").order_by("-pk")
    if before := older_than(request):
        versions = versions.filter(pk__lt=before)
    found = list(versions[: PER_PAGE + 1])
    return found[:PER_PAGE], found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None


def _waiting(current: CreditPolicy) -> ApprovalRequest | None:
    """The change that somebody has asked for already: there is at most one."""
    asked = ApprovalRequest.objects.filter(
        action=ApprovalAction.POLICY, target=f"policy:{current.pk}", status=RequestStatus.PENDING
    )
    return asked.select_related("requested_by").first()
