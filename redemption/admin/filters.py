from datetime import date
from typing import Any

from django import forms
from django.db.models import DateTimeField, QuerySet
from unfold.contrib.filters.admin import RangeDateFilter

from redemption.requests import StaffRequest


class DayRangeFilter(RangeDateFilter):
    """From one day to another, read as the page writes them; the theme's own takes 5/11 for the eleventh of May."""

    def queryset(self, request: StaffRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        column = f"{self.field_path}__date" if isinstance(self.field, DateTimeField) else self.field_path
        for end, lookup in (("from", "gte"), ("to", "lte")):
            if day := self._day(end):
                queryset = queryset.filter(**{f"{column}__{lookup}": day})
        return queryset

    def _day(self, end: str) -> date | None:
        try:
            return forms.DateField(required=False).clean(self.used_parameters.get(f"{self.field_path}_{end}"))
        except forms.ValidationError:
            return None
