"""What customers are told when the database is away, by pages that do not need it."""

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from redemption import breaker

# Where customers and platforms redeem: these tell the breaker of the database, and are not asked while it is open.
REDEEMING = ("/redeem/", "/api/v1/")
_RETRY_SECONDS = "30"


def unavailable() -> HttpResponse:
    response = render(None, "redemption/unavailable.html", status=503)
    response.headers["Retry-After"] = _RETRY_SECONDS
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's page for what nobody expected. A database that is away is no error of the page's: it says “in a moment”,
    and where it was about redeeming the breaker hears of it, because who cannot be signed in never comes to redeem."""
    error = sys.exc_info()[1]
    if not breaker.is_away(error):
        return render(None, "500.html", status=500)
    if request.path_info.startswith(REDEEMING):
        breaker.redeeming.failed()
        breaker.redeeming.saw(None, timezone.now())
        return unavailable()
    response = render(None, "503.html", status=503)
    response.headers["Retry-After"] = _RETRY_SECONDS
    return response
