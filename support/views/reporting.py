"""What pages of figures have in common: their filters, read from the address, and what one may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404

from redemption.models import Program
from redemption.requests import StaffRequest
from support.reports.filters import ALL, DEFAULT_WEEKS, PERIODS, FilterError, Filters, UnknownFilterError


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of a page; its defaults, with the sentence about it, where something typed could not be read."""

    filters: Filters
    typed: Mapping[str, str]
    error: FilterError | None = None

    @property
    def status(self) -> int:
        return 422 if self.error else 200


def asked(request: StaffRequest) -> Asked:
    """404 for what no form of ours offers."""
    typed = {name: str(value) for name, value in request.GET.items()}
    try:
        return Asked(Filters.read(typed), typed)
    except UnknownFilterError:
        raise Http404 from None
    except FilterError as refused:
        return Asked(Filters(), typed, refused)


def choices(found: Asked, *, all_days: bool = False) -> dict[str, Any]:
    """Periods to choose, those that the address names marked; and the programs."""
    filters = found.filters
    chosen = (
        ""
        if filters.first or filters.until
        else filters.period or (ALL if filters.is_of_all_days else str(DEFAULT_WEEKS))
    )
    periods = PERIODS | ({ALL: "All days"} if all_days else {})
    return {
        "asked": found,
        "filters": filters,
        "typed": found.typed,
        "error": found.error,
        "periods": [
            (label, filters.but(period=key, first="", until="").address, key == chosen)
            for key, label in periods.items()
        ],
        "programs": [(str(pk), name) for pk, name in Program.objects.order_by("name", "pk").values_list("pk", "name")],
    }
