"""Webhooks of programs' platforms: made with a secret that is shown once, changed, tested, and sent again."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import (
    WEBHOOK_KINDS,
    DeliveryStatus,
    Program,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookKind,
)
from redemption.models.webhook import webhook_reference
from redemption.roles import Permission
from redemption.webhooks import gathering, sending, signing
from redemption.webhooks.targets import TargetError, check
from support import audit
from support.models import AuditAction

# Of one program.
MOST_ENDPOINTS = 10


class WebhookError(Exception):
    """The webhook cannot be made or changed like this; the text says why."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """`secret` is shown once; afterwards nobody sees it."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


@sensitive_variables("secret")
def make_webhook(
    *, program: Program, url: str, kinds: Collection[WebhookKind], by: User, now: datetime | None = None
) -> NewSecret:
    """What happens from now on is told there. WebhookError: nothing can be sent there, the program has enough, or it
    would hear nothing."""
    now = now or timezone.now()
    _require(by)
    chosen = _chosen(kinds)
    try:
        check(url)
    except TargetError as refused:
        raise WebhookError(f"Nothing can be sent there: it is {refused}.") from None
    secret = signing.make_secret()
    with transaction.atomic():
        # Of two made at once, the second counts the first.
        Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        of_program = WebhookEndpoint.objects.filter(program=program)
        if of_program.filter(url=url, is_active=True).exists():
            raise WebhookError(f"{program} has a webhook to this address already.")
        if of_program.filter(is_active=True).count() >= MOST_ENDPOINTS:
            raise WebhookError(f"{program} has {MOST_ENDPOINTS} webhooks already: switch one off that nobody needs.")
        gathering.begin()
        made = WebhookEndpoint.objects.create(
            program=program,
            url=url,
            kinds=chosen,
            secret=signing.seal_secret(secret),
            created_by=by,
            created_at=now,
        )
        audit.record(
            AuditAction.WEBHOOK_MADE,
            by=by,
            target=f"program:{program.pk}",
            also=[f"webhook:{made.pk}"],
            kinds=chosen,
        )
    return NewSecret(made, secret)


@sensitive_variables("secret")
def rotate_secret(endpoint: WebhookEndpoint, *, by: User) -> NewSecret:
    """The next secret. The former one signs beside it until somebody ends it: meanwhile the platform changes over."""
    secret = signing.make_secret()
    with transaction.atomic():
        row = _locked(endpoint, by)
        # Of two who rotate it at once, the second finds the first one's.
        if row.former_secret:
            raise WebhookError("Two secrets sign already: end the former one first.")
        row.former_secret, row.secret = row.secret, signing.seal_secret(secret)
        row.save(update_fields=["secret", "former_secret"])
        _changed(row, "secret_rotated", by)
    return NewSecret(row, secret)


def end_former_secret(endpoint: WebhookEndpoint, *, by: User) -> bool:
    """From now on only the newest secret signs. Whether there was another."""
    with transaction.atomic():
        row = _locked(endpoint, by)
        if not row.former_secret:
            return False
        row.former_secret = ""
        row.save(update_fields=["former_secret"])
        _changed(row, "former_secret_ended", by)
    return True


def switch(endpoint: WebhookEndpoint, *, on: bool, by: User) -> bool:
    """Off: nothing is sent, what waits goes on waiting, and what happens meanwhile is not kept. Whether it changed."""
    with transaction.atomic():
        row = _locked(endpoint, by)
        if row.is_active == on:
            return False
        row.is_active, row.failures, row.rests_until = on, 0, None
        row.save(update_fields=["is_active", "failures", "rests_until"])
        _changed(row, "switched_on" if on else "switched_off", by)
    return True


def change_kinds(endpoint: WebhookEndpoint, *, kinds: Collection[WebhookKind], by: User) -> bool:
    """What it hears from now on. Whether it changed."""
    chosen = _chosen(kinds)
    with transaction.atomic():
        row = _locked(endpoint, by)
        if row.kinds == chosen:
            return False
        row.kinds = chosen
        row.save(update_fields=["kinds"])
        _changed(row, "kinds", by, kinds=chosen)
    return True


def send_test(endpoint: WebhookEndpoint, *, by: User, now: datetime | None = None) -> WebhookDelivery:
    """An event of a kind of its own, which goes the way of all others."""
    now = now or timezone.now()
    with transaction.atomic():
        row = _locked(endpoint, by)
        if not row.is_active:
            raise WebhookError("It is switched off: nothing is sent.")
        reference = webhook_reference()
        event = WebhookEvent.objects.create(
            program=row.program,
            kind=WebhookKind.TEST,
            reference=reference,
            source=f"test:{reference}",
            data={"program": row.program.slug},
            happened_at=now,
        )
        made = WebhookDelivery.objects.create(event=event, endpoint=row, waiting_since=now, not_before=now)
        # Whoever has just mended the server does not wait for it.
        WebhookEndpoint.objects.filter(pk=row.pk).update(rests_until=None)
        _changed(row, "tested", by)
    return made


def send_again(delivery: WebhookDelivery, *, by: User, now: datetime | None = None) -> None:
    """This one, whatever became of it: the platform knows it by its id."""
    _again(delivery.endpoint, WebhookDelivery.objects.filter(pk=delivery.pk), by=by, now=now)


def send_given_up_again(endpoint: WebhookEndpoint, *, since: datetime, by: User, now: datetime | None = None) -> int:
    """All that happened since then and was given up. How many."""
    given_up = WebhookDelivery.objects.filter(
        endpoint=endpoint, status=DeliveryStatus.GIVEN_UP, event__happened_at__gte=since
    )
    return _again(endpoint, given_up, by=by, now=now)


def _again(
    endpoint: WebhookEndpoint, deliveries: "QuerySet[WebhookDelivery]", *, by: User, now: datetime | None
) -> int:
    _require(by)
    with transaction.atomic():
        count = sending.send_again(deliveries, now=now)
        if count:
            audit.record(
                AuditAction.WEBHOOK_SENT_AGAIN,
                by=by,
                target=f"program:{endpoint.program_id}",
                also=[f"webhook:{endpoint.pk}"],
                count=count,
            )
    return count


def _locked(endpoint: WebhookEndpoint, by: User) -> WebhookEndpoint:
    _require(by)
    rows = WebhookEndpoint.objects.select_for_update(no_key=True, of=("self",)).select_related("program")
    return rows.get(pk=endpoint.pk)


def _changed(endpoint: WebhookEndpoint, change: str, by: User, **details: Any) -> None:
    audit.record(
        AuditAction.WEBHOOK_CHANGED,
        by=by,
        target=f"program:{endpoint.program_id}",
        also=[f"webhook:{endpoint.pk}"],
        change=change,
        **details,
    )


def _chosen(kinds: Collection[WebhookKind]) -> list[str]:
    chosen = [kind.value for kind in WEBHOOK_KINDS if kind in kinds]
    if not chosen:
        raise WebhookError("Choose what it hears.")
    return chosen


def _require(by: User) -> None:
    if not by.is_active or not by.may(Permission.MANAGE_INTERFACES):
        raise WebhookError("You change no webhooks.")
