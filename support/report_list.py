"""Reports of compromised cards in a list: what waits to be judged, the longest waiting on top, and above it where the
customer is present; what is answered, the newest first."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlencode

from django.db.models import Count, Q

from support.addresses import UnknownFilterError, is_id
from support.models import (
    TOO_LATE,
    Answer,
    CompromiseKind,
    CompromiseReport,
    CompromiseReportQuerySet,
    ReportedCard,
    Stage,
)

PAGE = 50
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Query:
    """What an address asks for. `stage` is one of Stage, or OPEN; of the others, "" is no such filter."""

    stage: str = OPEN
    kind: str = ""
    retailer: str = ""

    @classmethod
    def read(cls, address: Mapping[str, str]) -> "Query":
        """Raises UnknownFilterError."""
        given = {field.name: address.get(field.name, "").strip() for field in fields(cls)}
        query = cls(**{name: value for name, value in given.items() if value})
        known = (
            query.stage in {OPEN, *Stage.values}
            and query.kind in {"", *CompromiseKind.values}
            and (not query.retailer or is_id(query.retailer))
        )
        if not known:
            raise UnknownFilterError
        return query

    @property
    def is_open(self) -> bool:
        return self.stage != Stage.ANSWERED

    @property
    def narrows(self) -> bool:
        return bool(self.kind or self.retailer)

    @property
    def address(self) -> str:
        given = {"stage": "" if self.stage == OPEN else self.stage, "kind": self.kind, "retailer": self.retailer}
        return urlencode({name: value for name, value in given.items() if value})

    def with_stage(self, stage: str) -> "Query":
        return Query(stage, self.kind, self.retailer)

    def _narrowed(self) -> CompromiseReportQuerySet:
        exact = {"kind": self.kind, "retailer": self.retailer}
        return CompromiseReport.objects.filter(**{name: value for name, value in exact.items() if value})

    def page(self, *, after: CompromiseReport | None = None) -> list[CompromiseReport]:
        """The reports of a page, with all that a row names, and one more where there are more."""
        reports = self._narrowed().select_related("retailer", "ticket__assignee", "by", "api_key")
        if not self.is_open:
            reports = reports.in_stage(Stage.ANSWERED)
            return list((reports.filter(pk__lt=after.pk) if after else reports).order_by("-pk")[: PAGE + 1])
        reports = reports.filter(answered_at=None)
        if self.stage != OPEN:
            reports = reports.in_stage(Stage(self.stage))
        if after:
            later = Q(customer_present=after.customer_present, pk__gt=after.pk)
            reports = reports.filter(later | Q(customer_present=False) if after.customer_present else later)
        return list(reports.order_by("-customer_present", "pk")[: PAGE + 1])

    def counts(self) -> dict[str, int]:
        """Of what waits, by stage and together: one query, on the index of what waits."""
        waiting = self._narrowed().filter(answered_at=None).count_by_stage()
        by_stage = {stage.value: count for stage, count in waiting.items() if stage != Stage.ANSWERED}
        return {**by_stage, OPEN: sum(by_stage.values())}


def found_in(reports: list[CompromiseReport]) -> dict[int, tuple[int, int]]:
    """{report: (frozen, too late)}, as it was found when they came in."""
    counts = (
        ReportedCard.objects.filter(report__in=reports)
        .order_by()
        .values_list("report")
        .annotate(
            frozen=Count("pk", filter=Q(answer=Answer.FROZEN)), too_late=Count("pk", filter=Q(answer__in=TOO_LATE))
        )
    )
    return {report: (frozen, too_late) for report, frozen, too_late in counts}


def how_many_wait(most: int) -> int:
    """`most` and one more at most."""
    return CompromiseReport.objects.filter(answered_at=None).order_by()[: most + 1].count()
