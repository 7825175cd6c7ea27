"""Whether redeeming works, for everybody: no sign-in, nothing of anybody's, and an answer also without the database."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from redemption.status_board import KEPT_SECONDS, board


@login_not_required
@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def status(request: HttpRequest) -> HttpResponse:
    shown = board()
    context = {"board": shown, "all_work": not any(standing.is_off for standing in shown.standings or ())}
    # Without the request: whoever asks, it is one page, and no context of ours asks the database who it is.
    response = render(None, "redemption/status.html", context, status=200 if shown.standings is not None else 503)
    if shown.standings is None:
        response.headers["Retry-After"] = "30"
    return response
