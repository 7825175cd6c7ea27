"""Photos on their way to a retailer's people: the pictures that we made, of their own reports' messages."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from support.attachments import small
from support.models import AttachmentPage, ScanState
from support.portal.access import PortalRequest, portal_page
from support.portal.shown_report import report_of
from support.views.attachments import HEADERS, stored


@require_safe
@portal_page
def picture(request: PortalRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    return _picture(request, reference, attachment, page, is_small=False)


@require_safe
@portal_page
def small_picture(request: PortalRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    return _picture(request, reference, attachment, page, is_small=True)


def _picture(request: PortalRequest, reference: str, attachment: int, page: int, *, is_small: bool) -> HttpResponse:
    """Of a message that the wall shows: files that wait with an agent's draft have none."""
    found = report_of(request.portal, reference)
    of_report = AttachmentPage.objects.filter(attachment__ticket=found.ticket_id, attachment__message__isnull=False)
    of_report = of_report.exclude(attachment__scan=ScanState.INFECTED)
    name = of_report.filter(attachment=attachment, number=page).values_list("file", flat=True).first()
    if not name:
        raise Http404
    return HttpResponse(
        stored("pictures", small(name) if is_small else name), content_type="image/jpeg", headers=HEADERS
    )
