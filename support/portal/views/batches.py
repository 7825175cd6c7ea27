"""The retailer's batches and how they stand. Nothing on these pages is about a customer."""

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from support.pages import older_than
from support.portal import batches as stock
from support.portal.access import PortalRequest, page, portal_page

_PAGE = 30


@require_safe
@portal_page
def batches(request: PortalRequest) -> HttpResponse:
    slug = request.GET.get("retailer")
    chosen = request.portal.retailer(slug) if slug else None
    retailers = [chosen] if chosen else request.portal.retailers
    before = older_than(request)
    rows = stock.rows(retailers, before=before, most=_PAGE + 1)
    context = {
        "rows": rows[:_PAGE],
        "chosen": chosen,
        "is_further": before is not None,
        "older": rows[_PAGE - 1].batch.pk if len(rows) > _PAGE else None,
    }
    return page(request, "portal/batches.html", context, title="Batches")


@require_safe
@portal_page
def batch(request: PortalRequest, reference: str) -> HttpResponse:
    row = stock.row(request.portal.retailers, reference)
    if row is None:
        raise Http404
    context = {
        "row": row,
        "is_expired": row.is_expired(timezone.now()),
        "frozen": stock.frozen_by_reports(row.batch),
    }
    return page(request, "portal/batch.html", context, title=f"Batch {row.batch}")
