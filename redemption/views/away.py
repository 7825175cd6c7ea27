"""What is answered when the database is away, without it."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from redemption import breaker
from redemption.api.errors import ErrorCode, error_answer
from redemption.references import NOBODY, Untried, sign

_SOON = {"Retry-After": "30"}


def unavailable(request: HttpRequest) -> HttpResponse:
    """Of redeeming: to a customer a page, to a platform the error of its interface."""
    # Whose account it is, only the database knows.
    reference = sign(Untried.UNAVAILABLE, NOBODY, timezone.now())
    if request.path_info.startswith("/api/"):
        return error_answer(ErrorCode.UNAVAILABLE, reference=reference, headers=_SOON | {"Cache-Control": "no-store"})
    return _page("redemption/unavailable.html", {"reference": reference})


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's page for what nobody expected. A database that is away is no error of the page's: it says “in a moment”,
    and where it was about redeeming the breaker hears of it."""
    error = sys.exc_info()[1]
    if not breaker.is_away(error):
        return render(None, "500.html", status=500)
    breaker.hears(request.path_info, error)
    is_redeeming = request.path_info.startswith(breaker.REDEEMING)
    return unavailable(request) if is_redeeming else _page("503.html")


def _page(template: str, context: dict[str, str] | None = None) -> HttpResponse:
    response = render(None, template, context, status=503)
    response.headers["Retry-After"] = _SOON["Retry-After"]
    return response
