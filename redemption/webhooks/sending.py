"""Deliveries on their way: at least once, in any order, and again later where a server does not take them.

A sender takes deliveries on a lease and commits, so that nothing in the database waits for a server; killed before it
could say what became of one, it leaves the lease to run out, and the next sender sends it again.
"""

import json
import logging
import random
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint, WebhookEvent
from redemption.webhooks import signing
from redemption.webhooks.targets import Answer, TargetError, post

logger = logging.getLogger(__name__)

# At once: of one sender, and of these to one endpoint. A slow server has its own lanes full, and nobody else's.
_LANES, _LANES_EACH = 16, 4
# For how long one run begins new ones. The worker has other work too, and comes again in seconds.
_RUN = timedelta(seconds=15)
# Longer than a post may take and be written down after.
_LEASE_MARGIN = timedelta(seconds=30)
# After a failure: ten seconds, then twice as long each time up to six hours, each a quarter more or less, so that what
# failed together does not come back together.
_FIRST_PAUSE, _LONGEST_PAUSE, _JITTER = timedelta(seconds=10), timedelta(hours=6), 0.25
# A server that does not answer is asked again after five seconds, then twice as long each time up to five minutes,
# whatever waits for it; one try at a time.
_FIRST_REST, _LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
KEPT = timedelta(days=30)
_CHUNK = 5_000
_AGENT = "RedemptionDesk-Webhooks/1"

# The oldest that are due, so many of each endpoint, and of all. Of two senders each takes what the other has not.
_TAKE = """
    WITH room AS (
        SELECT * FROM unnest(%(endpoints)s::bigint[], %(lanes)s::int[]) AS r (endpoint_id, lanes)
    ), due AS (
        SELECT d.id FROM room JOIN redemption_webhookendpoint e ON e.id = room.endpoint_id
        CROSS JOIN LATERAL (
            SELECT w.id FROM redemption_webhookdelivery w
            WHERE w.endpoint_id = e.id AND w.status = 'waiting' AND w.not_before <= %(now)s::timestamptz
            ORDER BY w.not_before, w.id LIMIT room.lanes FOR UPDATE SKIP LOCKED
        ) d
        WHERE e.is_active AND (e.rests_until IS NULL OR e.rests_until <= %(now)s::timestamptz)
        LIMIT %(most)s::int
    )
    UPDATE redemption_webhookdelivery w SET tries = least(w.tries + 1, 32767), not_before = %(lease)s::timestamptz
    FROM due WHERE w.id = due.id
    RETURNING w.id
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a thread without a database needs to send one."""

    delivery_id: int
    endpoint_id: int
    tries: int
    lease: datetime
    waiting_since: datetime
    url: str
    reference: str
    body: bytes
    # As they rest.
    secrets: tuple[str, ...] = field(repr=False)


def body_of(event: WebhookEvent) -> bytes:
    """The same bytes whenever it is sent."""
    told = {
        "id": event.reference,
        "type": event.kind,
        "timestamp": event.happened_at.isoformat(timespec="milliseconds"),
        "data": event.data,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def send(now: datetime | None = None) -> int:
    """Sends what is due, to all endpoints at once, and returns how many were taken. Ends when nothing more is due, or
    after seconds, whatever the servers do."""
    until = monotonic() + _RUN.total_seconds()
    under_way: dict[Future[Answer | str], Parcel] = {}
    resting: set[int] = set()
    delivered = 0
    with ThreadPoolExecutor(_LANES, thread_name_prefix="webhooks") as threads:
        while True:
            if monotonic() < until:
                for parcel in _take(_room(under_way, resting), _LANES - len(under_way), now or timezone.now()):
                    under_way[threads.submit(_post, parcel, now or timezone.now())] = parcel
            if not under_way:
                return delivered
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                parcel, answer = under_way.pop(done), done.result()
                delivered += _settle(parcel, answer, now or timezone.now())
                if _is_away(answer):
                    resting.add(parcel.endpoint_id)


def _room(under_way: dict[Future[Answer | str], Parcel], resting: set[int]) -> dict[int, int]:
    """How many more each endpoint may have. Who was away once in a run waits for the next one."""
    busy = Counter(parcel.endpoint_id for parcel in under_way.values())
    lanes = {}
    for pk, failures in WebhookEndpoint.objects.filter(is_active=True).values_list("pk", "failures"):
        free = (1 if failures else _LANES_EACH) - busy[pk]
        if free > 0 and pk not in resting:
            lanes[pk] = free
    return lanes


def _take(room: dict[int, int], most: int, now: datetime) -> list[Parcel]:
    """Deliveries that nobody else sends until the lease ends."""
    if not room or most <= 0:
        return []
    # In another order each time: where more endpoints wait than there are lanes, none is always the last.
    endpoints = random.sample(sorted(room), len(room))
    lease = now + timedelta(seconds=settings.WEBHOOK_TIMEOUT) + _LEASE_MARGIN
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "endpoints": endpoints,
                "lanes": [room[pk] for pk in endpoints],
                "now": now,
                "most": most,
                "lease": lease,
            },
        )
        taken = [pk for (pk,) in cursor.fetchall()]
    # Read anew: an address or a secret that was changed meanwhile counts.
    rows = WebhookDelivery.objects.filter(pk__in=taken).select_related("event", "endpoint").order_by("pk")
    return [
        Parcel(
            delivery_id=row.pk,
            endpoint_id=row.endpoint_id,
            tries=row.tries,
            lease=lease,
            waiting_since=row.waiting_since,
            url=row.endpoint.url,
            reference=row.event.reference,
            body=body_of(row.event),
            secrets=tuple(one for one in (row.endpoint.secret, row.endpoint.former_secret) if one),
        )
        for row in rows
    ]


