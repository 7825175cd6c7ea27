"""Reports of compromised cards: what waits to be judged, and what was answered."""

from dataclasses import dataclass

from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from redemption.models import Retailer
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.addresses import UnknownFilterError
from support.models import AuditAction, CompromiseKind, CompromiseReport, Stage
from support.pages import older_than, page
from support.permissions import requires
from support.queue import span_in_words
from support.report_list import OPEN, PAGE, Query, found_in
from support.stages import STAGES, StageMeta

_MOST_CHOICES = 500


@dataclass(frozen=True, slots=True)
class Row:
    report: CompromiseReport
    stage: StageMeta
    frozen: int
    too_late: int
    waits: str


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    address: str
    is_open: bool
    count: int | None = None


@require_safe
@requires(Permission.VIEW_COMPROMISED)
@transaction.atomic
def compromised(request: StaffRequest) -> HttpResponse:
    query, now = _query(request), timezone.now()
    found = query.page(after=_after(request))
    shown = found[:PAGE]
    counts = found_in(shown)
    audit.record(
        AuditAction.REPORTS_LISTED,
        by=request.user,
        stage=query.stage,
        also=[f"report:{report.pk}" for report in shown],
    )
    context = {
        "query": query,
        "tabs": _tabs(query),
        "rows": [
            Row(report, STAGES[report.stage], *counts.get(report.pk, (0, 0)), span_in_words(now - report.created_at))
            for report in shown
        ],
        "more": shown[-1].pk if len(found) > PAGE else None,
        "is_first_page": "after" not in request.GET,
        "selects": _selects(query),
        "reports_cards": request.user.may(Permission.FREEZE),
    }
    return page(request, "support/compromised.html", context, title="Compromised cards")


def _query(request: StaffRequest) -> Query:
    try:
        return Query.read(request.GET.dict())
    except UnknownFilterError:
        raise Http404 from None


def _after(request: StaffRequest) -> CompromiseReport | None:
    """Where the list goes on: it may have been answered since."""
    pk = older_than(request, "after")
    if pk is None:
        return None
    if found := CompromiseReport.objects.filter(pk=pk).first():
        return found
    raise Http404


def _tabs(query: Query) -> list[Tab]:
    counts = query.counts()

    def tab(stage: str, label: str) -> Tab:
        address = query.with_stage(stage).address
        return Tab(label, f"{reverse('compromised')}?{address}", query.stage == stage, counts.get(stage))

    return [tab(OPEN, "To be judged"), *(tab(stage.value, stage.label) for stage in Stage)]


def _selects(query: Query) -> list[tuple[str, str, list[tuple[str, str]], str]]:
    """(name, label, [(value, label)], what is chosen)"""
    retailers = Retailer.objects.order_by("name", "pk").values_list("pk", "name")[:_MOST_CHOICES]
    return [
        ("retailer", "Retailer", [(str(pk), name) for pk, name in retailers], query.retailer),
        ("kind", "Kind", list(CompromiseKind.choices), query.kind),
    ]
