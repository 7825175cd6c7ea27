"""Sending an answer or a note from a ticket's page."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.messages import StaleTicketError, unsend, write_staff_message
from support.actions.tickets import TicketError
from support.attachments import attach
from support.files_field import SentFile
from support.macros import offered_on
from support.models import Message, MessageKind, Ticket, TicketStatus
from support.pages import see_other
from support.permissions import requires
from support.queue import next_after
from support.ticket_forms import WriteForm
from support.views.drafts import keep, keep_and_sign_in, writer_of
from support.views.ticket import WRITTEN, show, ticket_of, trail


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
        return see_other(reverse("ticket", args=[found.reference]) + trail(request))
    writer = writer_of(request)
    if writer and writer != request.user:
        keep(request, reference, kind)
        messages.warning(request, f"{writer} wrote this before you signed in: it is kept as a draft of theirs.")
        return see_other(reverse("ticket", args=[found.reference]) + trail(request))
    form = WriteForm(request.POST, request.FILES, kind=MessageKind(kind))
    if not form.is_valid():
        _keep_files(request, found, form)
        return show(request, found, written=form, status=422)
    data = form.cleaned_data
    then = request.POST.get("then")
    status = TicketStatus.SOLVED if then == "solve" else data["status"]
    try:
        written = write_staff_message(
            ticket=found,
            kind=form.kind,
            body=data["body"],
            by=request.user,
            send_key=data["send_key"],
            seen=data["seen"],
            status=TicketStatus(status) if status else None,
            macro=offered_on(found).filter(pk=data["macro"]).first() if data["macro"] else None,
        )
    except StaleTicketError as stale:
        _keep_files(request, found, form)
        return show(request, found, written=_asking_again(request, form, stale), newer=stale.newer, status=409)
    except TicketError as refused:
        form.add_error(None, str(refused))
        return show(request, found, written=form, status=422)
    _attach(request, found, written, data["attachments"])
    page = reverse("ticket", args=[found.reference]) + trail(request)
    if kind == MessageKind.NOTE:
        messages.success(request, "The note is written.")
        return see_other(page)
    _offer_undo(request, found, written)
    return see_other(_next(request, found) if then == "solve" else page)


def _attach(request: StaffRequest, found: Ticket, message: Message | None, sent: list[SentFile]) -> None:
    """After the message's commit. What is refused is said, and takes nothing else with it."""
    files, kinds = [one.file for one in sent], [one.kind for one in sent]
    for row in attach(ticket=found, message=message, files=files, kinds=kinds, by=request.user):
        if row.refusal:
            messages.warning(request, f"{row.name}: {row.refusal}")


def _keep_files(request: StaffRequest, found: Ticket, form: WriteForm) -> None:
    """Of an answer that was not sent yet: browsers do not choose them again. They go with the next one."""
    if not (sent := form.cleaned_data["attachments"]):
        return
    if form.kind == MessageKind.REPLY:
        _attach(request, found, None, sent)
        messages.info(request, "The files are kept, and go with the answer when it is sent.")
    else:
        messages.warning(request, "The files were not kept: choose them again.")


@require_POST
@requires(Permission.ANSWER_TICKETS)
def take_back(request: StaffRequest, reference: str, message: int) -> HttpResponse:
    """Takes an answer back within its seconds; its text waits in the box."""
    found = ticket_of(request, reference)
    # What is there no more was taken back already, perhaps in another tab: the page shows it.
    answer = Message.objects.filter(ticket=found, pk=message).first() if message < 2**63 else None
    try:
        if answer:
            unsend(message=answer, by=request.user)
    except TicketError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "The answer was not sent. Its text is back in the box.")
    return see_other(f"{reverse('ticket', args=[found.reference])}{trail(request)}#write")


def _offer_undo(request: StaffRequest, found: Ticket, answer: Message) -> None:
    """Beside what the next page says first, whichever page that is: also after “send and solve”."""
    context = {"ticket": found, "answer": answer, "trail": trail(request)}
    messages.success(request, render_to_string("support/_sent.html", context, request))


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
    """The next ticket of the view that this one was opened from, or that view where there is none. A problem keeps its
    page: there its incidents can be answered."""
    if found.is_problem and found.incidents.unfinished().exists():
        return f"{reverse('ticket', args=[found.reference])}{trail(request)}#incidents"
    following = next_after(found, request.GET.dict(), request.user)
    page = reverse("ticket", args=[following.reference]) if following else reverse("tickets")
    return page + trail(request)
