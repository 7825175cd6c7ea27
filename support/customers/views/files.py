"""Photos on their way to a customer: the pictures that we made, of his own messages and of our answers to him."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from support.attachments import small
from support.customers.access import parts_of, request_of
from support.customers.letters import told_to
from support.models import AttachmentPage, Message, ScanState
from support.views.attachments import HEADERS, stored


@require_safe
def customer_picture(request: StaffRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    return _picture(request, reference, attachment, page, is_small=False)


@require_safe
def customer_small_picture(request: StaffRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    return _picture(request, reference, attachment, page, is_small=True)


def _picture(request: StaffRequest, reference: str, attachment: int, page: int, *, is_small: bool) -> HttpResponse:
    """Of a message that he reads: files that wait with an agent's draft have none."""
    found = request_of(request.user, reference)
    tickets = [found.pk, *(part.pk for part in parts_of(request.user, found))]
    told = Message.objects.filter(told_to(request.user), ticket__in=tickets)
    pages = AttachmentPage.objects.filter(attachment__message__in=told)
    pages = pages.exclude(attachment__scan=ScanState.INFECTED)
    name = pages.filter(attachment=attachment, number=page).values_list("file", flat=True).first()
    if not name:
        raise Http404
    return HttpResponse(
        stored("pictures", small(name) if is_small else name), content_type="image/jpeg", headers=HEADERS
    )
