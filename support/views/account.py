"""A customer's account, all on one page: what bears on redeeming, its tickets and its story, its credit with every
movement, months that were billed, premium time, what it redeemed and what it tried."""

from urllib.parse import urlencode

from django.db import transaction
from django.db.models import F
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.models import Account, Attempt, Invoice, PremiumGrant, Redemption
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit, ticket_search
from support.credit_panel import credit_panel
from support.earlier_credits import of_account, pending
from support.models import AuditAction
from support.pages import limit_of, older_than, page, part
from support.permissions import requires
from support.references import read_reference
from support.statement import statement
from support.timeline import account_timeline
from support.tries import tries_of

PER_PAGE = 25


@require_safe
@requires(Permission.VIEW_ACCOUNTS)
@transaction.atomic
def account(request: StaffRequest, reference: str) -> HttpResponse:
    found = Account.objects.select_related("program").filter(reference=read_reference(reference)).first()
    if not found:
        raise Http404
    audit.record(AuditAction.ACCOUNT_OPENED, by=request.user, target=f"account:{found.pk}")
    attempts = Attempt.objects.filter(account=found).order_by("-pk")
    if before := older_than(request):
        attempts = attempts.filter(pk__lt=before)
    # One more than is shown says whether there are older ones, without counting.
    tried = list(attempts[: PER_PAGE + 1])
    tries = tries_of(found, timezone.now())
    tickets = part(request, "tickets", ticket_search.of_account(found, by=request.user))
    context = {
        "account": found,
        "looked_at": f"account:{found.pk}",
        "program": found.program,
        "blocked_until": tries.blocked_until,
        "attempts_left": tries.left,
        "tickets": tickets,
        "new_ticket_query": urlencode({"account": found.reference}),
        "timeline": account_timeline(found, tickets.rows),
        "statement": statement(found, limit=limit_of(request, "statement")),
        "grants": part(
            request,
            "grants",
            PremiumGrant.objects.filter(account=found).order_by(F("period").desc(nulls_last=True), "-pk"),
        ),
        "invoices": part(request, "invoices", Invoice.objects.filter(account=found).order_by("-starts_on", "-pk")),
        "redemptions": part(
            request,
            "redemptions",
            Redemption.objects.filter(account=found).select_related("batch__product").order_by("-pk"),
        ),
        "shows_people": request.user.may(Permission.SEE_PERSONAL_DATA),
        "opens_tickets": request.user.may(Permission.ANSWER_TICKETS),
        **credit_panel(request, of_account(found), waiting=pending(found), query={"account": found.reference}),
        "attempts": tried[:PER_PAGE],
        "older": tried[PER_PAGE - 1].pk if len(tried) > PER_PAGE else None,
        "is_first_page": not before,
    }
    return page(request, "support/account.html", context, title=f"Account {found.reference}")
