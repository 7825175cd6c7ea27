"""What every admin page of ours has in common: permissions from roles, history kept, nothing deleted."""

from functools import cached_property
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, StackedInline
from unfold.views import ChangeList

from redemption.admin.fields import AutocompleteWidget
from redemption.admin.telling import Told
from redemption.requests import StaffRequest
from redemption.roles import Permission

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to ten thousand and no further: the time of a page must not grow with the table.

    Whoever wants what lies beyond narrows the list down.
    """

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not hasattr(rows, "order_by"):
            return len(rows)
        return int(rows.order_by()[:MOST_COUNTED].count())


class RolePermissions:
    """Answers Django's questions with `User.may`. No `change_permission`: nobody changes it here."""

    view_permission: ClassVar[Permission]
    change_permission: ClassVar[Permission | None] = None

    def has_module_permission(self, request: StaffRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        # The sign-in pages ask this of nobody in particular.
        return request.user.is_authenticated and request.user.may(self.view_permission)

    def has_add_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    def has_change_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return self.change_permission is not None and request.user.may(self.change_permission)

    def has_delete_permission(self, request: StaffRequest, obj: Any = None) -> bool:
        return False


class DeskChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """Without a filter, what was found is everything: the heading then offers no “show all”."""
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class DeskModelAdmin(RolePermissions, Told, ModelAdmin):
    paginator = CappedPaginator
    show_full_result_count = False
    # Nor does anybody need how many rows each filter would leave.
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 50
    list_fullwidth = True
    list_filter_submit = True
    warn_unsaved_form = True
    compressed_fields = False
    actions = None

    def formfield_for_foreignkey(self, db_field: Any, request: StaffRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = AutocompleteWidget(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changelist(self, request: StaffRequest, **kwargs: Any) -> type[DeskChangeList]:
        return DeskChangeList

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        """What a row's page shows besides its form."""
        return {}

    def changeform_view(
        self,
        request: StaffRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), **self.page_context(request, object_id)}
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except IntegrityError:
            # What the form found in order, the database refused: somebody else was faster.
            messages.error(request, "Somebody changed this at the same moment. Nothing of yours was saved: look again.")
            return redirect(request.get_full_path())

    def _get_obj_does_not_exist_redirect(self, request: StaffRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404


class WithoutHistory:
    """For nouns whose every change is an audit event: no second trail, which nobody seals, names what it was about."""

    def log_addition(self, request: StaffRequest, obj: Any, message: Any) -> None:
        """The audit event stands for it."""

    def log_change(self, request: StaffRequest, obj: Any, message: Any) -> None:
        """The audit event stands for it."""

    def history_view(self, request: StaffRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise Http404

    def changeform_view(
        self,
        request: StaffRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        hidden = {**(extra_context or {}), "show_history": False}
        return super().changeform_view(request, object_id, form_url, hidden)  # type: ignore[misc]


class DeskInline(RolePermissions, StackedInline):
    extra = 0


def badge(text: str, colour: str = "") -> SafeString:
    """A label whose text says everything; its colour only helps to find it again."""
    return format_html('<span class="desk-badge desk-badge-{}">{}</span>', colour or "plain", text)
