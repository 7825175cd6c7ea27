"""Keys of programs' platforms: administrators make, rotate and revoke them."""

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from redemption.api.keys import is_live, live
from redemption.models import PLATFORM_SCOPES, ApiKey, ApiScope, Program
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.actions import keys
from support.actions.keys import ApiKeyError, NewKey
from support.key_forms import RevocationForm, RotationForm, key_page
from support.models import AuditAction
from support.pages import page, part
from support.permissions import requires


class KeyForm(forms.Form):
    program = forms.ModelChoiceField(
        Program.objects.order_by("name", "pk"), label="Whose platform", widget=UnfoldAdminSelectWidget
    )
    name = forms.CharField(
        max_length=60,
        label="Where it is used",
        help_text="Such as “app servers, Dublin”.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope.value, scope.label) for scope in PLATFORM_SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Choose what the key may do."},
    )


class PlatformRotationForm(RotationForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["keep_days"].widget = UnfoldAdminIntegerFieldWidget()
        self.fields["keep_days"].help_text = "As long as the platform needs to get the new one. 0: it stops at once."


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.MANAGE_INTERFACES)
def platform_keys(request: StaffRequest) -> HttpResponse:
    """The keys that work, those that do no more, and a form for the next."""
    if request.method != "POST":
        return _list(request, KeyForm())
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    scopes = [ApiScope(scope) for scope in form.cleaned_data["scopes"]]
    try:
        made = keys.make_platform_key(
            program=form.cleaned_data["program"], name=form.cleaned_data["name"], scopes=scopes, by=request.user
        )
    except ApiKeyError as refused:
        form.add_error(None, str(refused))
        return _list(request, form, status=409)
    return _shown_once(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.MANAGE_INTERFACES)
def platform_key(request: StaffRequest, pk: int) -> HttpResponse:
    """One key: the next one in its place, or no more."""
    found = get_object_or_404(_rows(), pk=pk)
    return key_page(
        request,
        found,
        rotates_by=PlatformRotationForm,
        show=_key,
        shown_once=_shown_once,
        back=reverse("platform_keys"),
    )


def _rows() -> "QuerySet[ApiKey]":
    return ApiKey.objects.exclude(program=None).select_related("program", "created_by")


def _scopes(key: ApiKey) -> list[str]:
    return [ApiScope(scope).label for scope in key.scopes]


@transaction.atomic
def _list(request: StaffRequest, form: KeyForm, *, status: int = 200) -> HttpResponse:
    now = timezone.now()
    # Of each program their number is limited.
    working = list(_rows().filter(live(now)).order_by("program__name", "-pk"))
    over = part(request, "over", _rows().exclude(live(now)).order_by("-pk"))
    seen = [f"api_key:{key.pk}" for key in (*working, *over.rows)]
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:platform_keys", also=seen)
    context = {
        "form": form,
        "live": [(key, _scopes(key)) for key in working],
        "over": over,
        "description": request.build_absolute_uri(reverse("platform:openapi-json")),
    }
    return page(request, "support/platform_keys.html", context, title="Platforms’ keys", status=status)


@transaction.atomic
def _key(
    request: StaffRequest, found: ApiKey, rotation: RotationForm, revocation: RevocationForm, *, status: int = 200
) -> HttpResponse:
    audit.record(AuditAction.RECORD_OPENED, by=request.user, target=f"api_key:{found.pk}")
    context = {
        "key": found,
        "scopes": _scopes(found),
        "is_live": is_live(found, timezone.now()),
        "replacement": ApiKey.objects.filter(replaces=found).first(),
        "rotation": rotation,
        "revocation": revocation,
    }
    return page(request, "support/platform_key.html", context, title=found.name, status=status)


@sensitive_variables("made", "context")
def _shown_once(request: StaffRequest, made: NewKey) -> HttpResponse:
    """The answer to the post itself: at no address could it be seen again."""
    context = {"key": made.key, "token": made.token.text, "scopes": _scopes(made.key), "old": made.key.replaces}
    return page(request, "support/new_platform_key.html", context, title="The new key", status=201)
