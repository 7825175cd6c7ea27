"""How often a key may ask, and how often an address may try without one."""

import math
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest

from redemption import throttle
from redemption.admission import address_key
from redemption.api.errors import ApiError, ErrorCode
from redemption.models import ApiKey, ThrottleScope

_MINUTE = timedelta(minutes=1)


def count_request(key: ApiKey, now: datetime) -> None:
    """ApiError: one too many in the minute."""
    limit = throttle.Limit(settings.API_REQUESTS_PER_MINUTE, _MINUTE)
    _turn_away(throttle.hit(ThrottleScope.API_KEY, str(key.pk), limit, now), now)


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
        seconds = max(1, math.ceil((blocked_until - now).total_seconds()))
        raise ApiError(ErrorCode.TOO_MANY_REQUESTS, headers={"Retry-After": str(seconds)})
