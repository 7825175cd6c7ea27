"""Granting a credit: one form with all that bears on it beside it. What is above the limits is asked for from there."""

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, ApprovalAction, ApprovalRequest, Code, RequestStatus
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, policy, ticket_search
from support.actions import credits
from support.actions.credits import CreditError, NeedsSecondPersonError, Wanted
from support.allowance import allowance, holdings
from support.attachments import Shown, shown
from support.credit_forms import (
    MOST_ACCOUNTS,
    OTHER,
    AccountOfCreditForm,
    CreditForm,
    chosen_ticket,
    offered_reasons,
    read_amount,
    say,
)
from support.diagnosis import benefit_of, card_of, state_of
from support.earlier_credits import earlier, pending
from support.models import DAYS, UNFINISHED, AuditAction, CreditReason, ScanState, Ticket, TicketChannel
from support.pages import page, see_other
from support.permissions import requires
from support.references import read_reference, read_serial

MOST_TICKETS = 6
TITLE = "New credit"


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.GRANT_CREDITS)
def new_credit(request: StaffRequest) -> HttpResponse:
    """The address may name an account and a ticket by their references and a card by its serial number. Posted, `do`
    says what: grant it, ask a second person, or only look what it would come to."""
    given = request.POST if request.method == "POST" else request.GET
    account = _account(given.get("account", ""))
    if not account:
        return _choose(request)
    if request.method != "POST":
        return _page(request, _fresh(request, account))
    do = request.POST.get("do", "grant")
    if do == "look":
        # Nothing of it is refused yet: whoever loads another ticket's files has not finished writing.
        return _page(request, CreditForm(initial=request.POST.dict(), account=account, user=request.user))
    form = CreditForm(request.POST, account=account, user=request.user)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        return _ask(request, form) if do == "ask" else _grant(request, form.wanted)
    except NeedsSecondPersonError as above:
        return _page(request, form, above=above.sentences, status=422)
    except CreditError as refused:
        say(form, refused)
        return _page(request, form, status=422)


def _account(typed: str) -> Account | None:
    reference = read_reference(typed)
    return Account.objects.select_related("program").filter(reference=reference).first() if reference else None


# --- Doing it


def _grant(request: StaffRequest, wanted: Wanted) -> HttpResponse:
    credit = credits.grant(wanted, by=request.user)
    # To be told on the telephone: what the account has by now.
    account = Account.objects.select_related("program").get(pk=credit.account_id)
    has = next(has for has in holdings(account, now=timezone.now()) if has.unit == credit.unit)
    messages.success(request, f"Credited: {credit.shown}. {has.label}: now {has.now}.")
    return see_other(reverse("credit", args=[credit.reference]))


def _ask(request: StaffRequest, form: CreditForm) -> HttpResponse:
    wanted, why = form.wanted, form.cleaned_data["why"]
    asked = _asked_before(request, wanted)
    if not asked:
        if not why.strip():
            form.add_error("why", "Say why: whoever decides needs to know.")
            return _page(request, form, status=422)
        try:
            asked = credits.request(wanted, why=why, by=request.user)
        except CreditError:
            # The same form, sent twice at once: the other one has asked meanwhile.
            asked = _asked_before(request, wanted)
            if not asked:
                raise
    messages.success(request, f"A second person is asked for {wanted.shown}.")
    return see_other(reverse("approval", args=[asked.pk]))


def _asked_before(request: StaffRequest, wanted: Wanted) -> ApprovalRequest | None:
    """What this very form has asked for, and waits."""
    waiting = ApprovalRequest.objects.filter(
        action=ApprovalAction.CREDIT, target=wanted.target, status=RequestStatus.PENDING, requested_by=request.user
    )
    return waiting.filter(payload__key=str(wanted.key)).first()


# --- Whose account?


@sensitive_variables()
def _choose(request: StaffRequest) -> HttpResponse:
    """Asked where nothing that led here tells it; with those that it may well be, one click away."""
    given = request.POST if request.method == "POST" else request.GET
    ticket = chosen_ticket(given, user=request.user)
    card = _card(given.get("card", "") or str(ticket.code_id if ticket else ""))
    form = AccountOfCreditForm(request.POST if request.method == "POST" else None)
    found: list[Account] = []
    status = 200
    if form.is_bound:
        if form.is_valid():
            found = form.cleaned_data["who"]
            if len(found) == 1:
                return see_other(_address(found[0], ticket, card))
        else:
            status = 422
    elif likely := _likely(ticket, card):
        if len(likely) == 1 and not request.GET.get("account"):
            return see_other(_address(likely[0], ticket, card))
        found = likely
    audit.record(AuditAction.CREDIT_STARTED, by=request.user, target=_target(ticket, card))
    context = {
        "form": form,
        "ticket": ticket,
        "card": card,
        "choices": [(account, _address(account, ticket, card)) for account in found],
        "is_cut_off": len(found) == MOST_ACCOUNTS,
    }
    return page(request, "support/whose_credit.html", context, title=TITLE, status=status)


