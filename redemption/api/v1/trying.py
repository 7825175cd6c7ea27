"""A platform's tries: redeem() and preview() for a customer of its, told as the interface tells things."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import trail
from redemption.admission import KeyConflictError, KeyRunningError
from redemption.api import limits
from redemption.api.errors import ApiError, ErrorCode, answer
from redemption.api.idempotency import REPLAYED, Wish, wish_of
from redemption.api.interface import ApiHttpRequest
from redemption.api.v1.queries import as_json, find_account
from redemption.api.v1.schemas import GrantOut, TriedOut, TryIn
from redemption.models import Account, Benefit, Channel, IdempotencyKey, User
from redemption.redeem import preview, redeem
from redemption.refusals import Answer
from redemption.results import Result

# All other refusals stand in the way of what was asked for.
_CONFLICT = 409
_STATUS = {Answer.CHALLENGE: 403, Answer.TOO_MANY_ATTEMPTS: 429, Answer.UNAVAILABLE: 503}
_SOON = {"Retry-After": "2"}


def tried(request: ApiHttpRequest, wanted: TryIn) -> HttpResponse:
    """Redeems. The key is kept by what it did, in that statement itself, and the answer is read from there again."""
    wish = wish_of(request, request.auth)
    # Used for something that is no try: redeem() knows nothing of those.
    wish.answered()
    now = timezone.now()
    account = _account_of(request, wanted)
    return _told(_run(redeem, wish, account, wanted, now), account, now)


def looked(request: ApiHttpRequest, wanted: TryIn) -> HttpResponse:
    """What redeeming would give: the trail tells of it, and the answer is kept beside that."""
    wish = wish_of(request, request.auth)
    if again := wish.answered():
        return again
    now = timezone.now()
    account = _account_of(request, wanted)
    result = _run(preview, wish, account, wanted, now)
    response = _told(result, account, now)
    if not result.attempt_id:
        return response
    with transaction.atomic():
        # Of two at once the second got the first one's try: it is told, and kept, once.
        wish.hold()
        if again := wish.answered():
            return again
        trail.tell(
            "code_validated",
            by=User.objects.system(),
            target=f"code:{result.serial}" if result.serial else f"attempt:{result.attempt_id}",
            also=[f"attempt:{result.attempt_id}", f"account:{account.pk}", f"api_key:{request.auth.pk}"],
        )
        wish.keep(response.status_code, _content_of(result, account))
    return response


def refuse_tries_key(wish: Wish) -> None:
    """ApiError: the key was used for a try, which keeps it elsewhere."""
    if IdempotencyKey.objects.filter(scope=wish.owner, key=_key(wish)).exists():
        raise ApiError(ErrorCode.KEY_REUSED)


def _account_of(request: ApiHttpRequest, wanted: TryIn) -> Account:
    account = find_account(request.auth, wanted.account)
    if not account:
        raise ApiError(ErrorCode.UNKNOWN_ACCOUNT)
    return account


def _key(wish: Wish) -> str:
    return f"api:{wish.key}"


@sensitive_variables()
def _run(verb: Callable[..., Result], wish: Wish, account: Account, wanted: TryIn, now: datetime) -> Result:
    try:
        return verb(
            account=account,
            text=wanted.code.get_secret_value(),
            channel=Channel.API,
            key=_key(wish),
            # One key, one request, whichever account it names.
            key_scope=wish.owner,
            address=wanted.address,
            apparent_country=wanted.apparent_country,
            now=now,
        )
    except KeyConflictError:
        raise ApiError(ErrorCode.KEY_REUSED) from None
    except KeyRunningError:
        raise ApiError(ErrorCode.STILL_RUNNING, headers=_SOON) from None


def _told(result: Result, account: Account, now: datetime) -> HttpResponse:
    status = _status_of(result)
    headers = dict(REPLAYED if result.is_repeated else {})
    if status in {429, 503}:
        headers |= limits.retry_after(result.blocked_until, now)
    return answer(status, _content_of(result, account), headers)


def _status_of(result: Result) -> int:
    return _STATUS.get(result.answer, _CONFLICT) if result.answer else 200


def _content_of(result: Result, account: Account) -> dict[str, object]:
    """Never why: a platform shows its customers what we tell it."""
    message = result.customer_text(account.program)
    if result.answer:
        return {"code": result.answer.value, "message": message, "reference": result.reference}
    assert result.granted
    assert result.serial
    benefit, value, currency, months, days = result.granted
    return as_json(
        TriedOut(
            reference=result.reference,
            message=message,
            serial=result.serial,
            grant=GrantOut(benefit=Benefit(benefit), value=value, currency=currency, months=months, days=days),
            premium_until=result.premium_until,
        )
    )