@sensitive_variables()
def _post(parcel: Parcel, now: datetime) -> Answer | str:
    """In a thread, without a database: the server's answer, or why there is none."""
    try:
        secrets = [signing.open_secret(one) for one in parcel.secrets]
    except InvalidToken:
        # SECRET_KEY was changed and the former one is not among its fallbacks. Others' webhooks go out.
        return "its secret cannot be read"
    headers = {
        "content-type": "application/json",
        "user-agent": _AGENT,
        **signing.headers(reference=parcel.reference, body=parcel.body, secrets=secrets, now=now),
    }
    try:
        return post(parcel.url, body=parcel.body, headers=headers, timeout=settings.WEBHOOK_TIMEOUT)
    except TargetError as failed:
        return str(failed)


def _settle(parcel: Parcel, answer: Answer | str, now: datetime) -> bool:
    """Writes down what became of it, unless the lease ran out and somebody else has it: then he does. Whether it was
    taken."""
    is_taken = isinstance(answer, Answer) and answer.is_taken
    changes: dict[str, Any] = {"last_answer": str(answer.status) if isinstance(answer, Answer) else answer[:60]}
    if is_taken:
        changes |= {"status": DeliveryStatus.DELIVERED, "delivered_at": now}
    elif now - parcel.waiting_since >= timedelta(days=settings.WEBHOOK_GIVE_UP_DAYS):
        changes |= {"status": DeliveryStatus.GIVEN_UP}
    else:
        asked = answer.retry_after if isinstance(answer, Answer) else 0
        changes |= {"not_before": now + max(pause(parcel.tries), timedelta(seconds=asked))}
    with transaction.atomic():
        # The lease says whose turn it is: a sender that was asleep for an hour writes nothing over another's.
        WebhookDelivery.objects.filter(
            pk=parcel.delivery_id, status=DeliveryStatus.WAITING, tries=parcel.tries, not_before=parcel.lease
        ).update(**changes)
        endpoint = WebhookEndpoint.objects.filter(pk=parcel.endpoint_id)
        if not _is_away(answer):
            endpoint.filter(failures__gt=0).update(failures=0, rests_until=None)
        # Of several that failed together one counts.
        elif failures := endpoint.select_for_update(no_key=True).values_list("failures", "rests_until").first():
            count, rests_until = failures
            if rests_until is None or rests_until <= now:
                endpoint.update(failures=min(count + 1, 32767), rests_until=now + rest(count + 1))
    if not is_taken:
        # Which, and of what kind: neither the address nor what was answered.
        logger.warning(
            "Webhook %s to endpoint %s failed (try %d, %s).",
            parcel.reference,
            parcel.endpoint_id,
            parcel.tries,
            changes["last_answer"],
        )
    return is_taken


def _is_away(answer: Answer | str) -> bool:
    """Whether the whole server seems to be: it would take nothing else either."""
    return answer.status >= 500 or answer.status == 429 if isinstance(answer, Answer) else True


def pause(tries: int) -> timedelta:
    """Before a delivery is tried again."""
    whole: timedelta = min(_FIRST_PAUSE * 2 ** min(tries - 1, 20), _LONGEST_PAUSE)
    return whole * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311


def rest(failures: int) -> timedelta:
    """Before an endpoint is tried again."""
    whole: timedelta = min(_FIRST_REST * 2 ** min(failures - 1, 20), _LONGEST_REST)
    return whole


# --- Again by hand, and over


def send_again(deliveries: "QuerySet[WebhookDelivery]", *, now: datetime | None = None) -> int:
    """These wait anew, from the first pause on, and their endpoints are tried at once. What waits already is tried now;
    what is switched off waits until it is switched on. How many."""
    now = now or timezone.now()
    with transaction.atomic():
        endpoints = set(deliveries.order_by().values_list("endpoint_id", flat=True).distinct())
        # A sender that has one under way finds its lease gone, and writes nothing: that one is sent once more. Of two
        # who do this at once the second waits at the first row of both.
        locked = deliveries.order_by("pk").select_for_update().values("pk")
        count: int = WebhookDelivery.objects.filter(pk__in=locked).update(
            status=DeliveryStatus.WAITING,
            tries=0,
            waiting_since=now,
            not_before=now,
            delivered_at=None,
            last_answer="",
        )
        WebhookEndpoint.objects.filter(pk__in=endpoints).update(rests_until=None)
    return count


def give_up_old(now: datetime | None = None) -> int:
    """What has waited for too long at servers that do not answer, which are asked for one at a time. Nightly."""
    now = now or timezone.now()
    too_old = now - timedelta(days=settings.WEBHOOK_GIVE_UP_DAYS)
    return WebhookDelivery.objects.filter(
        status=DeliveryStatus.WAITING,
        endpoint__in=WebhookEndpoint.objects.filter(failures__gt=0),
        waiting_since__lt=too_old,
        # Under way, or asked for at a time of its own.
        not_before__lte=now,
    ).update(status=DeliveryStatus.GIVEN_UP)


def clean_up(now: datetime | None = None) -> int:
    """Forgets events of long ago with their deliveries, in chunks. Nightly. How many events."""
    too_old, removed = (now or timezone.now()) - KEPT, 0
    while True:
        with transaction.atomic():
            old = list(
                WebhookEvent.objects.filter(happened_at__lt=too_old)
                .order_by("happened_at", "pk")
                .values_list("pk", flat=True)[:_CHUNK]
            )
            WebhookDelivery.objects.filter(event__in=old).delete()
            WebhookEvent.objects.filter(pk__in=old).delete()
        removed += len(old)
        if len(old) < _CHUNK:
            return removed
