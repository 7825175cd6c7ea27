"""The retailers' reports, the newest first."""

from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.code_spotting import CodeSpotter
from support.models import CompromiseReport, CompromiseReportQuerySet, Stage
from support.pages import older_than, see_other
from support.portal.access import PortalRequest, page, portal_page
from support.portal.shown_report import reports
from support.references import read_reference, read_serial
from support.stages import STAGES

PER_PAGE = 25


@sensitive_post_parameters()
@sensitive_variables("typed")
@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def report_list(request: PortalRequest) -> HttpResponse:
    """Posted, a search leads to its address: what may be a code never stands in one."""
    if request.method == "POST":
        typed = request.POST.get("q", "").strip()
        wanted = _wanted(typed)
        if typed and not wanted:
            why = _why(typed)
            with request.portal.inside():
                return _list(request, {}, error=why, status=422)
        given = {name: request.POST.get(name, "") for name in ("stage", "retailer")}
        return see_other(
            f"{request.path}?{urlencode({name: value for name, value in given.items() if value} | wanted)}"
        )
    return _list(request, {name: request.GET.get(name, "") for name in ("stage", "retailer", "card", "report")})


@sensitive_variables()
def _wanted(typed: str) -> dict[str, str]:
    """A reference, or a card's serial number, as it stands in an address."""
    if reference := read_reference(typed):
        return {"report": reference}
    serial = read_serial(typed)
    return {"card": str(serial)} if serial else {}


@sensitive_variables()
def _why(typed: str) -> str:
    if CodeSpotter().holds_code([typed]):
        return "That looks like a code: it was not looked up. Never type codes here, nor send them to us."
    return "Type a serial number, which has ten digits, or a report’s reference, such as RP-1234-5678-9ABC."


def _list(request: PortalRequest, given: dict[str, str], *, error: str = "", status: int = 200) -> HttpResponse:
    """Needs the wall around it."""
    chosen = {name: value for name, value in given.items() if value}
    rows = _narrowed(request, chosen)
    before = older_than(request)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    # One more than is shown says whether there are older ones, without counting.
    found = list(rows[: PER_PAGE + 1])
    context = {
        "rows": [(report, STAGES[report.stage]) for report in found[:PER_PAGE]],
        "older": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        "is_first_page": before is None,
        "stages": Stage.choices,
        "chosen": chosen,
        "query": urlencode(chosen),
        "typed": chosen.get("card") or chosen.get("report") or "",
        "error": error,
    }
    return page(request, "portal/reports.html", context, title="Reports", status=status)


def _narrowed(request: PortalRequest, chosen: dict[str, str]) -> CompromiseReportQuerySet:
    """404 for what can be no filter, and for a stranger's retailer as for none."""
    rows = reports(request.portal).order_by("-pk")
    if stage := chosen.get("stage"):
        if stage not in Stage.values:
            raise Http404
        rows = rows.in_stage(Stage(stage))
    if slug := chosen.get("retailer"):
        rows = rows.filter(retailer=request.portal.retailer(slug).pk)
    if reference := chosen.get("report"):
        rows = rows.filter(reference=read_reference(reference))
    if typed := chosen.get("card"):
        serial = read_serial(typed)
        if not serial:
            raise Http404
        rows = rows.filter(pk__in=CompromiseReport.objects.filter(cards__serial=serial).values("pk"))
    return rows
