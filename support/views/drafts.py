"""Keeping drafts, also for somebody whose session has ended while he wrote.

Each box carries a signed word that says whose it is and on which ticket. What comes with it without a session is kept
as that person's draft and nothing else is done: he finds it in the box when he has signed in again.
"""

from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import resolve_url
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from redemption.models import User
from support.actions.drafts import keep_draft
from support.actions.tickets import TicketError
from support.models import MessageKind, Ticket
from support.pages import see_other
from support.references import read_reference
from support.ticket_forms import LONGEST_BODY

_SALT = "support.drafts"
# Longer than anybody leaves a page open.
_VALID = timedelta(days=7)
_KINDS = (MessageKind.REPLY, MessageKind.NOTE)


def keeper_of(ticket: Ticket, person: User) -> str:
    """The signed word of this person's boxes on this ticket."""
    return signing.dumps([ticket.pk, person.pk], salt=_SALT)


@login_not_required
@sensitive_post_parameters()
@require_POST
def draft(request: HttpRequest, reference: str) -> HttpResponse:
    """Keeps what a box holds. 401: it is kept, and the session has ended."""
    if not keep(request, reference, request.POST.get("kind", "")):
        raise Http404
    signed_in = request.user.is_authenticated
    response = JsonResponse({"kept": True}, status=200 if signed_in else 401)
    response.headers["Cache-Control"] = "no-store"
    return response


@sensitive_post_parameters()
def keep_and_sign_in(request: HttpRequest, reference: str, kind: str) -> HttpResponse:
    """For a form that came without a session: its text becomes a draft, and the way goes over the sign-in page."""
    keep(request, reference, kind)
    written = read_reference(reference)
    wanted = reverse("ticket", args=[written]) if written else "/"
    return see_other(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': wanted})}")


@sensitive_variables("body")
def keep(request: HttpRequest, reference: str, kind: str) -> bool:
    """Whether it could be kept, for the person whom the box belongs to."""
    ticket, person = _read(request.POST.get("keeper", ""))
    body = request.POST.get("body", "")
    if not ticket or not person or ticket.reference != read_reference(reference) or kind not in _KINDS or "\0" in body:
        return False
    send_key = request.POST.get("send_key", "")[:40]
    try:
        keep_draft(ticket=ticket, kind=MessageKind(kind), body=body[:LONGEST_BODY], by=person, send_key=send_key)
    except TicketError:
        return False
    return True


def writer_of(request: HttpRequest) -> User | None:
    """Whose box a form came from."""
    return _read(request.POST.get("keeper", ""))[1]


def _read(word: str) -> tuple[Ticket | None, User | None]:
    try:
        ticket, person = signing.loads(word, salt=_SALT, max_age=_VALID)
    except signing.BadSignature:
        return None, None
    return Ticket.objects.filter(pk=ticket).first(), User.objects.filter(pk=person).first()
