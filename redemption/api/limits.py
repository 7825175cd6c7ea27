"""How often a key may ask, how often about codes that are none, and how often an address may try without a key."""

import math
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest

from redemption import throttle
from redemption.admission import address_key
from redemption.api.errors import ApiError, ErrorCode
from redemption.models import ApiKey, ThrottleScope

STRIPES = 16
_MINUTE = timedelta(minutes=1)
_SOON = 5


def count_request(key: ApiKey, now: datetime) -> None:
    """ApiError: one too many in the minute."""
    if key.program_id:
        # Spread over many rows: all of a platform's customers come with one key, and would wait for one counter.
        limit = throttle.Limit(-(-settings.PLATFORM_REQUESTS_PER_MINUTE // STRIPES), _MINUTE)
        counter = f"{key.pk}:{random.randrange(STRIPES)}"  # noqa: S311
    else:
        limit, counter = throttle.Limit(settings.API_REQUESTS_PER_MINUTE, _MINUTE), str(key.pk)
    _turn_away(throttle.hit(ThrottleScope.API_KEY, counter, limit, now), now)


def count_guess(key: ApiKey, now: datetime) -> None:
    """A code asked about, before it is looked up. ApiError: too many of the window's were unknown."""
    _turn_away(throttle.hit(ThrottleScope.API_KEY, _guesses(key), _guess_limit(), now), now)


def forgive_guess(key: ApiKey, now: datetime) -> None:
    """The code asked about at `now` was one of ours: no guess."""
    throttle.take_back(ThrottleScope.API_KEY, _guesses(key), now)


def retry_after(until: datetime | None, now: datetime) -> dict[str, str]:
    """The header; a few seconds where nobody knows."""
    seconds = math.ceil((until - now).total_seconds()) if until else _SOON
    return {"Retry-After": str(max(1, seconds))}


def _guesses(key: ApiKey) -> str:
    # All keys of a program together: a rotated one begins at no nought.
    return f"{key.owner}:guesses"


def _guess_limit() -> throttle.Limit:
    return throttle.Limit(settings.ATTEMPTS_PER_PLATFORM, timedelta(hours=settings.ATTEMPT_WINDOW_HOURS))


def count_failure(request: HttpRequest, now: datetime) -> None:
    """A key that was none. Only these are counted and turned away: whoever fails beside a till stops no till."""
    # allauth's adapter knows our proxies.
    from allauth.account.adapter import get_adapter

    limit = throttle.Limit(settings.API_FAILURES_PER_MINUTE, _MINUTE)
    address = address_key(get_adapter().get_client_ip(request) or "")
    # Beside the tries to redeem from there.
    _turn_away(throttle.hit(ThrottleScope.ADDRESS, f"api:{address}", limit, now), now)


def _turn_away(blocked_until: datetime | None, now: datetime) -> None:
    if blocked_until:
        raise ApiError(ErrorCode.TOO_MANY_REQUESTS, headers=retry_after(blocked_until, now))
