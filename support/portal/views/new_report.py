"""Reporting compromised cards: one form, sent from a telephone at the counter as well as from an office."""

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from support.actions.reports import Opened, ReportError, open_report
from support.attachments import attach
from support.files_field import SentFile
from support.models import Message, ReportChannel, Ticket
from support.pages import see_other
from support.portal.access import PortalRequest, page, portal_page
from support.portal.report_form import ReportForm, zone_of
from support.references import read_serial
from support.told_form import new_key

MASKED = "What looked like a code, or a payment card’s number, was taken out before it was kept. Never send us codes."


@sensitive_post_parameters()
@sensitive_variables("form")
@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def new_report(request: PortalRequest) -> HttpResponse:
    """The address may name a card by its serial number. Sent twice, the form makes one report."""
    with request.portal.inside():
        zone = zone_of(request.portal)
    if request.method != "POST":
        serial = read_serial(request.GET.get("card", ""))
        known = {"send_key": new_key(), "zone": zone, "cards": serial or ""}
        return _page(request, ReportForm(portal=request.portal, zone=zone, initial=known))
    form = ReportForm(request.POST, request.FILES, portal=request.portal, zone=zone)
    if not form.is_valid():
        form.again()
        return _page(request, form, status=422)
    data = form.cleaned_data
    try:
        opened = open_report(
            retailer=form.chosen_retailer,
            lines=form.lines,
            told=form.told,
            by=request.user,
            channel=ReportChannel.PORTAL,
            send_key=data["send_key"],
        )
    except ReportError as refused:
        form.add_error(None, str(refused))
        form.again()
        return _page(request, form, status=409)
    _attach(request, opened, data["attachments"])
    if opened.is_masked:
        messages.warning(request, MASKED)
    return see_other(reverse("portal_report", args=[opened.report.reference]))


def _attach(request: PortalRequest, opened: Opened, sent: list[SentFile]) -> None:
    first = Message.objects.filter(ticket=opened.report.ticket_id).order_by("pk").first()
    attach_files(request, opened.report.ticket, first, sent)


def attach_files(request: PortalRequest, ticket: Ticket, message: Message | None, sent: list[SentFile]) -> None:
    """After the message's commit. What is refused is said, and takes nothing else with it."""
    files, kinds = [one.file for one in sent], [one.kind for one in sent]
    for row in attach(ticket=ticket, message=message, files=files, kinds=kinds, by=request.user):
        if row.refusal:
            messages.warning(request, f"{row.name}: {row.refusal}")


def _page(request: PortalRequest, form: ReportForm, *, status: int = 200) -> HttpResponse:
    return page(request, "portal/new_report.html", {"form": form}, title="Report cards", status=status)
