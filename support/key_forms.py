"""The page of a machine's key: the next one in its place, or no more. At the desk and in the portal alike."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpResponse

from redemption.models import ApiKey
from redemption.requests import StaffRequest
from support.actions import keys
from support.actions.keys import ApiKeyError
from support.pages import see_other

_Request = TypeVar("_Request", bound=StaffRequest)


class RotationForm(forms.Form):
    keep_days = forms.IntegerField(
        label="Days for which the old key works on",
        min_value=0,
        max_value=keys.MOST_KEPT_DAYS,
        initial=keys.KEPT_DAYS,
        help_text="As long as your systems need to get the new one. 0: it stops at once.",
    )


class RevocationForm(forms.Form):
    sure = forms.BooleanField(error_messages={"required": "Tick the box to say that you mean it."})


def key_page(
    request: _Request,
    found: ApiKey,
    *,
    rotates_by: type[RotationForm] = RotationForm,
    show: Callable[..., HttpResponse],
    shown_once: Callable[[_Request, Any], HttpResponse],
    back: str,
) -> HttpResponse:
    """`show(request, found, rotation, revocation, status=…)` is the page; `shown_once(request, made)` a new key's."""
    rotation, revocation = rotates_by(), RevocationForm()
    if request.method != "POST":
        return show(request, found, rotation, revocation)
    is_revocation = request.POST.get("do") == "revoke"
    form: forms.Form
    if is_revocation:
        form = revocation = RevocationForm(request.POST)
    else:
        form = rotation = rotates_by(request.POST)
    if not form.is_valid():
        return show(request, found, rotation, revocation, status=422)
    try:
        if not is_revocation:
            return shown_once(request, keys.rotate_key(found, by=request.user, **form.cleaned_data))
        keys.revoke_key(found, by=request.user)
    except ApiKeyError as refused:
        form.add_error(None, str(refused))
        return show(request, found, rotation, revocation, status=409)
    messages.success(request, f"The key {found} opens nothing any more.")
    return see_other(back)
