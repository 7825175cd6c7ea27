"""The seals over the trail and the ledger: how far they are, where they went, and how anybody verifies them."""

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction, Seal, SealedKind, SealMark
from support.pages import older_than, page
from support.permissions import requires
from support.sealing import raise_alarm, standing
from support.signing import key_id, public_key
from support.verifying import counted

PER_PAGE = 50


@require_safe
@requires(Permission.VIEW_AUDIT)
@transaction.atomic
def seals(request: StaffRequest) -> HttpResponse:
    before = older_than(request)
    now = standing()
    raise_alarm(now)
    listed = Seal.objects.order_by("-number")
    if before is not None:
        listed = listed.filter(number__lt=before)
    # One more than is shown says whether there are older ones, without counting.
    found = list(listed[: PER_PAGE + 1])
    rows = found[:PER_PAGE]
    audit.record(AuditAction.REPORT_OPENED, by=request.user, target="report:seals")
    mark = SealMark.objects.filter(pk=1).first()
    key = public_key()
    context = {
        "standing": now,
        "rows": [(seal, _contents(seal)) for seal in rows],
        "older": rows[-1].number if len(found) > PER_PAGE else None,
        "is_first_page": before is None,
        "mailed": mark.mailed if mark else 0,
        "auditor": settings.AUDITOR_EMAIL,
        "key": key.hex(),
        "key_id": key_id(key).hex(),
    }
    return page(request, "support/seals.html", context, title="Seals")


def _contents(seal: Seal) -> str:
    """“3 audit events, 1 transfer”; of a seal that was tampered with, what can be read."""
    counts = seal.counts if isinstance(seal.counts, dict) else {}
    said = {kind: counts.get(str(kind.value)) for kind in SealedKind}
    return ", ".join(counted(kind, count) for kind, count in said.items() if isinstance(count, int) and count)
