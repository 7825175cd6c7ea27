"""Who looked at a record, or touched it: the question that the trail is asked most."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redemption.models import User
from support.models import AuditEvent
from support.trail.groups import GROUPS, LOOKS
from support.trail.tickets import unticketed

# Of the newest events about one record; the oldest of a record that more is known of are left out, and that is said.
MOST_COUNTED = 1_000


@dataclass(slots=True)
class Somebody:
    pk: int
    name: str = ""
    looked: int = 0
    did: int = 0
    without_ticket: int = 0
    first: datetime | None = None
    last: datetime | None = None


def people(events: Iterable[AuditEvent]) -> list[Somebody]:
    """Whoever these events are by, who came last first. The events are newest first."""
    events = list(events)
    without = unticketed(events)
    found: dict[int, Somebody] = {}
    for event in events:
        person = found.setdefault(event.actor_id, Somebody(event.actor_id, last=event.at))
        person.first = event.at
        person.without_ticket += event.pk in without
        if event.action in GROUPS[LOOKS][1]:
            person.looked += 1
        else:
            person.did += 1
    names = User.objects.in_bulk(found)
    for pk, person in found.items():
        person.name = str(names[pk]) if pk in names else f"person {pk}"
    return list(found.values())
