"""A report's statement on paper, as the desk prints it: the same that its retailer prints."""

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, CompromiseReport
from support.paper import draw
from support.permissions import requires
from support.printed_report import statement as statement_on
from support.views.compromise import found_report


@require_safe
@requires(Permission.VIEW_COMPROMISED)
@transaction.atomic
def statement(request: StaffRequest, reference: str) -> HttpResponse:
    report = found_report(reference)
    audit.record(AuditAction.COMPROMISE_OPENED, by=request.user, target=f"report:{report.pk}")
    return paper(report)


def paper(report: CompromiseReport) -> HttpResponse:
    """Shown in the browser, which keeps nothing of it. No sandbox, in which browsers show no PDF: their viewer's own
    look is all that it may load."""
    return HttpResponse(
        draw(statement_on(report, now=timezone.now())),
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{report.reference}.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
        },
    )
