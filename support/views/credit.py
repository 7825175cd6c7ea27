"""One credit: what was given to whom and why, by whom, under which limits, and what came of it. It is never edited;
what is left of it can be taken back by two people."""

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from redemption.models import ApprovalAction
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions.credits import CreditError
from support.actions.reversals import left_of, request_reversal
from support.credit_forms import WhyForm, say
from support.earlier_credits import pending_about
from support.models import DAYS, AuditAction, ManualCredit, ScanState, Ticket, format_amount
from support.pages import page, see_other
from support.permissions import requires
from support.references import read_reference


@require_safe
@requires(Permission.VIEW_ACCOUNTS)
@transaction.atomic
def credit(request: StaffRequest, reference: str) -> HttpResponse:
    return _page(request, _credit(reference), WhyForm())


@sensitive_post_parameters()
@sensitive_variables("form")
@require_POST
@requires(Permission.GRANT_CREDITS)
def reverse_credit(request: StaffRequest, reference: str) -> HttpResponse:
    """Asks a second person to take back what is left of it."""
    found = _credit(reference)
    form = WhyForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    try:
        asked = request_reversal(found, why=form.cleaned_data["why"], by=request.user)
    except CreditError as refused:
        say(form, refused)
        return _page(request, found, form, status=422)
    messages.success(request, f"A second person is asked to take back what is left of {found.reference}.")
    return see_other(reverse("approval", args=[asked.pk]))


def _credit(reference: str) -> ManualCredit:
    """With all that its page names, in one query."""
    rows = ManualCredit.objects.select_related(
        "account__program",
        "program",
        "reason",
        "ticket",
        "retailer",
        "receipt__ticket",
        "granted_by",
        "policy",
        "approval__request",
        "approval__decided_by",
        "transfer__wallet",
        "premium_grant__account__program",
        "moves__redemption__account",
        "reversal__approval__decided_by",
        "reversal__approval__request",
        "reversal__by",
        "reversal__transfer",
    )
    found = rows.filter(reference=read_reference(reference)).first()
    if not found:
        raise Http404
    return found


def _page(request: StaffRequest, found: ManualCredit, form: WhyForm, *, status: int = 200) -> HttpResponse:
    may = request.user.may
    left = left_of(found)
    audit.record(AuditAction.CREDIT_OPENED, by=request.user, target=f"credit:{found.pk}")
    receipt = found.receipt
    seen = receipt and Ticket.objects.visible_to(request.user).filter(pk=receipt.ticket_id).exists()
    context = {
        "credit": found,
        "looked_at": f"credit:{found.pk}",
        "account": found.account,
        "program": found.program,
        "reversal": getattr(found, "reversal", None),
        "is_days": found.unit == DAYS,
        "left": format_amount(left, found.unit) if left else "",
        "receipt": receipt,
        "receipt_page": receipt.pages.first() if receipt and seen and receipt.scan != ScanState.INFECTED else None,
        "pending": pending_about(ApprovalAction.REVERSAL, f"credit:{found.pk}"),
        "may_ask": may(Permission.GRANT_CREDITS),
        "answers": may(Permission.ANSWER_TICKETS),
        "opens_policy": may(Permission.VIEW_REPORTS),
        "form": form,
    }
    return page(request, "support/credit.html", context, title=f"Credit {found.reference}", status=status)
