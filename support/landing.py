"""Where each person starts: staff at the desk, retailers' members in the portal, customers where they redeem."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse

from redemption.models import User
from redemption.requests import StaffRequest
from redemption.roles import Role


def first_page(user: User) -> str:
    """Its address; empty for somebody who has none, such as a member whom his retailer has removed."""
    if user.is_staff:
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    if user.memberships.exists():
        return reverse("portal_home")
    return reverse("redeem") if user.role == Role.CUSTOMER else ""


def send_others_on(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around the desk's first page, which stands at the bare address: who opens that one is sent to his own."""

    @wraps(view)
    def opened(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_read = request.method in {"GET", "HEAD"} and request.user.is_authenticated and not request.user.is_staff
        if is_read and (address := first_page(request.user)):
            return redirect(address)
        return view(request, *args, **kwargs)

    return opened
