"""The customers' page: a code, what it would give, and what came of it.

Answers that must not be told apart are the same pages byte for byte but for the reference: an answer has no form, whose
token would differ, names nobody, and says of the account only its program and country. Between the two steps the code
travels sealed in the form, and in nothing else.
"""

import re
import secrets
from hashlib import blake2b

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, Channel
from redemption.redeem import KeyConflictError, KeyRefusedError, KeyRunningError, preview, redeem
from redemption.requests import StaffRequest
from redemption.sealed_codes import SealBrokenError, SealedCode, unseal
from redemption.views.redeem_answers import REFUSED, answer, sentence, shapes

_COUNTRY = re.compile("[A-Z]{2}")


@cache_control(no_store=True)
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def redeem_page(request: StaffRequest) -> HttpResponse:
    accounts = list(request.user.accounts.select_related("program").order_by("program__name", "pk"))
    is_posted = request.method == "POST"
    if not accounts:
        return render(request, "redemption/redeem_no_account.html", status=REFUSED if is_posted else 200)
    if not is_posted:
        context = {
            "accounts": [(account, shapes(account.program_id)) for account in accounts],
            "key": secrets.token_hex(16),
        }
        return render(request, "redemption/redeem.html", context)
    account = chosen(accounts, request.POST.get("account"))
    if not account:
        # Also where it is somebody else's.
        return sentence(request, "There is no such account", "Open the page again and choose one of yours.", status=404)
    key = request.POST.get("key", "")
    # What no column takes is as good as no key.
    tried = SealedCode(account.pk, request.POST.get("code", ""), key if key.isascii() else "", confirmed=False)
    return go_on(request, account, tried)


@cache_control(no_store=True)
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def redeem_confirm(request: StaffRequest) -> HttpResponse:
    """What he has seen is redeemed: exactly the code that was sealed, for the account that it was sealed for."""
    if request.method != "POST":
        # Whoever signs in anew on the way is led here without his form.
        return redirect("redeem")
    sealed = opened(request)
    if sealed is None:
        return too_old(request)
    account, tried = sealed
    return go_on(request, account, SealedCode(account.pk, tried.text, tried.key, confirmed=True))


@sensitive_variables()
def go_on(request: StaffRequest, account: Account, tried: SealedCode) -> HttpResponse:
    """The next step of a try: shows what it would give or, once confirmed, redeems it."""
    run, key = preview, tried.key
    if tried.confirmed:
        # A request of its own; loaded again, it is the same one.
        run, key = redeem, f"confirm {blake2b(key.encode(), digest_size=16).hexdigest()}"
    try:
        result = run(
            account=account,
            text=tried.text,
            channel=Channel.WEB,
            address=get_adapter().get_client_ip(request),
            apparent_country=apparent_country(request),
            key=key,
        )
    except KeyConflictError:
        return sentence(
            request,
            "This form was used before",
            "Another code was sent with it, and this one was not tried. Open the page again and enter it there.",
            status=409,
        )
    except KeyRunningError:
        return sentence(
            request,
            "One moment",
            "Your code was sent before and is still being worked on. Reload this page in a minute to see the answer.",
            status=409,
        )
    except KeyRefusedError:
        return sentence(
            request,
            "The form was incomplete",
            "Nothing was tried. Open the page again and enter your code there.",
            status=400,
        )
    return answer(request, account, result, tried)


def apparent_country(request: StaffRequest) -> str:
    """Two letters, as a proxy of ours says; empty where none does, or where it does not know (“XX”)."""
    said = request.headers.get(settings.COUNTRY_HEADER, "").upper() if settings.COUNTRY_HEADER else ""
    return said if _COUNTRY.fullmatch(said) and said != "XX" else ""


@sensitive_variables()
def opened(request: StaffRequest) -> tuple[Account, SealedCode] | None:
    """What the form carries sealed, and the person's own account that it is for."""
    try:
        sealed = unseal(request.POST.get("sealed", ""), by=request.user)
    except SealBrokenError:
        return None
    account = request.user.accounts.select_related("program").filter(pk=sealed.account_id).first()
    return (account, sealed) if account else None


def too_old(request: StaffRequest) -> HttpResponse:
    return sentence(
        request,
        "This page was open for too long",
        "For your safety a code is forgotten after a quarter of an hour. Enter it again: the try that was counted for "
        "it is given back when you redeem it.",
        status=409,
    )


def chosen(accounts: list[Account], reference: str | None) -> Account | None:
    """The form names an account only where there is a choice: who has several must have made it."""
    if reference is None and len(accounts) == 1:
        return accounts[0]
    return next((account for account in accounts if account.reference == reference), None)
