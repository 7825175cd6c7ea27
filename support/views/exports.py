"""Lists taken away as files: those that one asked for, one of them with its progress, and the file itself."""

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from redemption.models import JobStatus
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.addresses import LARGEST_ID
from support.exports import catalogue, making
from support.models import AuditAction, Export, ExportFormat
from support.pages import older_than, page, see_other
from support.permissions import requires

PER_PAGE = 25


@require_safe
@requires(Permission.EXPORT)
@transaction.atomic
def exports(request: StaffRequest) -> HttpResponse:
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:exports")
    return _list(request)


@require_POST
@requires(Permission.EXPORT)
def new_export(request: StaffRequest) -> HttpResponse:
    """From this page or from any list's own, whose filters come along as its address's query."""
    asked = {name: request.POST.get(name, "") for name in ("what", "query", "format")}
    try:
        export = making.ask(what=asked["what"], query=asked["query"], form=asked["format"], by=request.user)
    except making.ExportError as refused:
        return _list(request, asked=asked, error=str(refused), status=422)
    return see_other(reverse("export", args=[export.pk]))


@require_safe
@requires(Permission.EXPORT)
@transaction.atomic
def export(request: StaffRequest, pk: int) -> HttpResponse:
    """Its progress, fetched again and again by a part of the page, or by the whole page where scripts are off."""
    found = _mine(request, pk)
    is_under_way = found.status in {JobStatus.QUEUED, JobStatus.RUNNING}
    if request.headers.get("HX-Request") and not is_under_way:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {
        "export": found,
        "title_of_list": making.title_of(found),
        "is_under_way": is_under_way,
        "is_done": found.status == JobStatus.DONE,
        "kept_until": found.created_at + making.KEPT,
        "file_name": making.name_of(found),
    }
    if request.headers.get("HX-Request"):
        return page(request, "support/_export_progress.html", context, title="")
    audit.record(AuditAction.RECORD_OPENED, by=request.user, target=f"export:{found.pk}")
    return page(request, "support/export.html", context, title=f"Export: {making.title_of(found)}")


@require_POST
@requires(Permission.EXPORT)
def export_file(request: StaffRequest, pk: int) -> HttpResponseBase:
    """Posted, not linked to: that it was fetched is recorded, and nothing fetches it ahead of time."""
    found = _mine(request, pk)
    try:
        file = making.fetch(found, by=request.user)
    except making.ExportError as refused:
        messages.error(request, str(refused))
        return see_other(reverse("export", args=[found.pk]))
    kind = (
        "text/csv; charset=utf-8"
        if found.format == ExportFormat.CSV
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    return FileResponse(
        file,
        as_attachment=True,
        filename=making.name_of(found),
        content_type=kind,
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-store",
        },
    )


def _mine(request: StaffRequest, pk: int) -> Export:
    if pk > LARGEST_ID:
        raise Http404
    return get_object_or_404(Export.objects.select_related("by"), pk=pk, by=request.user)


def _list(
    request: StaffRequest, *, asked: dict[str, str] | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    mine = Export.objects.filter(by=request.user).order_by("-pk")
    before = older_than(request)
    if before is not None:
        mine = mine.filter(pk__lt=before)
    # One more than is shown says whether there are older ones, without counting.
    found = list(mine[: PER_PAGE + 1])
    context = {
        "rows": [(export, making.title_of(export)) for export in found[:PER_PAGE]],
        "older": found[PER_PAGE - 1].pk if len(found) > PER_PAGE else None,
        "is_first_page": before is None,
        "lists": catalogue.open_to(request.user),
        "formats": ExportFormat.choices,
        "asked": asked or {},
        "error": error,
    }
    return page(request, "support/exports.html", context, title="Exports", status=status)
