"""Sending an answer or a note from a ticket's page."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.messages import StaleTicketError, write_staff_message
from support.actions.tickets import TicketError
from support.models import MessageKind, Ticket, TicketStatus
from support.pages import see_other
from support.permissions import requires
from support.ticket_forms import WriteForm
from support.views.drafts import keep, keep_and_sign_in, writer_of
from support.views.ticket import WRITTEN, show, ticket_of


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def write(request: StaffRequest, reference: str, kind: str) -> HttpResponse:
    """Writes once, however often it is sent. Where somebody else wrote meanwhile, shows it above the kept text; where
    the session has ended, keeps it as a draft and leads over the sign-in page back to it."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request, reference, kind)
    return _write(request, reference, kind)


@sensitive_variables("form", "data")
@requires(Permission.ANSWER_TICKETS)
def _write(request: StaffRequest, reference: str, kind: str) -> HttpResponse:
    found = ticket_of(request, reference)
    if kind not in WRITTEN:
        raise Http404
    if request.method != "POST":
        # From the sign-in page, or from a page that was loaded again.
        return see_other(reverse("ticket", args=[found.reference]))
    writer = writer_of(request)
    if writer and writer != request.user:
        keep(request, reference, kind)
        messages.warning(request, f"{writer} wrote this before you signed in: it is kept as a draft of theirs.")
        return see_other(reverse("ticket", args=[found.reference]))
    form = WriteForm(request.POST, kind=MessageKind(kind))
    if not form.is_valid():
        return show(request, found, written=form, status=422)
    data = form.cleaned_data
    then = request.POST.get("then")
    status = TicketStatus.SOLVED if then == "solve" else data["status"]
    try:
        write_staff_message(
            ticket=found,
            kind=form.kind,
            body=data["body"],
            by=request.user,
            send_key=data["send_key"],
            seen=data["seen"],
            status=TicketStatus(status) if status else None,
        )
    except StaleTicketError as stale:
        return show(request, found, written=_asking_again(request, form, stale), newer=stale.newer, status=409)
    except TicketError as refused:
        form.add_error(None, str(refused))
        return show(request, found, written=form, status=422)
    messages.success(request, "The answer is written." if kind == MessageKind.REPLY else "The note is written.")
    return see_other(_next(request, found) if then == "solve" else reverse("ticket", args=[found.reference]))


def _asking_again(request: StaffRequest, form: WriteForm, stale: StaleTicketError) -> WriteForm:
    """The same form, whose writer has now seen the newer messages: sending it again sends it."""
    data = request.POST.copy()
    data["seen"] = str(max(message.pk for message in stale.newer))
    again = WriteForm(data, kind=form.kind)
    again.add_error(
        None, "Somebody wrote meanwhile, and nothing was sent yet. Read it, and send again if it still fits."
    )
    return again


def _next(request: StaffRequest, found: Ticket) -> str:
    return reverse("desk")
