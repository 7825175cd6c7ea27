"""What a customer asked us: the list, one request with all that was written, and writing more."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from redemption.requests import StaffRequest
from support.actions.messages import add_customer_message
from support.customers.access import accounts_of, is_readable, page, parts_of, request_of, requests_of
from support.customers.letters import letters_of
from support.customers.sending import MASKED, FloodError, attach_files, count_message
from support.models import Ticket
from support.pages import older_than, see_other
from support.told_back import GuessError, told_back_to_customer
from support.write_form import WriteForm

PER_PAGE = 25


@require_safe
def customer_requests(request: StaffRequest) -> HttpResponse:
    before = older_than(request)
    found = requests_of(request.user, accounts_of(request.user), before=before, most=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    context = {
        "tickets": shown,
        "older": shown[-1].pk if len(found) > PER_PAGE else None,
        "is_first_page": before is None,
    }
    return page(request, "customers/requests.html", context)


@require_safe
def customer_request(request: StaffRequest, reference: str) -> HttpResponse:
    found = request_of(request.user, reference)
    if found.merged_into and is_readable(request.user, found.merged_into):
        # The thread goes on there, with what was written here.
        return redirect("customer_request", found.merged_into.reference)
    return _show(request, found)


@sensitive_post_parameters()
@sensitive_variables("form", "told", "texts")
@require_http_methods(["GET", "HEAD", "POST"])
def customer_write(request: StaffRequest, reference: str) -> HttpResponse:
    """Sent twice, a message is written once."""
    found = request_of(request.user, reference)
    place = reverse("customer_request", args=[found.reference])
    if request.method != "POST":
        return see_other(place)
    form = WriteForm(request.POST, request.FILES)
    is_whole = form.is_valid()
    texts = {"body": request.POST.get("body", "")[: form.LONGEST]}
    try:
        told = told_back_to_customer(texts, customer=request.user, now=timezone.now())
    except GuessError as refused:
        form.again("", str(refused))
        return _show(request, found, form=form, status=409)
    if not is_whole:
        form.again(told.texts["body"], "Codes were taken out. Never send us codes." if told.is_masked else "")
        return _show(request, found, form=form, status=422)
    try:
        count_message(request.user, form.cleaned_data["send_key"])
    except FloodError as refused:
        form.again(told.texts["body"], str(refused))
        return _show(request, found, form=form, status=429)
    message = add_customer_message(
        ticket=found,
        # Codes are taken out where it is kept, and the card that one was is linked.
        body=form.cleaned_data["body"],
        author=request.user,
        author_name=request.user.name,
        send_key=form.cleaned_data["send_key"],
    )
    attach_files(request, found, message, form.cleaned_data["attachments"])
    if told.is_masked:
        messages.warning(request, MASKED)
    messages.success(request, "Your message is sent.")
    return see_other(f"{place}#messages")


def _show(request: StaffRequest, found: Ticket, *, form: WriteForm | None = None, status: int = 200) -> HttpResponse:
    parts = parts_of(request.user, found)
    letters, older = letters_of(found, parts, reader=request.user, before=older_than(request))
    is_own = found.account is not None and found.account.user_id == request.user.pk
    context = {
        "ticket": found,
        # His account's, and never that of a card which his words named: it would tell a real code from an invented one.
        "own_program": found.account.program if found.account and is_own else None,
        "letters": letters,
        "older": older,
        "form": form or WriteForm.fresh(),
    }
    return page(request, "customers/request.html", context, status=status)
