"""The admin's lists, pages and changes, told to the audit trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables

from redemption import trail
from redemption.code_spotting import CodeSpotter
from redemption.requests import StaffRequest

# Of a text that was changed, before and after.
LONGEST = 120


class Told:
    """Every list and every page that was shown, and with `tells_changes` every change, is an event."""

    # Off where the class tells of its changes itself.
    tells_changes = True
    # What the trail calls a row, “batch:7”; empty: the model's name.
    target_kind = ""

    def changelist_view(self, request: StaffRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)  # type: ignore[misc]
        # Nothing of it is rendered yet: a list that cannot be recorded is not shown.
        shown = getattr(response, "context_data", None) or {}
        if changes := shown.get("cl"):
            self.tell_listed(request, list(changes.result_list), changes.query.strip())
        return response

    def changeform_view(
        self,
        request: StaffRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        response: HttpResponse = super().changeform_view(  # type: ignore[misc]
            request, object_id, form_url, extra_context
        )
        shown = getattr(response, "context_data", None) or {}
        if (row := shown.get("original")) and request.method == "GET":
            self.tell_opened(request, row)
        return response

    def history_view(self, request: StaffRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)  # type: ignore[misc]
        if row := (getattr(response, "context_data", None) or {}).get("object"):
            self.tell_opened(request, row)
        return response

    def save_related(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        if self.tells_changes:
            self.tell_changed(request, form, formsets, change)

    # --- What is told

    @sensitive_variables("searched")
    def tell_listed(self, request: StaffRequest, rows: list[Model], searched: str) -> None:
        trail.tell(
            "rows_listed",
            by=request.user,
            target=f"list:{self.opts.model_name}",  # type: ignore[attr-defined]
            also=[self._target(row) for row in rows],
            searched=1 if searched else None,
        )

    def _target(self, row: Model) -> str:
        return f"{self.target_kind}:{row.pk}" if self.target_kind else target_of(row)

    def tell_opened(self, request: StaffRequest, row: Model) -> None:
        trail.tell("record_opened", by=request.user, target=self._target(row))

    def tell_changed(self, request: StaffRequest, form: Any, formsets: Any, change: bool) -> None:
        beside = [str(formset.model._meta.verbose_name_plural) for formset in formsets if formset.has_changed()]
        fields = [*form.changed_data, *(f"{name.split(':')[0].replace(' ', '_')}" for name in beside)]
        if change and not fields:
            return
        values, texts = changes_of(form) if change else ({}, "")
        details = {"fields": " ".join(fields)} if change else {"did": "added"}
        trail.tell(
            "catalogue_changed",
            by=request.user,
            target=self._target(form.instance),
            personal=texts,
            **details,
            **({"changes": values} if values else {}),
        )


@contextmanager
def doing(request: StaffRequest, action: str, row: Model, **details: Any) -> Iterator[None]:
    """Around what a button does: one transaction with its event."""
    with transaction.atomic():
        yield
        trail.tell(action, by=request.user, target=target_of(row), **details)


def target_of(row: Model) -> str:
    return f"{row._meta.model_name}:{row.pk}"


@sensitive_variables()
def changes_of(form: Any) -> tuple[dict[str, list[Any]], str]:
    """What changed from what to what: ids, enum values, numbers and days by field; and texts, which may name somebody,
    in one line of their own. A text that holds a code is left out."""
    values: dict[str, list[Any]] = {}
    texts = []
    for name in form.changed_data:
        before, after = form.initial.get(name), form.cleaned_data.get(name)
        if _is_plain(form.fields[name], after):
            values[name] = [_plain(before), _plain(after)]
        elif isinstance(before, str | None) and isinstance(after, str | None):
            texts.append(f"{name.replace('_', ' ')}: “{(before or '')[:LONGEST]}” → “{(after or '')[:LONGEST]}”")
    spotter = CodeSpotter()
    return values, "; ".join(text for text in texts if not spotter.holds_code([text]))


def _is_plain(field: forms.Field, value: Any) -> bool:
    is_chosen = isinstance(field, forms.ChoiceField | forms.ModelChoiceField | forms.BooleanField)
    return is_chosen or (not isinstance(field, forms.EmailField) and isinstance(value, bool | int | date))


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int) else str(value)
