"""How many tries to redeem an account has left."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from redemption.models import Account, Throttle, ThrottleScope


@dataclass(frozen=True, slots=True)
class Tries:
    """`left` is None where there is no limit. `more_at`: when there will be another one, if some are used up."""

    left: int | None
    blocked_until: datetime | None = None
    more_at: datetime | None = None


def tries_of(account: Account, now: datetime) -> Tries:
    """As the next try would find them; nothing is counted by looking."""
    most = settings.ATTEMPTS_PER_ACCOUNT
    if not most:
        return Tries(None)
    counter = Throttle.objects.filter(scope=ThrottleScope.ACCOUNT, key=str(account.pk)).first()
    if not counter:
        return Tries(most)
    if counter.blocked_until and counter.blocked_until > now:
        return Tries(0, counter.blocked_until, counter.blocked_until)
    window = timedelta(hours=settings.ATTEMPT_WINDOW_HOURS)
    recent = [] if counter.blocked_until else [tried for tried in counter.recent if tried > now - window]
    # A limit that was lowered since leaves none, and not fewer.
    return Tries(max(0, most - len(recent)), more_at=min(recent) + window if recent else None)
