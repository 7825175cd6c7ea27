"""Step-up: what cannot be taken back, or opens the house to others, asks for a fresh second factor.

A page is opened with a factor of at most STEP_UP_MINUTES; a form that was opened in time may take as long again to be
filled in. What comes too late changes nothing and is not lost: it is shown again, to be sent once the factor was used.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse

from support.second_factor import challenges_of

Asks = Callable[[HttpRequest, Mapping[str, Any]], bool]


def _always(request: HttpRequest, named: Mapping[str, Any]) -> bool:
    return True


def _posted(request: HttpRequest, named: Mapping[str, Any]) -> bool:
    return request.method not in {"GET", "HEAD", "OPTIONS"}


def _posted_verb(name: str, *verbs: str) -> Asks:
    return lambda request, named: _posted(request, named) and named.get(name) in verbs


# By address: which requests are dangerous. Where the page is a form and nothing else, opening it asks; where it shows
# what others may look at too, only sending does. Whatever lies below /platforms/ changes who may redeem for others.
DANGEROUS: dict[str, Asks] = {
    # Money, and cards that are as good as money. Not the credit within an agent's own limits, which he grants all day.
    "decide": _posted_verb("verb", "approve"),
    "judge": _posted_verb("verb", "void", "replace"),
    "hand_over": _always,
    "move_card": _always,
    "reverse_credit": _posted,
    "credit_policy": lambda request, named: _posted(request, named) or "edit" in request.GET,
    "stop_credits": _always,
    "switch_redeeming": _always,
    "admin:redemption_batch_act": _posted_verb("name", "issue", "activate", "extend", "close", "destroy-print-file"),
    "admin:redemption_batch_print_file": _posted,
    # What leaves the house.
    "new_export": _posted,
    "export_file": _posted,
    # Who may come in.
    "admin:redemption_user_add": _always,
    "admin:redemption_user_change": _posted,
    "admin:redemption_user_send_password_link": _posted,
    "admin:redemption_user_remove_second_factor": _posted,
    "admin:redemption_user_end_sessions": _posted,
    "admin:redemption_retailer_invite": _posted,
    "admin:redemption_retailer_invitation": _posted,
    "admin:redemption_retailer_remove_member": _posted,
    "admin:redemption_apikey_revoke": _posted,
}
_PLATFORMS = "/platforms/"


def asks(request: HttpRequest, name: str, named: Mapping[str, Any]) -> bool:
    """Whether this request is dangerous."""
    if request.path.startswith(_PLATFORMS):
        return _posted(request, named)
    dangerous = DANGEROUS.get(name)
    return dangerous is not None and dangerous(request, named)


def demand(request: HttpRequest) -> HttpResponse | None:
    """What a session is answered whose second factor is too old for what it asks; None where it is not."""
    match = request.resolver_match
    if not settings.STEP_UP_MINUTES or match is None or not asks(request, match.view_name, match.kwargs):
        return None
    is_posted = _posted(request, {})
    allowed = settings.STEP_UP_MINUTES * 60 * (2 if is_posted else 1)
    records = get_authentication_records(request, request.user)
    used = [entry["at"] for entry in records if entry["method"] == "mfa"]
    if used and time.time() - max(used) < allowed:
        return None
    challenge = next(iter(challenges_of(request)), "mfa_reauthenticate")
    page = _page_of(request) if is_posted else request.path
    confirm_at = f"{reverse(challenge)}?{urlencode({'next': page})}"
    if is_posted:
        return render(request, "step_up.html", {"confirm_at": confirm_at, "typed": _typed(request)}, status=403)
    messages.warning(request, "What comes next is hard to take back: confirm first that it is you.")
    return redirect(confirm_at)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """The form's fields; it has a token of its own. No dangerous form takes a password or a file."""
    return [(name, value) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken" for value in values]


def _page_of(request: HttpRequest) -> str:
    """The page that the form was on, without its query: what was typed into it stays out of `next`. Browsers say which
    it was; it is taken only where it is one of ours."""
    came_from = urlsplit(request.headers.get("referer", ""))
    if came_from.netloc != request.get_host():
        return "/"
    try:
        resolve(came_from.path)
    except Resolver404:
        return "/"
    return came_from.path
