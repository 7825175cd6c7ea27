"""Which events to show. Filters combine, stand in the address, and each is answered from an index, however many events
there are: lists that no single index gives in order are merged from streams that have one each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value

from support.addresses import UnknownFilterError
from support.models import AuditAction, AuditEvent
from support.trail.groups import GROUPS

# Details that name a record by its id, with the kind of it: such events are about that record too.
BESIDE = {"account": ("account", "to"), "code": ("code", "successor"), "ticket": ("ticket", "into"),
          "credit": ("credit",), "request": ("request",), "report": ("report",), "user": ("user",)}  # fmt: skip
_TARGET = re.compile(r"[a-z_]{1,20}:[A-Za-z0-9_.-]{1,39}")


# An event's moment and key: lists go on after it.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Query:
    # Such as “account:12”.
    target: str = ""
    person: int | None = None
    # An action's value, or a group's name.
    action: str = ""
    # Days in UTC, both inclusive.
    since: date | None = None
    until: date | None = None
    # Looks at customers' accounts, cards and tries by somebody who touched no ticket of theirs around then.
    unticketed: bool = False
    # Leaves out where the target stood among others in a list.
    alone: bool = False
    # One event by itself.
    event: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Query":
        action = given.get("action", "")
        target = given.get("target", "")
        if (action and action not in GROUPS and action not in AuditAction.values) or (
            target and not _TARGET.fullmatch(target)
        ):
            raise UnknownFilterError
        return cls(
            target=target,
            person=read_id(given.get("person", "")),
            action=action,
            since=_day(given.get("from", "")),
            until=_day(given.get("until", "")),
            unticketed=given.get("ticket", "") == "none",
            alone=given.get("lists", "") == "none",
            event=read_id(given.get("event", "")),
        )

    @property
    def parts(self) -> dict[str, str]:
        """As in the address."""
        asked = {
            "target": self.target,
            "person": str(self.person or ""),
            "action": self.action,
            "from": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            "ticket": "none" if self.unticketed else "",
            "lists": "none" if self.alone else "",
            "event": str(self.event or ""),
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def address(self) -> str:
        return urlencode(self.parts, safe=":")

    def but(self, **changes: Any) -> str:
        """The address's query with some filters otherwise."""
        return replace(self, **changes).address

    @property
    def actions(self) -> frozenset[AuditAction]:
        """Those asked for; none: all."""
        if not self.action:
            return frozenset()
        return GROUPS[self.action][1] if self.action in GROUPS else frozenset({AuditAction(self.action)})

    def events(
        self, limit: int, *, before: Place | None = None, actions: frozenset[AuditAction] | None = None
    ) -> list[AuditEvent]:
        """The newest that match, older than `before`; `actions` instead of those of the address."""
        streams = [stream[:limit] for stream in self._streams(self.actions if actions is None else actions, before)]
        if len(streams) == 1:
            return list(streams[0])
        # By two streams comes only what both is and names the target; the database then takes it once.
        merged = streams[0].union(*streams[1:], all=not self.target).order_by("-at", "-pk")
        return list(merged[:limit])

    def _streams(self, actions: frozenset[AuditAction], before: Place | None) -> Iterator["QuerySet[AuditEvent]"]:
        events = self._narrowed(before)
        if self.event:
            yield events.filter(pk=self.event)
        elif self.target:
            events = events.filter(action__in=sorted(actions)) if actions else events
            yield events.filter(target=self.target)
            yield self._beside(events)
        elif actions:
            # Together they have no order of their own; each has its index, and so has each of one person.
            for action in sorted(actions):
                yield events.filter(action=action)
        else:
            yield events

    def _narrowed(self, before: Place | None) -> "QuerySet[AuditEvent]":
        events = AuditEvent.objects.order_by("-at", "-pk")
        if before:
            at, pk = before
            events = events.filter(Q(at__lt=at) | Q(pk__lt=pk), at__lte=at)
        if self.since:
            events = events.filter(at__gte=_midnight(self.since))
        if self.until:
            events = events.filter(at__lt=_midnight(self.until) + timedelta(days=1))
        return events.filter(actor_id=self.person) if self.person else events

    def _beside(self, events: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        """Where the target is named by the details. Ordered by what no index has: walking all of the trail for one that
        is named hardly ever would look cheap to the planner."""
        kind, _, name = self.target.partition(":")
        named = Q(pk__in=[]) if self.alone else Q(details__contains={"also": [self.target]})
        if name.isascii() and name.isdecimal():
            for word in BESIDE.get(kind, ()):
                named |= Q(details__contains={word: int(name)})
        at = ExpressionWrapper(F("at") + Value(timedelta()), DateTimeField())
        return events.filter(named).order_by(at.desc(), "-pk")


def read_id(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UnknownFilterError
    return int(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UnknownFilterError from None
    # A year's end has a next day, and the database's timestamps begin and end later than any of ours.
    if not 2000 <= day.year <= 2999:
        raise UnknownFilterError
    return day


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
