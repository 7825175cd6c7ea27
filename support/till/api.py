"""The till's interface: a card's sale and its taking back, reports of compromised cards, and how a card stands.

A key opens what its retailer owns and nothing else: a stranger's card or report is answered like one that is not there.
What a till does, the system does, with the retailer passed in and the key noted.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Query

from redemption.api.errors import ApiError, ErrorCode, answer, documented
from redemption.api.idempotency import PARAMETER, once
from redemption.api.interface import ApiHttpRequest, KeyWith, make_api
from redemption.cards import CardError, NoCardError, activate_cards
from redemption.deactivating import deactivate_card
from redemption.models import ApiKey, ApiScope, CodeStatus, User
from support.actions.reports import SMALL, ReportError, Told, open_report
from support.models import Problem, ReportChannel
from support.reported_lines import Line
from support.till import queries
from support.till.schemas import (
    CardIn,
    CardOut,
    PartIn,
    RangeIn,
    ReportIn,
    ReportMade,
    ReportOut,
    SaleOut,
    SerialInAddress,
)

_C = ErrorCode
_Done = TypeVar("_Done")
_POST: dict[str, Any] = {"parameters": [PARAMETER]}
_POST_ERRORS = (_C.KEY_MISSING, _C.KEY_REUSED, _C.UNSUPPORTED_MEDIA_TYPE, _C.REFUSED)

api = make_api(
    title="Redemption Desk: tills",
    version="1",
    namespace="till",
    description="For retailers’ own systems. Send a key as “Authorization: Bearer rd_…”, made by a manager of yours in "
    "the portal. Cards are named by their serial numbers: never send the code on a card.",
)


@api.post(
    "/activate",
    auth=KeyWith(ApiScope.ACTIVATE),
    response={200: SaleOut, **documented(*_POST_ERRORS, _C.UNKNOWN_CARD, _C.ALREADY_ACTIVE)},
    openapi_extra=_POST,
    operation_id="activate",
    summary="Tell that a card was sold",
)
def activate(request: ApiHttpRequest, card: CardIn) -> HttpResponse:
    """From then on its code can be redeemed. One that is active already was sold before: do not hand it out."""
    key, now = request.auth, timezone.now()

    def effect() -> tuple[int, dict[str, Any]]:
        touched = _by_till(partial(activate_cards, first=card.serial), key, now)
        if not touched.changed:
            raise _not_sold(touched.skipped)
        return 200, _sale(card.serial, CodeStatus.ACTIVE, True, now)

    return once(request, key, effect)


@api.post(
    "/deactivate",
    auth=KeyWith(ApiScope.DEACTIVATE),
    response={200: SaleOut, **documented(*_POST_ERRORS, _C.UNKNOWN_CARD)},
    openapi_extra=_POST,
    operation_id="deactivate",
    summary="Take a sale back",
)
def deactivate(request: ApiHttpRequest, card: CardIn) -> HttpResponse:
    """Soon after it, within the program’s time: the card may be sold again. One that is inactive already stays so."""
    key, now = request.auth, timezone.now()

    def effect() -> tuple[int, dict[str, Any]]:
        changed = _by_till(partial(deactivate_card, serial=card.serial), key, now)
        return 200, _sale(card.serial, CodeStatus.INACTIVE, changed, now)

    return once(request, key, effect)


@api.post(
    "/reports",
    auth=KeyWith(ApiScope.REPORT),
    response={201: ReportMade, **documented(*_POST_ERRORS, _C.TOO_MANY_CARDS)},
    openapi_extra=_POST,
    operation_id="report",
    summary="Report compromised cards",
)
def report(request: ApiHttpRequest, report: ReportIn) -> HttpResponse:
    """What is unspent is frozen before this answers; of each card it says what was found."""
    key, now = request.auth, timezone.now()
    lines = _lines(report.serials, report.ranges)
    told = Told(**report.model_dump(exclude={"serials", "ranges"}))

    def effect() -> tuple[int, dict[str, Any]]:
        try:
            opened = open_report(
                retailer=key.shop,
                lines=lines,
                told=told,
                by=User.objects.system(),
                channel=ReportChannel.TILL,
                api_key=key,
                now=now,
            )
        except ReportError as refused:
            raise ApiError(_C.REFUSED, str(refused)) from None
        made = ReportMade(**queries.read_report(opened.report), masked=opened.is_masked)
        return 201, queries.as_json(made)

    return once(request, key, effect)


@api.get(
    "/reports/{reference}",
    auth=KeyWith(ApiScope.REPORT),
    response={200: ReportOut, **documented(_C.UNKNOWN_REPORT)},
    operation_id="read_report",
    summary="How a report stands, and what came of its cards",
)
def read_report(request: ApiHttpRequest, reference: str, part: Query[PartIn]) -> HttpResponse:
    found = queries.report_of(request.auth.shop, reference, part.after)
    if not found:
        raise ApiError(_C.UNKNOWN_REPORT)
    return answer(200, queries.as_json(found))


@api.get(
    "/cards/{serial}",
    auth=KeyWith(ApiScope.STATUS),
    response={200: CardOut, **documented(_C.UNKNOWN_CARD)},
    operation_id="read_card",
    summary="How a card stands",
)
def read_card(request: ApiHttpRequest, serial: Path[SerialInAddress]) -> HttpResponse:
    found = queries.card_of(request.auth.shop, serial)
    if not found:
        raise ApiError(_C.UNKNOWN_CARD)
    return answer(200, queries.as_json(found))


def _lines(serials: list[int], ranges: list[RangeIn]) -> list[Line]:
    count = len(serials) + sum(max(0, part.last - part.first + 1) for part in ranges)
    if count > SMALL:
        raise ApiError(
            _C.TOO_MANY_CARDS,
            f"At most {SMALL:,} cards in one request: report more as a file, in the retailers’ portal.",
        )
    if any(part.last < part.first for part in ranges):
        raise ApiError(_C.INVALID, "ranges: a range ends before it begins.")
    if not count:
        raise ApiError(_C.INVALID, "serials: name the cards, by serial numbers or ranges.")
    named: list[Iterable[int]] = [*([serial] for serial in serials)]
    named += [range(part.first, part.last + 1) for part in ranges]
    seen: set[int] = set()
    lines = []
    for number, part in enumerate(named, start=1):
        for serial in part:
            lines.append(Line(number, problem=Problem.TWICE) if serial in seen else Line(number, serial))
            seen.add(serial)
    return lines


def _by_till(verb: Callable[..., _Done], key: ApiKey, now: datetime) -> _Done:
    """What the key's retailer does to a card of his: the system does it, and the key is noted."""
    try:
        return verb(by=User.objects.system(), retailer=key.shop, details={"api_key": key.pk}, now=now)
    except NoCardError:
        raise ApiError(_C.UNKNOWN_CARD) from None
    except CardError as refused:
        raise ApiError(_C.REFUSED, str(refused)) from None


def _sale(serial: int, status: CodeStatus, changed: bool, now: datetime) -> dict[str, Any]:
    made = SaleOut(serial=serial, status=status.name.lower(), changed=changed, at=now)
    return queries.as_json(made)


def _not_sold(skipped: Iterable[CodeStatus]) -> ApiError:
    for status in skipped:
        if status == CodeStatus.ACTIVE:
            return ApiError(_C.ALREADY_ACTIVE)
        return ApiError(_C.REFUSED, f"This card is {status.label.lower()}: it cannot be sold.")
    return ApiError(_C.UNKNOWN_CARD)
