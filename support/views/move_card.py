"""A card that a customer redeemed to the wrong one of his accounts: what is left of it goes over, once a second person
agrees. Both accounts are seen side by side before anybody is asked."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, ApprovalAction, Code, Redemption
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, policy, ticket_search
from support.actions.credits import CreditError
from support.actions.reversals import left_to_move, request_move
from support.allowance import holdings
from support.credit_forms import MoveForm, chosen_ticket, say
from support.diagnosis import benefit_of, card_of, state_of
from support.earlier_credits import pending_about
from support.models import UNFINISHED, AuditAction, CreditReversal, format_amount
from support.pages import page, see_other
from support.permissions import requires

MOST_TICKETS = 6


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.GRANT_CREDITS)
def move_card(request: StaffRequest, serial: int) -> HttpResponse:
    card = card_of(serial)
    redemption = getattr(card, "redemption", None) if card else None
    if not card or not redemption:
        raise Http404
    user, origin = request.user, redemption.account
    if request.method != "POST":
        return _page(request, card, redemption, MoveForm(initial=_known(request, card), origin=origin, user=user))
    is_look = request.POST.get("do") == "look"
    form = MoveForm(request.POST, origin=origin, user=user, is_look=is_look)
    if not form.is_valid():
        return _page(request, card, redemption, form, to=form.cleaned_data.get("to"), status=422)
    data, to = form.cleaned_data, form.cleaned_data["to"]
    if is_look:
        return _page(request, card, redemption, form, to=to)
    try:
        asked = request_move(redemption, to=to, ticket=data["ticket"], why=data["why"], by=user)
    except CreditError as refused:
        say(form, refused)
        return _page(request, card, redemption, form, to=to, status=422)
    messages.success(request, f"A second person is asked to move it to {to.reference}.")
    return see_other(reverse("approval", args=[asked.pk]))


def _known(request: StaffRequest, card: Code) -> dict[str, Any]:
    """The ticket that the page that led here names, or the card's only open one."""
    ticket = chosen_ticket(request.GET, user=request.user)
    if not ticket:
        tickets = list(ticket_search.of_card(card, by=request.user).filter(status__in=UNFINISHED)[:2])
        ticket = tickets[0] if len(tickets) == 1 else None
    return {"ticket": ticket.reference if ticket else ""}


@sensitive_variables("form")
def _page(
    request: StaffRequest,
    card: Code,
    redemption: Redemption,
    form: MoveForm,
    *,
    to: Account | None = None,
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    left, unit = left_to_move(redemption, now=now)
    audit.record(
        AuditAction.CODE_OPENED,
        by=request.user,
        target=f"code:{card.pk}",
        account=redemption.account_id,
        to=to.pk if to else None,
    )
    if to:
        audit.record(AuditAction.ACCOUNT_OPENED, by=request.user, target=f"account:{to.pk}")
    moved = CreditReversal.objects.select_related("moved_to__account").filter(redemption=redemption).first()
    context = {
        "card": card,
        "program": card.batch.product.program,
        "card_state": state_of(card, now),
        "benefit": benefit_of(card),
        "redemption": redemption,
        "left": format_amount(left, unit) if left else "",
        "sides": [_side(redemption.account, unit, -left, now), *([_side(to, unit, left, now)] if to else [])],
        "is_stopped": policy.stopped() is not None,
        "moved": moved,
        "pending": pending_about(ApprovalAction.MOVE, f"code:{card.pk}"),
        "tickets": ticket_search.of_card(card, by=request.user)[:MOST_TICKETS],
        "form": form,
        # Both are seen before anybody is asked.
        "has_seen": to is not None,
    }
    return page(request, "support/move_card.html", context, title=f"Move card {card.pk}", status=status)


def _side(account: Account, unit: str, change: int, now: datetime) -> dict[str, Any]:
    """One account, with what it has and would have; nothing where it holds no such thing."""
    has = next((row for row in holdings(account, now=now, wanted=(unit, change)) if row.unit == unit), None)
    word = "It is with" if change <= 0 else "It would go to"
    return {"word": word, "account": account, "has": has, "will_change": bool(has and change)}
