"""The portal's first page: what waits for the retailer, what it reported last, and how its batches stand."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from support.models import CompromiseReport, Stage
from support.portal import batches
from support.portal.access import PortalRequest, page, portal_page
from support.portal.shown_report import reports
from support.stages import STAGES

_LATEST, _MOST_ASKED = 5, 20


@require_safe
@portal_page
def home(request: PortalRequest) -> HttpResponse:
    newest = reports(request.portal).order_by("-pk")
    # What somebody waits for, the longest waiting first.
    asked = reports(request.portal).in_stage(Stage.NEEDS_INFORMATION).order_by("pk")
    context = {
        "asked": _with_stage(asked[:_MOST_ASKED]),
        "latest": _with_stage(newest[:_LATEST]),
        "batches": batches.rows(request.portal.retailers, most=_LATEST),
    }
    return page(request, "portal/home.html", context, title="Compromised cards")


def _with_stage(rows: QuerySet[CompromiseReport]) -> list[Any]:
    return [(report, STAGES[report.stage]) for report in rows]
