"""One try to redeem, by the reference that the customer was given: what it was, exactly, and what he was told."""

from django.db import transaction
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from redemption.models import Account, Attempt
from redemption.references import SignedReference, read_signed
from redemption.refusals import REFUSALS, RefusalReason
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.pages import page
from support.permissions import requires
from support.references import read_reference


@require_safe
@requires(Permission.VIEW_ACCOUNTS)
@transaction.atomic
def attempt(request: StaffRequest, reference: str) -> HttpResponse:
    written = read_reference(reference) or ""
    if signed := read_signed(written):
        return _untried(request, signed, written)
    found = Attempt.objects.select_related("account", "program", "code").filter(reference=written).first()
    if not found:
        raise Http404
    audit.record(AuditAction.ATTEMPT_OPENED, by=request.user, target=f"attempt:{found.pk}")
    reason = RefusalReason(found.reason) if found.reason else None
    context = {
        "attempt": found,
        "program": found.program,
        "account": found.account,
        "reason": reason,
        "refusal": REFUSALS[reason] if reason else None,
        "answer": reason.answer.text(found.program) if reason else "",
    }
    return page(request, "support/attempt.html", context, title=f"Attempt {found.reference}")


def _untried(request: StaffRequest, signed: SignedReference, reference: str) -> HttpResponse:
    """A try that left no row: the signed reference says itself what it was."""
    account = Account.objects.select_related("program").filter(pk=signed.account_id).first()
    target = f"account:{account.pk}" if account else ""
    audit.record(AuditAction.ATTEMPT_OPENED, by=request.user, target=target)
    context = {
        "signed": signed,
        "reference": reference,
        "account": account,
        "program": account.program if account else None,
    }
    return page(request, "support/attempt.html", context, title="A try that was not counted")
