"""Files on their way to the browser: our own pictures to look at, and the originals to those who may have them."""

from django.core.files.storage import storages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.attachments import small
from support.decoding import HEAD, format_of
from support.models import Attachment, AttachmentPage, AuditAction, ScanState, Ticket
from support.permissions import requires
from support.references import read_reference

_ENDINGS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "HEIF": "heic", "PDF": "pdf"}
# No browser guesses what it is, runs anything in it, or keeps it.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


@require_safe
@requires(Permission.VIEW_TICKETS)
@transaction.atomic
def picture(request: StaffRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    """One picture that we made. There is no way to it but this, which asks who looks and writes it down."""
    found = _page_of(request, reference, attachment, page)
    contents = stored("pictures", found.file)
    target = f"ticket:{found.attachment.ticket_id}"
    audit.record(AuditAction.RECEIPT_OPENED, by=request.user, target=target, attachment=attachment, page=page)
    return HttpResponse(contents, content_type="image/jpeg", headers=HEADERS)


@require_safe
@requires(Permission.VIEW_TICKETS)
def small_picture(request: StaffRequest, reference: str, attachment: int, page: int) -> HttpResponse:
    """A part of the ticket's page, whose opening is written down, and too small to be read."""
    contents = stored("pictures", small(_page_of(request, reference, attachment, page).file))
    return HttpResponse(contents, content_type="image/jpeg", headers=HEADERS)


@require_safe
@requires(Permission.OPEN_QUARANTINE)
@transaction.atomic
def original(request: StaffRequest, reference: str, attachment: int) -> HttpResponse:
    """What was sent, byte for byte: to be kept, never to be shown, and under a name of ours."""
    found = _visible(request, reference).filter(pk=attachment).exclude(original="").first()
    if not found:
        raise Http404
    contents = stored("quarantine", found.original)
    ending = _ENDINGS.get(format_of(contents[:HEAD]) or "", "bin")
    target = f"ticket:{found.ticket_id}"
    audit.record(AuditAction.QUARANTINE_OPENED, by=request.user, target=target, attachment=attachment)
    saved_as = f'attachment; filename="{found.ticket.reference}-{found.pk}.{ending}"'
    headers = {**HEADERS, "Content-Disposition": saved_as}
    return HttpResponse(contents, content_type="application/octet-stream", headers=headers)


def _visible(request: StaffRequest, reference: str) -> QuerySet[Attachment]:
    tickets = Ticket.objects.visible_to(request.user).filter(reference=read_reference(reference))
    return Attachment.objects.filter(ticket__in=tickets).select_related("ticket")


def _page_of(request: StaffRequest, reference: str, attachment: int, page: int) -> AttachmentPage:
    attachments = _visible(request, reference).filter(pk=attachment).exclude(scan=ScanState.INFECTED)
    found = AttachmentPage.objects.filter(attachment__in=attachments, number=page).select_related("attachment").first()
    if not found:
        raise Http404
    return found


def stored(storage: str, name: str) -> bytes:
    try:
        with storages[storage].open(name) as file:
            contents: bytes = file.read()
            return contents
    except FileNotFoundError:
        raise Http404 from None
