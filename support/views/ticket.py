"""A ticket's page: what went wrong for whom, all that was written about it, and the boxes to answer in."""

import secrets
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.addresses import UnknownFilterError
from support.attachments import shown
from support.credit_panel import credit_panel
from support.diagnosis import card_of, verdict
from support.earlier_credits import of_ticket, pending
from support.known_errors import panel
from support.links import links_of
from support.macros import Preview, offered_on, preview
from support.models import AuditAction, Draft, Message, MessageKind, StepTried, Ticket
from support.pages import older_than, page
from support.permissions import requires
from support.personal import author_of
from support.queue import Query, due
from support.references import read_reference
from support.report_panels import about_ticket
from support.thread import Thread, thread
from support.ticket_forms import FieldsForm, WriteForm
from support.timeline import timeline
from support.views.drafts import keeper_of

MOST_EARLIER = 10
WRITTEN = (MessageKind.REPLY, MessageKind.NOTE)


@require_safe
@requires(Permission.VIEW_TICKETS)
@transaction.atomic
def ticket(request: StaffRequest, reference: str) -> HttpResponse:
    return show(request, ticket_of(request, reference))


def ticket_of(request: StaffRequest, reference: str) -> Ticket:
    """The ticket of this reference, where the person may see it; else it does not exist."""
    visible = Ticket.objects.visible_to(request.user).select_related(
        "program",
        "retailer",
        "assignee",
        "account__program",
        "known_error",
        "problem",
        "duplicate_of",
        "merged_into",
        "report",
    )
    found = visible.filter(reference=read_reference(reference)).first()
    if not found:
        raise Http404
    return found


def show(
    request: StaffRequest,
    found: Ticket,
    *,
    written: WriteForm | None = None,
    fields: FieldsForm | None = None,
    newer: list[Message] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with a form that was refused in place of a fresh one, and the messages that its writer had not seen."""
    may = request.user.may
    story = thread(found, shown_to=request.user, before=older_than(request))
    audit.record(AuditAction.TICKET_OPENED, by=request.user, target=f"ticket:{found.pk}")
    now = timezone.now()
    may_change = may(Permission.ANSWER_TICKETS) and not found.merged_into_id
    macros = _macros(request, found) if may_change else {}
    context = {
        "ticket": found,
        "looked_at": f"ticket:{found.pk}",
        "thread": story,
        "steps": [(step.label, step.value in found.steps_tried) for step in StepTried],
        "earlier": _earlier(request, found),
        "shows_people": may(Permission.SEE_PERSONAL_DATA),
        "opens_accounts": may(Permission.VIEW_ACCOUNTS),
        "due": due(found, now) if found.next_deadline else None,
        "links": links_of(found, shown_to=request.user),
        "answers": may(Permission.ANSWER_TICKETS),
        "trail": trail(request),
        "may_change": may_change,
        "boxes": _boxes(request, found, story, written, macros["applied"]) if may_change else [],
        **macros,
        "fields": (fields or FieldsForm(ticket=found, user=request.user)) if may_change else None,
        **shown(found, request.user),
        "newer": [(message, author_of(message, shown_to=request.user)) for message in newer or []],
        "keeper": keeper_of(found, request.user),
        **_card(request, found),
        **about_ticket(found, by=request.user),
        **_credits(request, found),
        **panel(found, request.user, now),
    }
    return page(request, "support/ticket.html", context, title=f"Ticket {found.reference}", status=status)


def trail(request: HttpRequest) -> str:
    """The queue's view that the ticket was opened from, as the end of an address: it goes along from page to page."""
    try:
        query = Query.read(request.GET.dict())
    except UnknownFilterError:
        return ""
    return f"?{query.address}" if query != Query() or "view" in request.GET else ""


def _card(request: StaffRequest, found: Ticket) -> dict[str, Any]:
    card = card_of(found.code_id)
    if not card:
        return {"card": None, "verdict": None}
    shows_people = request.user.may(Permission.SEE_PERSONAL_DATA)
    events = timeline(card).events
    return {"card": card, "verdict": verdict(card, events, shows_people=shows_people, now=timezone.now())}


def _credits(request: StaffRequest, found: Ticket) -> dict[str, Any]:
    """For those who may know whose account it is; a new one names all that the ticket knows."""
    if not request.user.may(Permission.VIEW_ACCOUNTS):
        return {}
    query = {"ticket": found.reference}
    if found.account:
        query["account"] = found.account.reference
    if found.code_id:
        query["card"] = str(found.code_id)
    waiting = pending(found.account) if found.account else []
    context = credit_panel(request, of_ticket(found), waiting=waiting, query=query)
    # Nothing more is done on a ticket that became part of another.
    return context | {"grants_credits": context["grants_credits"] and not found.merged_into_id}


def _earlier(request: StaffRequest, found: Ticket) -> list[Ticket]:
    """Other tickets of the same requester, account or card, the newest first."""
    others = Ticket.objects.visible_to(request.user).exclude(pk=found.pk)
    of = []
    if found.requester_email:
        of.append(others.asked_by(found.requester_email))
    if found.account_id:
        of.append(others.filter(account=found.account_id))
    if found.code_id:
        of.append(others.filter(code=found.code_id))
    # Each on an index of its own, where one OR would read them all.
    newest = [tickets.order_by("-pk")[:MOST_EARLIER] for tickets in of]
    rows = {ticket.pk: ticket for tickets in newest for ticket in tickets}
    return sorted(rows.values(), key=lambda ticket: -ticket.pk)[:MOST_EARLIER]


def _macros(request: StaffRequest, found: Ticket) -> dict[str, Any]:
    """Those on offer; the one whose preview was asked for, and the one whose text was put into the box."""
    offered = list(offered_on(found))
    asked = {
        name: next((macro for macro in offered if str(macro.pk) == request.GET.get(name)), None)
        for name in ("preview", "macro")
    }
    return {
        "macros": offered,
        "preview": preview(asked["preview"], ticket=found, by=request.user) if asked["preview"] else None,
        "applied": preview(asked["macro"], ticket=found, by=request.user) if asked["macro"] else None,
    }


def _boxes(
    request: StaffRequest, found: Ticket, story: Thread, written: WriteForm | None, applied: Preview | None
) -> list[WriteForm]:
    """Both boxes, with the drafts that were kept."""
    drafts = {draft.kind: draft.body for draft in Draft.objects.filter(ticket=found, person=request.user)}
    boxes = []
    for kind in WRITTEN:
        if written and written.kind == kind:
            boxes.append(written)
            continue
        initial: dict[str, Any] = {
            "body": drafts.get(kind, ""),
            "send_key": secrets.token_urlsafe(20),
            "seen": story.newest,
        }
        if applied and applied.macro.kind == kind:
            initial["macro"] = applied.macro.pk
            if applied.macro.status:
                initial["status"] = applied.macro.status
        boxes.append(WriteForm(kind=kind, initial=initial))
    return boxes
