"""Keys of a retailer's own systems: its managers make, rotate and revoke them."""

from typing import Any

from django import forms
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from redemption.api.keys import is_live, live
from redemption.models import TILL_SCOPES, ApiKey, ApiScope, Retailer, User
from support.actions import keys
from support.actions.keys import ApiKeyError, NewKey
from support.key_forms import RevocationForm, RotationForm, key_page
from support.portal.access import PortalRequest, page, portal_page

_COLUMNS = ("retailer__name", "retailer__slug", "name", "prefix", "scopes", "created_at",
            "expires_at", "revoked_at", "last_used_at")  # fmt: skip
# Of those that work no more, the newest.
_OVER = 20


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=60,
        label="Where it is used",
        help_text="Such as “tills, Malmö”.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope.value, scope.label) for scope in TILL_SCOPES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what the key may do."},
    )


@require_safe
@portal_page
def key_list(request: PortalRequest) -> HttpResponse:
    return _list(request, request.portal.chosen_managed(request.GET.get("retailer")), KeyForm())


@require_POST
@portal_page
def new_key(request: PortalRequest) -> HttpResponse:
    retailer, form = request.portal.chosen_managed(request.POST.get("retailer")), KeyForm(request.POST)
    if not form.is_valid():
        return _list(request, retailer, form, status=422)
    scopes = [ApiScope(scope) for scope in form.cleaned_data["scopes"]]
    try:
        made = keys.make_key(retailer=retailer, name=form.cleaned_data["name"], scopes=scopes, by=request.user)
    except ApiKeyError as refused:
        form.add_error(None, str(refused))
        return _list(request, retailer, form, status=409)
    return _shown_once(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def key(request: PortalRequest, pk: int) -> HttpResponse:
    """One key: the next one in its place, or no more."""
    with request.portal.inside():
        found = get_object_or_404(_rows(ApiKey.objects.filter(retailer__in=request.portal.managed)), pk=pk)
    return key_page(request, found, show=_key, shown_once=_shown_once, back=_address(found.shop))


def _address(retailer: Retailer) -> str:
    return reverse("portal_keys", query={"retailer": retailer.slug})


def _rows(of: "QuerySet[ApiKey]") -> "QuerySet[ApiKey]":
    """With the columns that the portal may read, and who made each: whoever has left is not to be read any more."""
    maker = User.objects.filter(pk=OuterRef("created_by_id"))
    names = {"maker_name": Subquery(maker.values("name")), "maker_email": Subquery(maker.values("email"))}
    return of.select_related("retailer").annotate(**names).only(*_COLUMNS)


def _scopes(scopes: list[str]) -> list[str]:
    return [ApiScope(scope).label for scope in scopes]


def _list(request: PortalRequest, retailer: Retailer, form: KeyForm, *, status: int = 200) -> HttpResponse:
    now = timezone.now()
    with request.portal.inside():
        of = _rows(ApiKey.objects.filter(retailer=retailer)).order_by("-pk")
        context: dict[str, Any] = {
            "retailer": retailer,
            "form": form,
            # Their number is limited.
            "live": [(one, _scopes(one.scopes)) for one in of.filter(live(now))],
            "over": list(of.exclude(live(now))[:_OVER]),
            "description": request.build_absolute_uri(reverse("till:openapi-json")),
        }
        return page(request, "portal/keys.html", context, title="Keys", status=status)


def _key(
    request: PortalRequest, found: ApiKey, rotation: RotationForm, revocation: RevocationForm, *, status: int = 200
) -> HttpResponse:
    with request.portal.inside():
        context = {
            "key": found,
            "scopes": _scopes(found.scopes),
            "is_live": is_live(found, timezone.now()),
            "replacement": _rows(ApiKey.objects.filter(replaces=found)).first(),
            "rotation": rotation,
            "revocation": revocation,
            "back": _address(found.shop),
        }
        return page(request, "portal/key.html", context, title=found.name, status=status)


def _shown_once(request: PortalRequest, made: NewKey) -> HttpResponse:
    """The answer to the post itself: at no address could it be seen again."""
    context = {
        "key": made.key,
        "token": made.token.text,
        "scopes": _scopes(made.key.scopes),
        "old": made.key.replaces,
        "back": _address(made.key.shop),
    }
    return page(request, "portal/new_key.html", context, title="The new key", status=201)
