"""A request: all that is needed to decide it, the decision, and then the next one that waits."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from redemption.approvals import ApprovalError
from redemption.models import ApprovalRequest, RequestStatus
from redemption.reasons import ReasonForm
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, deciding, waiting
from support.actions import decisions
from support.actions.credits import CreditError
from support.addresses import LARGEST_ID
from support.asked import Asked, read
from support.models import AuditAction
from support.pages import page, see_other
from support.permissions import requires


class ApproveForm(ReasonForm):
    prefix = "approve"
    reason = forms.CharField(max_length=500, required=False, widget=forms.Textarea({"rows": 2, "maxlength": 500}))


class RejectForm(ReasonForm):
    prefix = "reject"
    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea({"rows": 2, "maxlength": 500, "aria-keyshortcuts": "r", "data-reject": True}),
        error_messages={"required": "Say why you reject it: whoever asked reads it."},
    )


_FORMS: dict[str, type[ReasonForm]] = {"approve": ApproveForm, "reject": RejectForm}


@require_safe
@requires(Permission.VIEW_ACCOUNTS)
def approval(request: StaffRequest, pk: int) -> HttpResponse:
    return _page(request, _found(request, pk))


@sensitive_post_parameters()
@sensitive_variables("form", "bound", "reason")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_ACCOUNTS)
def decide(request: StaffRequest, pk: int, verb: str) -> HttpResponse:
    """Approves, rejects or withdraws. What is refused leaves the page with what was typed, and says why."""
    found = _found(request, pk)
    if request.method != "POST":
        return see_other(reverse("approval", args=[pk]))
    if verb not in {*_FORMS, "withdraw"} or not request.user.may(_permission(verb)):
        raise Http404
    bound: dict[str, ReasonForm] = {}
    try:
        if verb == "withdraw":
            decisions.withdraw(found, by=request.user)
        else:
            form = bound[verb] = _FORMS[verb](request.POST)
            if not form.is_valid():
                return _page(request, found, bound=bound, status=422)
            reason = form.cleaned_data["reason"]
            act = decisions.approve if verb == "approve" else decisions.reject
            act(found, by=request.user, reason=reason)
    except (ApprovalError, CreditError) as refused:
        # Read again: somebody may have decided it meanwhile.
        return _page(request, _found(request, pk), bound=bound, refused=str(refused), status=409)
    return _after(request, found, verb)


def _permission(verb: str) -> Permission:
    return Permission.REQUEST if verb == "withdraw" else Permission.APPROVE


def _found(request: StaffRequest, pk: int) -> ApprovalRequest:
    visible = waiting.visible_to(request.user).select_related(
        "approval__decided_by", "approval__credit", "approval__reversal", "approval__credit_policy"
    )
    found = visible.filter(pk=min(pk, LARGEST_ID)).first()
    if not found:
        raise Http404
    return found


def _after(request: StaffRequest, found: ApprovalRequest, verb: str) -> HttpResponse:
    """Says what was done, and leads to what waits next; after withdrawing, back to the request."""
    (asked,) = read([found])
    done = {"approve": "Approved", "reject": "Rejected", "withdraw": "Withdrawn"}[verb]
    messages.success(request, f"{done}: {asked.title}.")
    if verb == "withdraw":
        return see_other(reverse("approval", args=[found.pk]))
    following = waiting.next_for(request.user, after=found, now=timezone.now())
    return see_other(reverse("approval", args=[following.pk]) if following else reverse("approvals"))


@sensitive_variables("bound")
@transaction.atomic
def _page(
    request: StaffRequest,
    found: ApprovalRequest,
    *,
    bound: dict[str, ReasonForm] | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    now, user, bound = timezone.now(), request.user, bound or {}
    (asked,) = read([found])
    waits = found.status == RequestStatus.PENDING and found.expires_at > now
    case = deciding.case_of(asked, waits=waits, shown_to=user, now=now)
    audit.record(AuditAction.REQUEST_OPENED, by=user, target=f"request:{found.pk}", also=_seen(asked, case))
    why_not = waiting.why_not(found, user, now=now)
    decidable = waits and not why_not
    context: dict[str, Any] = {
        "asked": asked,
        "found": found,
        "looked_at": f"request:{found.pk}",
        "requester": found.requested_by,
        "waits": waiting.waits(found, now),
        "is_waiting": waits,
        "is_expired": found.status == RequestStatus.EXPIRED or (found.status == RequestStatus.PENDING and not waits),
        "why_not": why_not,
        "refused": refused,
        # What was typed into a form that is no longer there.
        "unsent": "" if decidable else next((form["reason"].value() for form in bound.values()), ""),
        "approve_form": bound.get("approve") or ApproveForm() if decidable else None,
        "reject_form": bound.get("reject") or RejectForm() if decidable else None,
        "withdraws": waits and found.requested_by_id == user.pk,
        "hindrance": deciding.hindrance(asked, now=now, about=case["reported"]) if waits else "",
        "earlier": deciding.earlier(asked, case, now=now),
        "shows_people": user.may(Permission.SEE_PERSONAL_DATA),
        "opens_tickets": False,
        "opens_policy": user.may(Permission.VIEW_REPORTS),
        **_neighbours(request, found, now),
        **case,
    }
    return page(request, "support/approval.html", context, title=asked.title, status=status)


def _neighbours(request: StaffRequest, found: ApprovalRequest, now: datetime) -> dict[str, Any]:
    if not request.user.may(Permission.APPROVE):
        return {"following": None, "previous": None}
    following = waiting.next_for(request.user, after=found, now=now)
    return {"following": following, "previous": waiting.previous_for(request.user, before=found, now=now)}


def _seen(asked: Asked, case: dict[str, Any]) -> list[str]:
    """What else the page shows: whoever asks who looked at an account finds this as well."""
    seen = [f"account:{account.pk}" for account, _ in case["accounts"]]
    if ticket := case.get("ticket"):
        seen.append(f"ticket:{ticket.pk}")
    if asked.report:
        seen.append(f"report:{asked.report.pk}")
    if asked.card:
        seen.append(f"code:{asked.card}")
    if asked.credit:
        seen.append(f"credit:{asked.credit.pk}")
    return seen
