"""A ticket's story: what was written on it and on the tickets merged into it, and what was changed, oldest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redemption.models import User
from support.history import sentences
from support.models import Message, MessageKind, Ticket, TicketEvent, TicketEventKind
from support.personal import author_of

PER_PAGE = 50
# Of one page's changes; a ticket that rules or jobs changed a thousand times still opens.
MOST_CHANGES = 200

# Icons, each of another shape, beside the label: colour tells nothing alone.
ICONS = {MessageKind.CUSTOMER: "person", MessageKind.REPLY: "reply", MessageKind.NOTE: "sticky_note_2"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, or else what `by` changed. `merged`: the reference of the ticket that it came with, if not this."""

    at: datetime
    message: Message | None = None
    icon: str = ""
    by: str = ""
    change: str = ""
    merged: str = ""

    @property
    def kind(self) -> str:
        return self.message.kind if self.message else "change"


@dataclass(frozen=True, slots=True)
class Thread:
    entries: list[Entry]
    # The message before which there are more, None where these are all; and the newest of the whole ticket.
    older: int | None
    newest: int


def thread(ticket: Ticket, *, shown_to: User, before: int | None = None) -> Thread:
    """The newest fifty messages, or those before one, with the changes made meanwhile. Whatever the length, the same
    number of queries. Tickets merged into it that `shown_to` may not see stay out."""
    parts = dict(family(ticket, shown_to=shown_to))
    messages = Message.objects.filter(ticket__in=parts).select_related("author").order_by("-pk")
    if before:
        messages = messages.filter(pk__lt=before)
    # One more than is shown says whether there are older ones, without counting.
    found = list(messages[: PER_PAGE + 1])
    shown, has_older = found[:PER_PAGE][::-1], len(found) > PER_PAGE
    events = ticket.events.select_related("by").order_by("-pk")
    if has_older:
        events = events.filter(at__gte=shown[0].at)
    if before and shown:
        events = events.filter(at__lt=_after(parts, shown[-1]))
    changed = list(events[:MOST_CHANGES])
    entries = [*_messages(shown, ticket, parts, shown_to), *_changes(changed, shown_to)]
    return Thread(
        sorted(entries, key=_order),
        older=shown[0].pk if has_older else None,
        newest=max((message.pk for message in shown), default=0) if not before else newest_in(parts),
    )


def family(ticket: Ticket, *, shown_to: User | None = None) -> Iterable[tuple[int, str]]:
    """The ticket and those merged into it: ids and references."""
    merged = Ticket.objects.filter(merged_into=ticket.pk)
    if shown_to:
        merged = merged & Ticket.objects.visible_to(shown_to)
    yield ticket.pk, ticket.reference
    yield from merged.order_by("pk").values_list("pk", "reference")


def newest_in(tickets: Iterable[int]) -> int:
    return Message.objects.filter(ticket__in=tickets).order_by("-pk").values_list("pk", flat=True).first() or 0


def _after(parts: dict[int, str], last: Message) -> datetime:
    following = Message.objects.filter(ticket__in=parts, pk__gt=last.pk).order_by("pk").first()
    return following.at if following else last.at


def _messages(shown: list[Message], ticket: Ticket, parts: dict[int, str], shown_to: User) -> list[Entry]:
    return [
        Entry(
            message.at,
            message,
            ICONS[MessageKind(message.kind)],
            by=author_of(message, shown_to=shown_to),
            merged="" if message.ticket_id == ticket.pk else parts[message.ticket_id],
        )
        for message in shown
    ]


def _changes(events: list[TicketEvent], shown_to: User) -> list[Entry]:
    told = sentences(events, shown_to=shown_to)
    return [
        Entry(event.at, icon="history", by=str(event.by), change=told[event.pk])
        for event in reversed(events)
        if event.pk in told and event.kind != TicketEventKind.OPENED
    ]


def _order(entry: Entry) -> tuple[datetime, int, int]:
    """Of what happened at one instant, a message stands before what it changed."""
    return entry.at, 0 if entry.message else 1, entry.message.pk if entry.message else 0
