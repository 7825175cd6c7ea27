"""While a program is flooded with guesses: a number by mail, and then the try goes on."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption import challenge
from redemption.models import Account
from redemption.refusals import Answer
from redemption.requests import StaffRequest
from redemption.views.redeem import chosen, go_on, opened, too_old
from redemption.views.redeem_answers import REFUSED, sentence


@cache_control(no_store=True)
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def redeem_challenge(request: StaffRequest) -> HttpResponse:
    """Opened by itself it is for who redeems in an app: the number counts there as well."""
    accounts = list(request.user.accounts.select_related("program").order_by("program__name", "pk"))
    if not accounts:
        return redirect("redeem")
    if request.method != "POST":
        return _page(request, None, accounts=accounts)
    tried = None
    if "sealed" in request.POST:
        found = opened(request)
        if found is None:
            return too_old(request)
        account, tried = found
    else:
        own = chosen(accounts, request.POST.get("account"))
        if own is None:
            return sentence(
                request, "There is no such account", "Open the page again and choose one of yours.", status=404
            )
        account = own
    if "number" not in request.POST:
        sent = challenge.send(account=account)
        was_sent = sent in {challenge.Sent.SENT, challenge.Sent.JUST_SENT}
        return _page(request, account, said=sent.value, asks=was_sent, status=200 if was_sent else REFUSED)
    typed = challenge.check(account=account, typed=request.POST["number"])
    if typed != challenge.Typed.PASSED:
        return _page(request, account, said=typed.value, asks=typed == challenge.Typed.WRONG, status=REFUSED)
    return go_on(request, account, tried) if tried else redirect("redeem")


def _page(
    request: StaffRequest,
    account: Account | None,
    *,
    accounts: list[Account] | None = None,
    said: str = "",
    asks: bool = False,
    status: int = 200,
) -> HttpResponse:
    """`asks`: a number is on its way, and the page has a field for it."""
    context = {
        "account": account,
        "accounts": accounts or [],
        "text": Answer.CHALLENGE.text(account.program if account else None),
        "said": said,
        "asks": asks,
        # As it came: opened, it is not sealed anew, so that its quarter of an hour does not begin again.
        "sealed": request.POST.get("sealed", ""),
    }
    return render(request, "redemption/redeem_challenge.html", context, status=status)
