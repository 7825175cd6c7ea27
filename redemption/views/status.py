"""Whether redeeming works, for everybody: no sign-in, and nothing of anybody's."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "redemption/status.html")
