"""A new ticket, written down by an agent while somebody tells it."""

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, Code
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions.tickets import TicketError, open_ticket
from support.attachments import attach
from support.models import AuditAction, TicketChannel
from support.pages import page, see_other
from support.permissions import requires
from support.references import read_reference, read_serial
from support.ticket_forms import NewTicketForm


@sensitive_post_parameters()
@sensitive_variables("form", "data")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ANSWER_TICKETS)
def new_ticket(request: StaffRequest) -> HttpResponse:
    """The address may name an account by its reference and a card by its serial number: neither is a secret."""
    if request.method != "POST":
        return _page(request, NewTicketForm(user=request.user, initial=_known(request)))
    form = NewTicketForm(request.POST, request.FILES, user=request.user)
    if not form.is_valid():
        return _page(request, form, status=422)
    data = dict(form.cleaned_data)
    sent = data.pop("attachments")
    data["channel"] = TicketChannel(data["channel"])
    try:
        opened = open_ticket(by=request.user, **data)
    except TicketError as refused:
        form.add_error(None, str(refused))
        return _page(request, form, status=422)
    first = opened.messages.order_by("pk").first()
    files, kinds = [one.file for one in sent], [one.kind for one in sent]
    for row in attach(ticket=opened, message=first, files=files, kinds=kinds, by=request.user):
        if row.refusal:
            messages.warning(request, f"{row.name}: {row.refusal}")
    messages.success(request, "The ticket is open.")
    return see_other(reverse("ticket", args=[opened.reference]))


def _known(request: StaffRequest) -> dict[str, Any]:
    """What the page that led here knows already."""
    found: dict[str, Any] = {"send_key": secrets.token_urlsafe(20)}
    serial = read_serial(request.GET.get("card", ""))
    card = Code.objects.select_related("batch__product").filter(pk=serial).first() if serial else None
    if card:
        found |= {"code": card.pk, "program": card.batch.product.program_id}
    reference = read_reference(request.GET.get("account", ""))
    if reference and request.user.may(Permission.VIEW_ACCOUNTS):
        account = Account.objects.filter(reference=reference).first()
        if account:
            found |= {"account": account.reference, "program": account.program_id}
            if request.user.may(Permission.SEE_PERSONAL_DATA):
                audit.record(AuditAction.LOOKED_UP, by=request.user, target=f"account:{account.pk}")
                found["requester_email"] = account.email
    return found


def _page(request: StaffRequest, form: NewTicketForm, *, status: int = 200) -> HttpResponse:
    return page(request, "support/new_ticket.html", {"form": form}, title="New ticket", status=status)
