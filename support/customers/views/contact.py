"""Asking for help, from an answer that did not help or from scratch."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, Code
from redemption.requests import StaffRequest
from support.actions.contact import Question, ask
from support.customers.access import accounts_of, addresses_of, page
from support.customers.answers import Answered, answered
from support.customers.forms import TEXTS, ContactForm
from support.customers.sending import MASKED, FloodError, attach_files, count_message
from support.models import MessageKind
from support.pages import see_other
from support.told_back import GuessError, told_back_to_customer
from support.told_form import new_key


@sensitive_post_parameters()
@sensitive_variables("form", "told", "texts", "question")
@require_http_methods(["GET", "HEAD", "POST"])
def contact_support(request: StaffRequest) -> HttpResponse:
    """`?answer=`: the reference of the answer that it is about. Sent twice, the form opens one ticket."""
    accounts = accounts_of(request.user)
    about = answered(request.GET["answer"], accounts) if "answer" in request.GET else None
    if request.method != "POST":
        known = {"send_key": new_key(), "subject": _subject(about)}
        return _page(request, ContactForm(accounts=accounts, about=about, initial=known), about)
    form = ContactForm(request.POST, request.FILES, accounts=accounts, about=about)
    is_whole = form.is_valid()
    texts = {name: request.POST.get(name, "")[:longest] for name, longest in TEXTS.items() if name in form.fields}
    try:
        told = told_back_to_customer(texts, customer=request.user, now=timezone.now())
    except GuessError as refused:
        form.again({}, str(refused))
        return _page(request, form, about, status=409)
    if not is_whole:
        form.again(told.texts, "Codes were taken out. Never send us codes." if told.is_masked else "")
        return _page(request, form, about, status=422)
    try:
        count_message(request.user, form.cleaned_data["send_key"])
    except FloodError as refused:
        form.again(told.texts, str(refused))
        return _page(request, form, about, status=429)
    question = _question(form, about)
    mailed_to = _mailed_to(request, accounts, question.account)
    ticket = ask(question, by=request.user, mailed_to=mailed_to, send_key=form.cleaned_data["send_key"])
    first = ticket.messages.filter(kind=MessageKind.CUSTOMER).order_by("pk").first()
    attach_files(request, ticket, first, form.cleaned_data["attachments"])
    if told.is_masked:
        messages.warning(request, MASKED)
    where = "here and by e-mail" if mailed_to else "here: your e-mail address is not confirmed, so nothing is mailed"
    messages.success(request, f"We have your request {ticket.reference}. You find the answer {where}.")
    return see_other(reverse("customer_request", args=[ticket.reference]))


@sensitive_variables()
def _question(form: ContactForm, about: Answered | None) -> Question:
    """With what was typed as it is: where it is kept, codes are taken out, and the card that one was is linked."""
    data: dict[str, Any] = form.cleaned_data
    body, serial = data["body"], data["serial"]
    if serial:
        body = f"{body}\n\nSerial number: {serial}"
    return Question(
        subject=data["subject"],
        body=body,
        account=form.chosen_account,
        code=(about.code if about else None) or _card(serial, form.chosen_account),
        answer_reference=about.reference if about else "",
        error_message=about.text if about else data["error_message"],
        known_error=about.known_error if about else None,
        surface=about.surface if about else data["surface"],
        steps_tried=data["steps_tried"],
    )


def _card(serial: int | None, account: Account | None) -> Code | None:
    """For the ticket alone: the page says nothing of whether there is such a card."""
    if not serial:
        return None
    found = Code.objects.filter(pk=serial)
    return (found.filter(batch__product__program=account.program_id) if account else found).first()


def _mailed_to(request: StaffRequest, accounts: list[Account], account: Account | None) -> str:
    """An address that is proved to be his: the account's, or the one that he signs in with."""
    proved = addresses_of(request.user, accounts)
    wanted = [account.email, request.user.email] if account else [request.user.email]
    return next((email for email in wanted if email.lower() in proved), proved[0] if proved else "")


def _subject(about: Answered | None) -> str:
    if not about:
        return ""
    return "A code was not redeemed" if about.text else "About a code that I redeemed"


def _page(request: StaffRequest, form: ContactForm, about: Answered | None, *, status: int = 200) -> HttpResponse:
    return page(request, "customers/contact.html", {"form": form, "about": about}, status=status)
