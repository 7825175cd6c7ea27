"""Changing many tickets: a page that says what will happen, and one that says what came of it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions.bulk import MOST_AT_ONCE, Plan, change_many, deed_named, plan
from support.actions.tickets import TicketError
from support.addresses import UnknownFilterError
from support.models import AuditAction, Ticket
from support.pages import page, see_other
from support.permissions import requires
from support.queue import Query

_RESULT = "changed_tickets"


@sensitive_post_parameters("tag")
@sensitive_variables("tag")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ANSWER_TICKETS)
def bulk(request: StaffRequest) -> HttpResponse:
    """First a plan to look at; posted again from there, it is done. Read, it is what came of the last one."""
    if request.method != "POST":
        return _result(request)
    query = _query(request.POST.get("query", ""))
    name, tag = request.POST.get("deed", ""), request.POST.get("tag", "")
    try:
        deed = deed_named(name, tag=tag, by=request.user)
        pks = _pks(request, query)
        if "confirmed" in request.POST:
            done = change_many(pks, deed=deed, by=request.user)
            request.session[_RESULT] = {
                "label": deed.label,
                "changed": len(done.changing),
                "skipped": list(done.reasons.items()),
                "query": query.address,
            }
            return see_other(reverse("bulk"))
    except TicketError as refused:
        messages.error(request, str(refused))
        return see_other(f"{reverse('tickets')}?{query.address}")
    tickets = list(Ticket.objects.visible_to(request.user).order_by("pk").filter(pk__in=pks))
    planned = plan(tickets, deed=deed, by=request.user)
    audit.record(
        AuditAction.TICKETS_LISTED, by=request.user, view="bulk", also=[f"ticket:{ticket.pk}" for ticket in tickets]
    )
    context = {
        "query": query,
        "planned": planned,
        "chosen": len(tickets),
        # Also those that are left out: what came of it names them once more.
        "pks": " ".join(str(ticket.pk) for ticket in tickets),
        "label": deed.label,
        "deed": name,
        "tag": deed.value if deed.field == "tags" else "",
        "is_cut_off": request.POST.get("which") == "all" and len(pks) == MOST_AT_ONCE,
        "most_at_once": MOST_AT_ONCE,
    }
    return page(request, "support/bulk.html", context, title=_title(planned))


def _result(request: StaffRequest) -> HttpResponse:
    result: dict[str, Any] | None = request.session.get(_RESULT)
    if not result:
        return see_other(reverse("tickets"))
    changed = result["changed"]
    context = {
        "result": result,
        "said": f"{changed} ticket{'' if changed == 1 else 's'} changed." if changed else "Nothing was changed.",
        "skipped": sum(len(references) for _, references in result["skipped"]),
    }
    return page(request, "support/bulk_result.html", context, title="What came of it")


def _title(planned: Plan) -> str:
    return f"Change {len(planned.changing)} ticket{'' if len(planned.changing) == 1 else 's'}?"


def _query(address: str) -> Query:
    try:
        return Query.read(QueryDict(address[:500]).dict())
    except UnknownFilterError:
        raise Http404 from None


def _pks(request: StaffRequest, query: Query) -> list[int]:
    """All that match the filters, in their order; or those that were chosen on the page, or shown in the plan."""
    if request.POST.get("which") == "all":
        tickets = query.sorted(request.user, timezone.now())
        return list(tickets.values_list("pk", flat=True)[:MOST_AT_ONCE])
    chosen = [*request.POST.getlist("chosen"), *request.POST.get("tickets", "").split()]
    if not chosen:
        raise TicketError("Choose at least one ticket.")
    if len(chosen) > MOST_AT_ONCE or not all(pk.isascii() and pk.isdecimal() and len(pk) <= 18 for pk in chosen):
        raise Http404
    return [int(pk) for pk in chosen]
