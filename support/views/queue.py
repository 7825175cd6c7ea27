"""The queue's page, and the views that each person keeps of it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from redemption.models import Program, Retailer
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, queue
from support.actions.bulk import MOST_AT_ONCE, deeds
from support.actions.saved_views import SavedViewError, rename_view, save_view
from support.addresses import UnknownFilterError
from support.models import AuditAction, Priority, SavedView, Ticket, TicketChannel
from support.pages import page, see_other
from support.permissions import requires
from support.personal import Requester, requester_of
from support.queue import VIEWS, Count, Due, Query, Sort
from support.workload import answering

_MOST_CHOICES = 500
# Own views of unfinished tickets are counted too, as many as one takes in at a glance.
_MOST_OWN_COUNTED = 10


@dataclass(frozen=True, slots=True)
class Row:
    ticket: Ticket
    requester: Requester
    due: Due


@dataclass(frozen=True, slots=True)
class Link:
    """A view to choose, with how many tickets it has where that is counted."""

    label: str
    address: str
    is_open: bool
    count: Count | None = None
    icon: str = ""
    own: SavedView | None = None


@require_safe
@requires(Permission.VIEW_TICKETS)
@transaction.atomic
def tickets(request: StaffRequest) -> HttpResponse:
    query, number = _query(request.GET), _page_number(request.GET.get("page", "1"))
    now, user = timezone.now(), request.user
    found = queue.page_of(query, number, user=user, now=now)
    rows = [Row(ticket, requester_of(ticket, shown_to=user), queue.due(ticket, now)) for ticket in found[: queue.PAGE]]
    answers = user.may(Permission.ANSWER_TICKETS)
    audit.record(AuditAction.TICKETS_LISTED, by=user, view=query.view, also=[f"ticket:{row.ticket.pk}" for row in rows])
    context = {
        "query": query,
        "rows": rows,
        "page_number": number,
        "has_next": len(found) > queue.PAGE and number < queue.LAST_PAGE,
        "is_cut_off": len(found) > queue.PAGE and number == queue.LAST_PAGE,
        "answers": answers,
        "deeds": deeds(user) if answers else [],
        "most_at_once": MOST_AT_ONCE,
        **_choices(query),
        **_links(request, query),
    }
    return page(request, "support/queue.html", context, title="Tickets")


@sensitive_post_parameters("name")
@sensitive_variables("name")
@require_POST
@requires(Permission.VIEW_TICKETS)
def save(request: StaffRequest) -> HttpResponse:
    """Keeps the present filters under a name."""
    query = _query(QueryDict(request.POST.get("query", "")[:500]))
    try:
        save_view(name=request.POST.get("name", ""), query=query, by=request.user)
    except SavedViewError as refused:
        messages.error(request, str(refused))
    return see_other(f"{reverse('tickets')}?{query.address}")


@sensitive_post_parameters("name")
@require_POST
@requires(Permission.VIEW_TICKETS)
def change_view(request: StaffRequest, pk: int) -> HttpResponse:
    """Renames or deletes a view of one's own; another's does not exist."""
    view = get_object_or_404(SavedView, pk=min(pk, 2**63 - 1), owner=request.user)
    address = f"{reverse('tickets')}?{view.query}"
    if "delete" in request.POST:
        view.delete()
        return see_other(address)
    try:
        rename_view(view=view, name=request.POST.get("name", ""))
    except SavedViewError as refused:
        messages.error(request, str(refused))
    return see_other(address)


def _query(address: QueryDict) -> Query:
    try:
        return Query.read({name: str(value) for name, value in address.items()})
    except UnknownFilterError:
        raise Http404 from None


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= queue.LAST_PAGE):
        raise Http404
    return int(text)


def _choices(query: Query) -> dict[str, Any]:
    """What can be filtered by: (name, label, [(value, label)]), with what is chosen; and links to the usual ones."""
    programs = [(str(pk), name) for pk, name in Program.objects.order_by("name", "pk").values_list("pk", "name")]
    retailers = Retailer.objects.order_by("name", "pk").values_list("pk", "name")[:_MOST_CHOICES]
    people = [(str(person.pk), str(person)) for person in answering()]
    shops = [(str(pk), name) for pk, name in retailers]
    filters = [
        ("status", "Whose turn", [(key, group.label) for key, group in queue.GROUPS.items()]),
        ("program", "Program", programs),
        ("retailer", "Retailer", shops),
        ("channel", "Channel", TicketChannel.choices),
        ("priority", "Priority", [(str(value), label) for value, label in reversed(Priority.choices)]),
        ("assignee", "Assignee", [("me", "Me"), ("nobody", "Nobody"), *people]),
    ]
    by = {"program": programs, "channel": TicketChannel.choices, "retailer": shops}
    return {
        "filters": [(name, label, choices, getattr(query, name)) for name, label, choices in filters],
        "sorts": [(sort.key, sort.label, query.order is sort) for sort in Sort],
        "usual": [
            (label, [_link(text, Query(**{name: value}), query) for value, text in by[name]])
            for name, label, *_ in filters
            if name in by
        ],
    }


def _links(request: StaffRequest, query: Query) -> dict[str, Any]:
    """The views with their counts, which one query gives, and how many tickets the present filters find."""
    own = [(view, _own_query(view)) for view in SavedView.objects.filter(owner=request.user)]
    counted = [Query(view=key) for key in VIEWS]
    counted += [kept for _, kept in own if kept and kept.is_small][:_MOST_OWN_COUNTED]
    asked = list(dict.fromkeys([*counted, query]))
    counts = dict(zip(asked, queue.count(asked, user=request.user, now=timezone.now()), strict=True))
    return {
        "total": counts[query],
        "views": [
            _link(view.label, Query(view=key), query, count=counts[Query(view=key)], icon=view.icon)
            for key, view in VIEWS.items()
        ],
        "own_views": [
            _link(view.name, kept, query, count=counts.get(kept), icon="bookmark", own=view)
            for view, kept in own
            if kept
        ],
    }


def _link(label: str, to: Query, present: Query, **more: Any) -> Link:
    return Link(label, to.address, to.address == present.address, **more)


def _own_query(view: SavedView) -> Query | None:
    """None: what it once asked for is no longer there."""
    try:
        return Query.read(QueryDict(view.query).dict())
    except UnknownFilterError:
        return None
