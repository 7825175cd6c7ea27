"""A customer's accounts: the plan and who bills it, credit and premium time, what was redeemed, what was asked."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.models import Account, PremiumGrant, Redemption, Restriction
from redemption.requests import StaffRequest
from support.customers.access import accounts_of, chosen_account, page, requests_of
from support.customers.billing import billing
from support.customers.signed_in import sign_in_of
from support.customers.statement import statement
from support.pages import older_than, part
from support.tries import tries_of

_LATEST, PER_PAGE = 5, 25


@require_safe
def customer_account(request: StaffRequest) -> HttpResponse:
    accounts = accounts_of(request.user)
    found = chosen_account(request, accounts)
    context = {
        "accounts": accounts,
        "account": found,
        "tickets": requests_of(request.user, accounts, most=_LATEST),
        **sign_in_of(request),
        **(_of(request, found) if found else {}),
    }
    return page(request, "customers/account.html", context)


def _of(request: StaffRequest, account: Account) -> dict[str, object]:
    now = timezone.now()
    redeemed = Redemption.objects.filter(account=account).select_related("batch__product", "attempt").order_by("-pk")
    grants = PremiumGrant.objects.filter(account=account, period__isnull=False).order_by("-period", "-pk")
    return {
        "program": account.program,
        "billing": billing(account, account.program.today(now)),
        "statement": statement(account, most=_LATEST),
        "tries": tries_of(account, now),
        "is_restricted": account.restriction != Restriction.NONE,
        "redemptions": part(request, "redemptions", redeemed),
        "grants": part(request, "grants", grants),
    }


@require_safe
def customer_statement(request: StaffRequest) -> HttpResponse:
    accounts = accounts_of(request.user)
    found = chosen_account(request, accounts)
    before = older_than(request)
    context = {
        "accounts": accounts,
        "account": found,
        "statement": statement(found, most=PER_PAGE, before=before) if found else None,
        "billing": billing(found, found.program.today()) if found else None,
        "is_first_page": before is None,
    }
    return page(request, "customers/statement.html", context)