def _likely(ticket: Ticket | None, card: Code | None) -> list[Account]:
    """The ticket's own account; else those of its requester's address, and whoever redeemed the card: unless a retailer
    writes about it, to whom that is a thief as often as not."""
    if ticket and ticket.account:
        return [ticket.account]
    accounts = Account.objects.select_related("program").order_by("program__name", "pk")
    found: dict[int, Account] = {}
    if ticket and ticket.requester_email:
        of = accounts.alias(lower_email=Lower("email")).filter(lower_email=ticket.requester_email.lower())
        if ticket.program_id:
            of = of.filter(program=ticket.program_id)
        found |= {account.pk: account for account in of[:MOST_ACCOUNTS]}
    if card and not found and not (ticket and ticket.channel == TicketChannel.RETAILER):
        found |= {account.pk: account for account in accounts.filter(redemptions__code=card.pk)}
    return list(found.values())


def _address(account: Account, ticket: Ticket | None, card: Code | None) -> str:
    return f"{reverse('new_credit')}?{_query(account, ticket, card)}"


def _query(account: Account, ticket: Ticket | None, card: Code | None) -> str:
    query = {"account": account.reference}
    if ticket:
        query["ticket"] = ticket.reference
    if card:
        query["card"] = str(card.pk)
    return urlencode(query)


def _target(ticket: Ticket | None, card: Code | None) -> str:
    if ticket:
        return f"ticket:{ticket.pk}"
    return f"code:{card.pk}" if card else ""


# --- The page


def _fresh(request: StaffRequest, account: Account) -> CreditForm:
    """With what the page that led here knows already: its ticket, and the ticket's card."""
    ticket = chosen_ticket(request.GET, user=request.user)
    initial = {
        "unit": account.currency,
        "ticket": ticket.reference if ticket else "",
        "code": read_serial(request.GET.get("card", "")) or (ticket.code_id if ticket else None) or "",
        "key": str(uuid.uuid4()),
    }
    return CreditForm(initial=initial, account=account, user=request.user)


@sensitive_variables()
def _page(
    request: StaffRequest, form: CreditForm, *, above: list[str] | None = None, status: int = 200
) -> HttpResponse:
    """`above`: the sentences of the limits that it was found to pass."""
    now = timezone.now()
    account = form.account
    given = {name: form[name].value() or "" for name in form.fields}
    ticket = chosen_ticket(given, user=request.user)
    tickets = _tickets(request, account, ticket)
    if not ticket and not form.is_bound and not given["ticket"] and len(tickets) == 1:
        ticket = tickets[0]
    files = [file for file in shown(ticket, request.user)["files"] if _is_kept(file)] if ticket else []
    card = _card(str(given["code"]))
    reason = CreditReason.objects.filter(slug=given["reason"]).first() if given["reason"] else None
    unit = given["unit"] if given["unit"] in {account.currency, DAYS} else account.currency
    amount = _amount(given["amount"], unit)
    room = allowance(account, by=request.user, now=now)
    audit.record(
        AuditAction.CREDIT_STARTED,
        by=request.user,
        target=f"account:{account.pk}",
        ticket=ticket.pk if ticket else None,
        code=card.pk if card else None,
    )
    hits = above or (room.hits(unit, amount, reason) if amount else [])
    if hits and form.is_bound:
        # The browser goes to what is to be written now.
        form.focus_on_why()
    context = {
        "account": account,
        "program": account.program,
        "form": form,
        # The address that the form stood on: loaded again, it is a fresh one.
        "query": _query(account, ticket, card),
        "given": given,
        "is_stopped": policy.stopped() is not None,
        "unit": unit,
        "holdings": holdings(account, now=now, wanted=(unit, amount) if amount else None),
        "reasons": offered_reasons(),
        "ticket": ticket,
        "tickets": tickets,
        "is_other": not ticket and (given["ticket"] == OTHER or bool(given["other_ticket"])),
        "files": files,
        "card": card,
        "card_state": state_of(card, now) if card else None,
        "benefit": benefit_of(card) if card else "",
        "room": room,
        "hits": hits,
        "earlier": earlier(account, card=card, files=files, now=now),
        "pending": pending(account),
    }
    return page(request, "support/new_credit.html", context, title=TITLE, status=status)


def _tickets(request: StaffRequest, account: Account, chosen: Ticket | None) -> list[Ticket]:
    """The account's tickets that are not finished, and the one that was chosen, whatever it is."""
    found = list(ticket_search.of_account(account, by=request.user).filter(status__in=UNFINISHED)[:MOST_TICKETS])
    return found if chosen is None or chosen in found else [chosen, *found]


def _is_kept(file: Shown) -> bool:
    return file.attachment.scan != ScanState.INFECTED


@sensitive_variables()
def _card(typed: str) -> Code | None:
    return card_of(read_serial(typed))


@sensitive_variables()
def _amount(typed: str, unit: str) -> int:
    """0 for what is no amount: the form says why."""
    try:
        return read_amount(typed, unit)
    except ValueError:
        return 0
