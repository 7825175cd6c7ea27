"""A report's statement on paper, for the till."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from support.portal.access import PortalRequest, portal_page
from support.portal.shown_report import report_of
from support.views.statement import paper


@require_safe
@portal_page
def statement(request: PortalRequest, reference: str) -> HttpResponse:
    return paper(report_of(request.portal, reference))
