"""The customers' page: one form, and the answer to it.

Answers that must not be told apart are the same pages byte for byte but for the reference: an answer has no form, whose
token would differ, names nobody, and says of the account only its program and country.
"""

import secrets
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Account, Channel
from redemption.redeem import KeyConflictError, KeyRefusedError, KeyRunningError, Result, redeem
from redemption.references import Untried
from redemption.requests import StaffRequest

# Whatever is wrong with the code or the account, it is the same to the browser.
_REFUSED = 422


@cache_control(no_store=True)
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def redeem_page(request: StaffRequest) -> HttpResponse:
    accounts = list(request.user.accounts.select_related("program").order_by("program__name", "pk"))
    is_posted = request.method == "POST"
    if not accounts:
        return _sentence(
            request,
            "No account is linked",
            "Codes are redeemed to an account of a program, and none is linked to your sign-in. "
            "Contact support, who can find it.",
            status=_REFUSED if is_posted else 200,
            again=False,
        )
    if not is_posted:
        context = {"accounts": accounts, "key": secrets.token_hex(16)}
        return render(request, "redemption/redeem.html", context)
    account = _chosen(accounts, request.POST.get("account"))
    if not account:
        # Also where it is somebody else's.
        return _sentence(
            request, "There is no such account", "Open the page again and choose one of yours.", status=404
        )
    key = request.POST.get("key", "")
    try:
        result = redeem(
            account=account,
            text=request.POST.get("code", ""),
            channel=Channel.WEB,
            address=get_adapter().get_client_ip(request),
            # What no column takes is as good as no key.
            key=key if key.isascii() else "",
        )
    except KeyConflictError:
        return _sentence(
            request,
            "This form was used before",
            "Another code was sent with it, and this one was not tried. Open the page again and enter it there.",
            status=409,
        )
    except KeyRunningError:
        return _sentence(
            request,
            "One moment",
            "Your code was sent before and is still being worked on. Reload this page in a minute to see the answer.",
            status=409,
        )
    except KeyRefusedError:
        return _sentence(
            request,
            "The form was incomplete",
            "Nothing was tried. Open the page again and enter your code there.",
            status=400,
        )
    return render(request, "redemption/redeem_answer.html", _answer(account, result), status=_status(result))


def _chosen(accounts: list[Account], reference: str | None) -> Account | None:
    """The form names an account only where there is a choice: who has several must have made it."""
    if reference is None and len(accounts) == 1:
        return accounts[0]
    return next((account for account in accounts if account.reference == reference), None)


def _answer(account: Account, result: Result) -> dict[str, Any]:
    blocked_until = result.blocked_until if result.untried == Untried.THROTTLED else None
    if blocked_until:
        # To the minute that is certainly over.
        blocked_until = blocked_until.astimezone(account.program.zone) + timedelta(minutes=1)
    return {
        "account": account,
        "result": result,
        "text": result.customer_text(account.program),
        "free_from": f"{blocked_until:%-d %B %Y, %H:%M %Z}" if blocked_until else "",
    }


def _status(result: Result) -> int:
    if result.is_redeemed:
        return 200
    if result.untried == Untried.THROTTLED:
        return 429
    return 503 if result.untried == Untried.UNAVAILABLE else _REFUSED


def _sentence(request: StaffRequest, title: str, sentence: str, *, status: int, again: bool = True) -> HttpResponse:
    """A page that says why nothing was tried; `again`: with the way back to the form."""
    context = {"title": title, "sentence": sentence, "again": again}
    return render(request, "redemption/redeem_sentence.html", context, status=status)
