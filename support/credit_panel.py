"""The credits of an account, a card or a ticket, as their pages show them: those there are, and the way to more."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from redemption.models import ApprovalRequest
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.models import ManualCredit
from support.pages import part


def credit_panel(
    request: StaffRequest,
    credits: QuerySet[ManualCredit],
    *,
    waiting: Iterable[ApprovalRequest | None],
    query: dict[str, str],
    moves_card: int | None = None,
) -> dict[str, Any]:
    """The context of support/_credits_panel.html. `query` says what a new credit would be for; `moves_card`: the serial
    number of a card whose value can be asked to go elsewhere."""
    return {
        "credits": part(request, "credits", credits),
        "credit_requests": [asked for asked in waiting if asked],
        "credit_query": urlencode(query),
        "grants_credits": request.user.may(Permission.GRANT_CREDITS),
        "moves_card": moves_card,
    }
