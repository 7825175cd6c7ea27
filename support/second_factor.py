"""Staff reach nothing before this very session has passed a second factor."""

from typing import Any
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from redemption.models import User

# Where a session may go that has not passed one, by url name.
SIGNING_OUT = frozenset({"account_login", "account_logout", "admin:logout"})
SETTING_UP = frozenset({"mfa_index", "mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate"})
CHALLENGES = {
    Authenticator.Type.TOTP: "mfa_reauthenticate",
    Authenticator.Type.WEBAUTHN: "mfa_reauthenticate_webauthn",
}
# Where the session wanted to go before it was sent to set a factor up; allauth's pages link back to it.
WANTED = "wanted_before_second_factor"


def has_passed(request: HttpRequest) -> bool:
    """Whether this session used a second factor: allauth records each authentication in the session."""
    return any(entry["method"] == "mfa" for entry in get_authentication_records(request, request.user))


def challenges_of(request: HttpRequest) -> list[str]:
    """The names of the pages on which this person can use a factor; none: he has none."""
    types = set(Authenticator.objects.filter(user_id=request.user.pk).values_list("type", flat=True))
    return [name for type_, name in CHALLENGES.items() if type_ in types]


def demand(request: HttpRequest) -> HttpResponse | None:
    """Where a session must go first that has passed no second factor; None where it has, or is on its way."""
    if has_passed(request):
        return None
    page = request.resolver_match.view_name if request.resolver_match else ""
    if page in SIGNING_OUT:
        return None
    challenges = challenges_of(request)
    if page in (challenges or SETTING_UP):
        return None
    if challenges:
        return redirect(f"{reverse(challenges[0])}?{urlencode({'next': _wanted(request)})}")
    request.session[WANTED] = _wanted(request)
    messages.warning(request, "Set up an authenticator app or a passkey: these pages open with a second factor.")
    return redirect("mfa_index")


def _wanted(request: HttpRequest) -> str:
    """Where to go on afterwards, without the query: what was typed into it stays out of the session and of `next`.

    A form's data would not come along, so a posted form leads to the first page.
    """
    return request.path if request.method == "GET" else "/"


def count_setting_up_as_passing(
    sender: object, request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Who sets a factor up proves it (a code, a touch) in this session. allauth records only later uses."""
    if authenticator.type in CHALLENGES:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


# allauth offers no other way to hear of it. The receiver touches this request's session and nothing else.
authenticator_added.connect(count_setting_up_as_passing, dispatch_uid="count_setting_up_as_passing")
