"""Choosing a macro on a ticket's page: first what it will say and do, then into the box."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from redemption.models import User
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.drafts import add_to_draft
from support.macros import Preview, offered_on, preview
from support.models import MessageKind, Ticket
from support.pages import see_other
from support.permissions import requires
from support.views.drafts import keep
from support.views.ticket import ticket_of, trail


@require_safe
@requires(Permission.ANSWER_TICKETS)
def preview_macro(request: StaffRequest, reference: str, pk: int) -> HttpResponse:
    """A fragment of the page."""
    found = ticket_of(request, reference)
    shown = _preview(found, pk, request.user)
    address = reverse("use_macro", args=[found.reference, shown.macro.kind]) + trail(request)
    response = render(request, "support/_macro.html", {"preview": shown, "use_address": address})
    response.headers["Cache-Control"] = "no-store"
    return response


@sensitive_post_parameters()
@require_POST
@requires(Permission.ANSWER_TICKETS)
def use_macro(request: StaffRequest, reference: str, kind: str) -> HttpResponse:
    """The way without scripts: keeps what the box holds as the draft, and shows the page with the preview, or with the
    macro's text in the box."""
    found = ticket_of(request, reference)
    keep(request, reference, kind)
    chosen, applied = request.POST.get("choice", ""), request.POST.get("use", "")
    if not (applied or chosen).isdecimal():
        return see_other(_page(request, found, ""))
    shown = _preview(found, int(applied or chosen), request.user)
    if applied and not shown.missing:
        add_to_draft(ticket=found, kind=MessageKind(shown.macro.kind), text=shown.text, by=request.user)
        return see_other(_page(request, found, f"macro={shown.macro.pk}"))
    return see_other(_page(request, found, f"preview={shown.macro.pk}"))


def _preview(found: Ticket, pk: int, by: User) -> Preview:
    macro = offered_on(found).filter(pk=pk).first() if pk < 2**63 else None
    if not macro:
        raise Http404
    return preview(macro, ticket=found, by=by)


def _page(request: StaffRequest, found: Ticket, more: str) -> str:
    query = "&".join(part for part in (trail(request).removeprefix("?"), more) if part)
    return f"{reverse('ticket', args=[found.reference])}{'?' if query else ''}{query}#write"
