"""A ticket's known error: choosing it by hand, and taking one of its ready replies."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.drafts import add_to_draft
from support.actions.tickets import TicketError, change
from support.known_errors import KnownErrorForm, reply_to
from support.models import Cause, MessageKind
from support.pages import see_other
from support.permissions import requires
from support.views.ticket import ticket_of, trail

LAST_KEY = 2**63 - 1


@require_POST
@requires(Permission.ANSWER_TICKETS)
def choose(request: StaffRequest, reference: str) -> HttpResponse:
    """Keeps the chosen known error on the ticket, or none."""
    found = ticket_of(request, reference)
    form = KnownErrorForm(request.POST, ticket=found)
    if form.is_valid():
        try:
            change(ticket=found, by=request.user, known_error=form.cleaned_data["known_error"])
        except TicketError as refused:
            messages.error(request, str(refused))
    else:
        messages.error(request, "This known error is not offered any more: choose again.")
    return see_other(f"{reverse('ticket', args=[found.reference])}{trail(request)}#known-error")


@sensitive_variables("text")
@require_POST
@requires(Permission.ANSWER_TICKETS)
@transaction.atomic
def use_reply(request: StaffRequest, reference: str, cause: int) -> HttpResponse:
    """Puts a cause's reply into the person's draft, below what is in it already."""
    found = ticket_of(request, reference)
    chosen = get_object_or_404(Cause, pk=min(cause, LAST_KEY))
    text = reply_to(found, chosen, request.user, timezone.now()).text
    try:
        add_to_draft(ticket=found, kind=MessageKind.REPLY, text=text, by=request.user)
    except TicketError as refused:
        messages.error(request, str(refused))
    return see_other(f"{reverse('ticket', args=[found.reference])}{trail(request)}#write")
