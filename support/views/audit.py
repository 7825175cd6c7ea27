"""The audit trail: who did what, who looked at what, in sentences. Reading it is an event too."""

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit as trail_of
from support.addresses import UnknownFilterError
from support.models import AuditAction, AuditEvent
from support.pages import older_than, page, see_other
from support.permissions import requires
from support.trail.filters import FilterForm, address_of, typed_for
from support.trail.names import Names
from support.trail.people import MOST_COUNTED, people
from support.trail.query import Place, Query
from support.trail.sentences import FEW, Line, lines
from support.trail.tickets import page_without_ticket

PER_PAGE = 50


@sensitive_post_parameters("target")
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW_AUDIT)
@transaction.atomic
def audit(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        form = FilterForm(request.POST)
        if form.is_valid():
            return see_other(address_of(form.query()))
        context = {"form": form, "query": Query(), "is_refused": True}
        return page(request, "support/audit.html", context, title="Audit trail", status=422)
    try:
        query = Query.read({name: request.GET[name] for name in request.GET})
    except UnknownFilterError:
        raise Http404 from None
    events, older = _page_of(query, _place(older_than(request)))
    told = lines(events, shown_to=request.user, of=query.target, few=None if query.event else FEW)
    # After what it shows: nobody's first event here is that he reads it.
    about = [query.target] if query.target else []
    about += [f"user:{query.person}"] if query.person else []
    trail_of.record(AuditAction.AUDIT_READ, by=request.user, also=about, filters=query.parts)
    context = {
        "form": FilterForm(initial=_initial(query)),
        "query": query,
        "days": _days(told),
        "older": older[1] if older else None,
        "older_than": older[0] if older else None,
        "is_first_page": "before" not in request.GET,
        "subject": Names([query.target], shown_to=request.user)[query.target] if query.target else None,
        "without_lists": query.but(alone=not query.alone),
        "without_ticket": query.but(unticketed=not query.unticketed),
        **_who(query),
    }
    return page(request, "support/audit.html", context, title="Audit trail")


def _place(before: int | None) -> Place | None:
    """Where a list goes on: after the event of this key. 404 for a key that no event has."""
    if before is None:
        return None
    at = AuditEvent.objects.filter(pk=before).values_list("at", flat=True).first()
    if at is None:
        raise Http404
    return at, before


def _page_of(query: Query, before: Place | None) -> tuple[list[AuditEvent], Place | None]:
    """The events, and from where older ones follow, if any do."""
    if query.unticketed:
        return page_without_ticket(query, PER_PAGE, before=before)
    # One more than is shown says whether there are older ones, without counting.
    found = query.events(PER_PAGE + 1, before=before)
    shown = found[:PER_PAGE]
    return shown, (shown[-1].at, shown[-1].pk) if len(found) > PER_PAGE else None


def _who(query: Query) -> dict[str, Any]:
    """Of one record's trail: everybody who is in it, whatever the page."""
    if not query.target or query.event or query.person:
        return {}
    events = query.events(MOST_COUNTED + 1)
    return {
        "people": [(somebody, query.but(person=somebody.pk)) for somebody in people(events[:MOST_COUNTED])],
        "counts_from": events[MOST_COUNTED - 1].at if len(events) > MOST_COUNTED else None,
    }


def _days(told: Iterable[Line]) -> list[tuple[date, list[Line]]]:
    return [(day, list(of_day)) for day, of_day in groupby(told, key=lambda line: line.day)]


def _initial(query: Query) -> dict[str, Any]:
    return {
        "target": typed_for(query.target),
        "person": query.person or "",
        "action": query.action,
        "since": query.since,
        "until": query.until,
        "unticketed": query.unticketed,
        "alone": query.alone,
    }
