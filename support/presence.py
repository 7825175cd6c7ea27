"""Who else has a ticket open, and who writes on it. Each page says so every four seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from redemption.models import User
from support.models import Presence, Ticket

# A page that has not said anything for so long is closed, or asleep; after a minute its row goes.
HERE = timedelta(seconds=10)
SWEPT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Other:
    name: str
    is_typing: bool


def say_here(*, ticket: Ticket, by: User, is_typing: bool, now: datetime | None = None) -> list[Other]:
    """Says that `by` has the ticket open, and gives who else has."""
    now = now or timezone.now()
    Presence.objects.bulk_create(
        [Presence(ticket=ticket, person=by, is_typing=is_typing, seen_at=now)],
        update_conflicts=True,
        unique_fields=["ticket", "person"],
        update_fields=["is_typing", "seen_at"],
    )
    _sweep(now)
    others = Presence.objects.filter(ticket=ticket, seen_at__gt=now - HERE).exclude(person=by).select_related("person")
    return [Other(str(other.person), other.is_typing) for other in others.order_by("person__name", "pk")]


def say_gone(*, ticket: Ticket, by: User) -> None:
    Presence.objects.filter(ticket=ticket, person=by).delete()


def _sweep(now: datetime) -> None:
    with transaction.atomic():
        # Two pages that sweep at once each take what the other has not: waiting for each other would deadlock.
        old = Presence.objects.filter(seen_at__lt=now - SWEPT).select_for_update(skip_locked=True)
        Presence.objects.filter(pk__in=[row.pk for row in old]).delete()
