"""Changing what stands on a ticket, and taking it."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.tickets import ChangedMeanwhileError, TicketError, change
from support.pages import see_other
from support.permissions import requires
from support.ticket_forms import FieldsForm
from support.views.ticket import show, ticket_of, trail


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ANSWER_TICKETS)
def change_ticket(request: StaffRequest, reference: str) -> HttpResponse:
    """Changes what the agent changed; what somebody else changed meanwhile is shown and asked about."""
    found = ticket_of(request, reference)
    page = reverse("ticket", args=[found.reference]) + trail(request)
    if request.method != "POST":
        return see_other(page)
    form = FieldsForm(request.POST, ticket=found, user=request.user)
    if not form.is_valid():
        return show(request, found, fields=form, status=422)
    try:
        changed = change(ticket=found, by=request.user, read=form.cleaned_data["before"], **form.changes)
    except ChangedMeanwhileError as meanwhile:
        again = form.asking_again(meanwhile.fields, ticket_of(request, reference))
        return show(request, found, fields=again, status=409)
    except TicketError as refused:
        form.add_error(None, str(refused))
        return show(request, found, fields=form, status=422)
    messages.success(request, "It is changed." if changed.version != found.version else "Nothing was different.")
    return see_other(page)


@require_POST
@requires(Permission.ANSWER_TICKETS)
def take(request: StaffRequest, reference: str) -> HttpResponse:
    found = ticket_of(request, reference)
    try:
        change(ticket=found, by=request.user, assignee=request.user)
    except TicketError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "It is yours.")
    return see_other(reverse("ticket", args=[found.reference]) + trail(request))
