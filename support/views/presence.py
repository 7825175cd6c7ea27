"""Who else is on a ticket's page, and whether something was written meanwhile: asked by the page every four seconds."""

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.permissions import requires
from support.presence import say_gone, say_here
from support.thread import family, newest_in
from support.views.ticket import ticket_of


@require_POST
@requires(Permission.VIEW_TICKETS)
def presence(request: StaffRequest, reference: str) -> HttpResponse:
    found = ticket_of(request, reference)
    if request.POST.get("gone"):
        say_gone(ticket=found, by=request.user)
        return JsonResponse({})
    others = say_here(ticket=found, by=request.user, is_typing=request.POST.get("typing") == "1")
    newest = newest_in(pk for pk, _ in family(found, shown_to=request.user))
    response = JsonResponse(
        {"others": [{"name": other.name, "typing": other.is_typing} for other in others], "newest": newest}
    )
    response.headers["Cache-Control"] = "no-store"
    return response
