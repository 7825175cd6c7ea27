"""One report: what was found, what came of it, what was written, and writing more."""

import tempfile
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from support.actions.messages import add_customer_message
from support.exports.files import Column, Kind, writer
from support.models import Answer, CompromiseReport, ExportFormat, Outcome, Stage, Ticket
from support.pages import older_than, see_other
from support.portal.access import PortalRequest, page, portal_page
from support.portal.shown_report import (
    PER_PAGE,
    counts_of,
    every_row,
    is_under_way,
    letters_of,
    report_of,
    rows_of,
    steps,
)
from support.portal.views.new_report import MASKED, attach_files
from support.told_back import GuessError, told_back
from support.views.attachments import HEADERS
from support.write_form import WriteForm

_COLUMNS = [
    Column("Line", Kind.NUMBER),
    Column("Serial number", Kind.NUMBER),
    Column("Found", width=26),
    Column("Why not read", width=40),
    Column("Redeemed at (UTC)", Kind.MOMENT),
    Column("Outcome", width=30),
    Column("Decided at (UTC)", Kind.MOMENT),
]


@require_safe
@portal_page
def report(request: PortalRequest, reference: str) -> HttpResponse:
    found = report_of(request.portal, reference)
    if "progress" in request.GET:
        return page(request, "portal/_report_progress.html", _progress(found), title="")
    return show(request, found)


@require_safe
@portal_page
def report_cards(request: PortalRequest, reference: str) -> HttpResponse:
    """Every line as CSV. Written within the wall before anything is sent: what is sent later would be read outside."""
    found = report_of(request.portal, reference)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        rows = writer(ExportFormat.CSV, path, _COLUMNS, title=found.reference)
        for row in every_row(found):
            rows.add(
                [row.line, row.serial, row.answer.word, row.said, row.redeemed_at,
                 row.outcome.word if row.outcome else "", row.decided_at]
            )  # fmt: skip
        rows.close()
        contents = path.read_bytes()
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{found.reference}.csv"'}
    return HttpResponse(contents, content_type="text/csv; charset=utf-8", headers=headers)


@sensitive_post_parameters()
@sensitive_variables("form", "body", "told")
@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def write(request: PortalRequest, reference: str) -> HttpResponse:
    """Sent twice, a message is written once."""
    with request.portal.inside():
        found = report_of(request.portal, reference)
    place = reverse("portal_report", args=[found.reference])
    if request.method != "POST":
        return see_other(place)
    form = WriteForm(request.POST, request.FILES)
    is_whole = form.is_valid()
    try:
        body = request.POST.get("body", "")
        told = told_back({"body": body[: form.LONGEST]}, retailer=found.retailer, now=timezone.now())
    except GuessError as refused:
        form.again("", str(refused))
        return _written_wrongly(request, found, form, status=409)
    if not is_whole:
        form.again(told.texts["body"], "Codes were taken out. Never send us codes." if told.is_masked else "")
        return _written_wrongly(request, found, form, status=422)
    message = add_customer_message(
        ticket=Ticket.objects.get(pk=found.ticket_id),
        body=told.texts["body"],
        author=request.user,
        author_name=str(request.user),
        send_key=form.cleaned_data["send_key"],
    )
    attach_files(request, message.ticket, message, form.cleaned_data["attachments"])
    if told.is_masked:
        messages.warning(request, MASKED)
    messages.success(request, "Your message is sent.")
    return see_other(f"{place}#messages")


def _written_wrongly(request: PortalRequest, found: CompromiseReport, form: WriteForm, *, status: int) -> HttpResponse:
    with request.portal.inside():
        return show(request, found, form=form, status=status)


def show(
    request: PortalRequest, found: CompromiseReport, *, form: WriteForm | None = None, status: int = 200
) -> HttpResponse:
    """Needs the wall around it."""
    counts = counts_of(found)
    only = request.GET.get("only", "")
    if only not in {"", *Answer.values, *Outcome.values}:
        raise Http404
    count = counts.of(only) if only else counts.total
    number, last = _page_number(request), max(1, -(-count // PER_PAGE))
    if number > last:
        raise Http404
    letters, older = letters_of(found, before=older_than(request))
    context: dict[str, Any] = {
        "report": found,
        "counts": counts,
        "steps": steps(found, counts),
        "is_asked": found.stage == Stage.NEEDS_INFORMATION,
        "only": only,
        "rows": rows_of(found, only=only, page=number),
        "page": number,
        "last_page": last,
        "shown_count": count,
        "letters": letters,
        "older_letters": older,
        "form": form or WriteForm.fresh(),
        **_progress(found),
    }
    return page(request, "portal/report.html", context, title=f"Report {found.reference}", status=status)


def _progress(found: CompromiseReport) -> dict[str, Any]:
    return {"report": found, "is_under_way": is_under_way(found)}


def _page_number(request: PortalRequest) -> int:
    text = request.GET.get("page", "1")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        raise Http404
    return int(text)
