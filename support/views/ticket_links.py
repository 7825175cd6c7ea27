"""Linking tickets: duplicates, merging with its confirmation, problems and their incidents."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions import links
from support.actions.tickets import TicketError
from support.models import AuditAction, Ticket
from support.pages import page, see_other
from support.permissions import requires
from support.references import read_reference
from support.views.ticket import ticket_of, trail


@require_POST
@requires(Permission.ANSWER_TICKETS)
def link(request: StaffRequest, reference: str, verb: str) -> HttpResponse:
    """Does one thing to the ticket's links, and leads back to its page, which says what came of it."""
    found = ticket_of(request, reference)
    by = request.user
    try:
        match verb:
            case "duplicate":
                links.mark_duplicate(ticket=found, of=_other(request), by=by)
            case "no-duplicate":
                links.unmark_duplicate(ticket=found, by=by)
            case "unmerge":
                links.unmerge(ticket=found, by=by)
            case "problem":
                links.mark_problem(ticket=found, by=by)
            case "no-problem":
                links.mark_problem(ticket=found, by=by, is_problem=False)
            case "incident":
                links.attach_incident(ticket=found, problem=_other(request), by=by)
            case "no-incident":
                links.detach_incident(ticket=found, by=by)
            case "add-incident":
                links.attach_incident(ticket=_other(request), problem=found, by=by)
            case _:
                raise Http404
    except TicketError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "It is changed.")
    return _back(request, found)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ANSWER_TICKETS)
def merge(request: StaffRequest, reference: str) -> HttpResponse:
    """First a page that says what will happen; then it happens."""
    found = ticket_of(request, reference)
    if request.method != "POST":
        return _back(request, found)
    try:
        into = _other(request)
        if refusal := links.merging_refused(found, into):
            raise TicketError(refusal)
        if request.POST.get("confirmed") != "1":
            # Its subject and its requester are on the page.
            audit.record(AuditAction.TICKET_OPENED, by=request.user, target=f"ticket:{into.pk}")
            context = {"ticket": found, "into": into, "trail": trail(request)}
            return page(request, "support/merge.html", context, title=f"Merge {found.reference}?")
        links.merge(ticket=found, into=into, by=request.user)
    except TicketError as refused:
        messages.error(request, str(refused))
        return _back(request, found)
    messages.success(request, f"{found.reference} is part of this ticket now.")
    return see_other(reverse("ticket", args=[into.reference]) + trail(request))


@sensitive_post_parameters()
@sensitive_variables("answered")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ANSWER_TICKETS)
def incidents(request: StaffRequest, reference: str) -> HttpResponse:
    """Answers all incidents of a problem with one text, and says which were skipped and why."""
    found = ticket_of(request, reference)
    if request.method != "POST":
        return _back(request, found)
    body = request.POST.get("body", "").replace("\0", "")
    try:
        answered = links.answer_incidents(problem=found, body=body, by=request.user, key=request.POST.get("key", ""))
    except TicketError as refused:
        answered = None
        messages.error(request, str(refused))
    context = {"ticket": found, "answered": answered, "body": body, "trail": trail(request)}
    context["key"] = request.POST.get("key", "")
    title = f"Incidents of {found.reference}"
    return page(request, "support/incidents.html", context, title=title, status=200 if answered else 422)


def _other(request: StaffRequest) -> Ticket:
    """The ticket whose reference was typed, where the person may see it."""
    reference = read_reference(request.POST.get("other", ""))
    found = Ticket.objects.visible_to(request.user).filter(reference=reference).first() if reference else None
    if not found:
        raise TicketError("There is no ticket of this reference: it begins with TK and has twelve more symbols.")
    return found


def _back(request: StaffRequest, found: Ticket) -> HttpResponse:
    return see_other(f"{reverse('ticket', args=[found.reference])}{trail(request)}#links")
