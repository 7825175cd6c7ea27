"""A report of compromised cards, written down by an agent while somebody tells it."""

from datetime import UTC, tzinfo
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import Code
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.actions.desk_reports import report_from_desk
from support.actions.reports import ReportError
from support.actions.tickets import TicketError
from support.desk_report_form import DeskReportForm
from support.models import CompromiseReport
from support.pages import page, see_other
from support.permissions import requires
from support.references import read_reference, read_serial
from support.report_summary import summary
from support.reported_lines import LinesError, typed_lines
from support.told_form import new_key


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.FREEZE)
@requires(Permission.VIEW_COMPROMISED)
def new_compromised(request: StaffRequest) -> HttpResponse:
    """The address may name a card by its serial number, or a range by its first and last, and the ticket in which it
    came up."""
    if request.method != "POST":
        serial, last = (read_serial(request.GET.get(name, "")) for name in ("serial", "last"))
        known: dict[str, Any] = {
            "cards": f"{serial}–{last}" if serial and last and last > serial else serial or "",
            "ticket": read_reference(request.GET.get("ticket", "")) or "",
            "send_key": new_key(),
        }
        return _page(request, DeskReportForm(user=request.user, clock=_zone(serial), initial=known))
    form = DeskReportForm(request.POST, user=request.user, clock=_zone(_first(request.POST.get("cards", ""))))
    if not form.is_valid():
        form.again()
        return _page(request, form, status=422)
    data = form.cleaned_data
    try:
        opened = report_from_desk(
            lines=data["cards"],
            told=form.told,
            by=request.user,
            send_key=data["send_key"],
            from_ticket=data["ticket"],
        )
    except (ReportError, TicketError) as refused:
        form.add_error(None, str(refused))
        form.again()
        return _page(request, form, status=409)
    if opened.is_masked:
        messages.warning(request, "What looked like a code was taken out before it was kept.")
    messages.success(request, _done(opened.report))
    return see_other(reverse("compromise", args=[opened.report.reference]))


def _done(report: CompromiseReport) -> str:
    if report.frozen_at is None:
        return f"{report.total:,} cards are being looked up and frozen."
    found = ", ".join(f"{answer.label.lower()}: {count:,}" for answer, count in summary(report).answers)
    return f"Reported for {report.retailer}. Cards {found}."


@sensitive_variables("typed")
def _first(typed: str) -> int | None:
    try:
        return next((line.serial for line in typed_lines(typed) if line.serial), None)
    except LinesError:
        return None


def _zone(serial: int | None) -> tzinfo:
    """As the card's program counts its days."""
    card = Code.objects.select_related("batch__product__program").filter(pk=serial).first() if serial else None
    return card.batch.product.program.zone if card else UTC


def _page(request: StaffRequest, form: DeskReportForm, *, status: int = 200) -> HttpResponse:
    return page(request, "support/new_compromised.html", {"form": form}, title="Report cards", status=status)
