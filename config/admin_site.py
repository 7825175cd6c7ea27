"""The admin's site: signs in through allauth, and tells nobody what he may not see."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from urllib.parse import urlencode

from allauth.account.views import logout
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from unfold.sites import UnfoldAdminSite


class Autocomplete(AutocompleteJsonView):
    """Serves the fields that a page asks it for, and no other: it would list what the lists themselves audit."""

    def process_request(self, request: HttpRequest) -> Any:
        term, model_admin, source_field, to_field_name = super().process_request(request)
        assert self.admin_site
        asking = self.admin_site._registry.get(source_field.model)
        if not asking or source_field.name not in asking.get_autocomplete_fields(request):
            raise PermissionDenied
        return term, model_admin, source_field, to_field_name


class DeskSite(UnfoldAdminSite):
    index_title = "What you may open"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Without the colours, which the shell would write into the page as a style element: a stylesheet has them."""
        context: dict[str, Any] = super().each_context(request)
        return {**context, "colors": {}}

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., HttpResponseBase]:
        """Customers, and staff without the permission, get the answer for pages that do not exist."""
        inner = super().admin_view(view, cacheable)

        def silent(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and not self.has_permission(request):
                raise Http404
            try:
                response: HttpResponseBase = inner(request, *args, **kwargs)
            except PermissionDenied as error:
                raise Http404 from error
            return response

        return update_wrapper(silent, inner)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponseBase:
        return Autocomplete.as_view(admin_site=self)(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.GET.get('next', '/')})}")

    login.login_required = False  # type: ignore[attr-defined]

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        response: HttpResponseBase = logout(request)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_change_password")

    def search(self, request: HttpRequest) -> HttpResponse:
        """The theme's search types into an address, where no code may stand. Its box is left out of the pages."""
        raise Http404
