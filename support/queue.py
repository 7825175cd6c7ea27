"""The queue: which tickets, in which order, by filters that stand in the address."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import BigIntegerField, DateTimeField, ExpressionWrapper, F, Field, OrderBy, Q
from django.db.models.expressions import Combinable
from django.utils import timezone

from redemption.models import User
from support.addresses import UnknownFilterError, is_id
from support.models import Priority, StatusGroup, Ticket, TicketChannel
from support.models.ticket import TicketQuerySet

PAGE = 50
# Nobody leafs further: whoever looks for something narrows the list down.
LAST_PAGE = 20
# Counted up to here, then “1,000+”: the time of a page must not grow with the table.
MOST_COUNTED = 1_000
DUE_SOON = timedelta(hours=2)
LONGEST_TAG = 30
_TYPES: dict[str, "Field[Any, Any]"] = {
    "pk": BigIntegerField(),
    "priority": BigIntegerField(),
    "next_deadline": DateTimeField(),
}


class Sort(Enum):
    """Label, and the columns; the last one is unique, so that every order is one."""

    DEADLINE = "Next deadline", ("next_deadline", "pk")
    NEWEST = "Newest", ("-pk",)
    OLDEST = "Oldest", ("pk",)
    PRIORITY = "Priority", ("-priority", "next_deadline", "pk")

    def __init__(self, label: str, columns: tuple[str, ...]) -> None:
        self.label, self.columns = label, columns

    @property
    def key(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class View:
    """A view that everybody has. `is_small`: of unfinished tickets only, however many there have been."""

    key: str
    label: str
    icon: str
    narrow: Callable[[TicketQuerySet, User, datetime], TicketQuerySet]
    sort: Sort = Sort.DEADLINE
    is_small: bool = True


VIEWS = {
    view.key: view
    for view in (
        View("needs-us", "Needs us", "inbox", lambda tickets, user, now: tickets.needing_us()),
        View("mine", "Mine", "person", lambda tickets, user, now: tickets.unfinished().filter(assignee=user)),
        View("unassigned", "Unassigned", "person_off", lambda tickets, user, now: tickets.unfinished().unassigned()),
        View("due-soon", "Due soon", "timer", lambda tickets, user, now: tickets.due(now, now + DUE_SOON)),
        View("overdue", "Overdue", "alarm", lambda tickets, user, now: tickets.overdue(now)),
        View("waiting", "Waiting", "hourglass_empty", lambda tickets, user, now: tickets.waiting()),
        View("solved", "Solved", "task_alt", lambda tickets, user, now: tickets.finished(), Sort.NEWEST, False),
        View("all", "All", "list", lambda tickets, user, now: tickets, Sort.NEWEST, False),
    )
}
_SORTS = {sort.key: sort for sort in Sort}
GROUPS = {group.name.lower(): group for group in StatusGroup}


@dataclass(frozen=True, slots=True)
class Query:
    """What an address asks for: a view, what narrows it down, an order. An empty text: no such filter."""

    view: str = "needs-us"
    status: str = ""
    program: str = ""
    retailer: str = ""
    channel: str = ""
    priority: str = ""
    # A person's id, “me” or “nobody”.
    assignee: str = ""
    tag: str = ""
    sort: str = ""

    @classmethod
    def read(cls, address: Mapping[str, str]) -> "Query":
        """Of the parameters of an address; others than these are not ours. Raises UnknownFilterError."""
        given = {field.name: address.get(field.name, "").strip() for field in fields(cls)}
        query = cls(**{name: value for name, value in given.items() if value})
        ids = (query.program, query.retailer, query.assignee if query.assignee not in {"me", "nobody"} else "")
        known = (
            query.view in VIEWS
            and query.status in {"", *GROUPS}
            and query.channel in {"", *TicketChannel.values}
            and query.priority in {"", *map(str, Priority.values)}
            and query.sort in {"", *_SORTS}
            and all(not number or is_id(number) for number in ids)
            and len(query.tag) <= LONGEST_TAG
            and "\0" not in query.tag
        )
        if not known:
            raise UnknownFilterError
        return query

    @property
    def address(self) -> str:
        """The query string that reads as this query, always the same one. Tickets opened from here carry it on."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return urlencode({name: value for name, value in given.items() if value})

    @property
    def order(self) -> Sort:
        return _SORTS[self.sort] if self.sort else VIEWS[self.view].sort

    @property
    def narrows(self) -> bool:
        """Whether anything but the view is chosen."""
        return self != Query(view=self.view, sort=self.sort)

    @property
    def is_small(self) -> bool:
        """Whether it finds unfinished tickets only."""
        return VIEWS[self.view].is_small or self.status in {"ours", "theirs"}

    def tickets(self, user: User, now: datetime) -> TicketQuerySet:
        """All that match, in no order. Merged tickets are in the one that they were merged into."""
        tickets = VIEWS[self.view].narrow(Ticket.objects.visible_to(user).unmerged(), user, now)
        if self.status:
            tickets = tickets.in_group(GROUPS[self.status])
        if self.assignee == "nobody":
            tickets = tickets.unassigned()
        elif self.assignee:
            tickets = tickets.filter(assignee=user.pk if self.assignee == "me" else int(self.assignee))
        if self.tag:
            tickets = tickets.filter(tags__contains=[self.tag])
        exact = {name: getattr(self, name) for name in ("program", "retailer", "channel", "priority")}
        return tickets.filter(**{name: value for name, value in exact.items() if value})

    def sorted(self, user: User, now: datetime) -> TicketQuerySet:
        return self.tickets(user, now).order_by(
            *(_ordering(name, by_index=not self.is_small) for name in self.order.columns)
        )

    def with_view(self, key: str) -> "Query":
        return replace(self, view=key, sort="")


def _ordering(column: str, *, by_index: bool) -> OrderBy:
    """Tickets without a deadline come last; that is also how the indexes have them.

    Unfinished tickets are few among many: they are gathered first and sorted then. An index in this order would be read
    through all the years until fifty of them are found, because the database takes them for evenly spread.
    """
    name = column.removeprefix("-")
    value: Combinable = F(name)
    if not by_index:
        value = value + (timedelta() if name == "next_deadline" else 0)
    return OrderBy(ExpressionWrapper(value, _TYPES[name]), descending=column.startswith("-"))


@dataclass(frozen=True, slots=True)
class Count:
    """How many, as far as anybody wants to know."""

    number: int

    def __str__(self) -> str:
        return f"{MOST_COUNTED:,}+" if self.number > MOST_COUNTED else f"{self.number:,}"


def page_of(query: Query, number: int, *, user: User, now: datetime) -> list[Ticket]:
    """The tickets of a page, from 1, with all that a row names; and one more where there are more."""
    start = PAGE * (number - 1)
    # Found first and joined with people and programs then: else all that match would be joined before they are sorted.
    keys = list(query.sorted(user, now).values_list("pk", flat=True)[start : start + PAGE + 1])
    tickets = Ticket.objects.with_people().in_bulk(keys)
    return [tickets[key] for key in keys]


def count(queries: Iterable[Query], *, user: User, now: datetime) -> list[Count]:
    """How many tickets each finds, all in one query that stops at the cap."""
    selected = [
        query.tickets(user, now).order_by().values("pk")[: MOST_COUNTED + 1].query.sql_with_params()
        for query in queries
    ]
    if not selected:
        return []
    counts = ", ".join(f"(SELECT count(*) FROM ({sql}) AS found)" for sql, _ in selected)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [value for _, values in selected for value in values])
        return [Count(number) for number in cursor.fetchone()]


def next_after(ticket: Ticket, address: Mapping[str, str], user: User, now: datetime | None = None) -> Ticket | None:
    """The ticket that follows in the view of an address, or its first where none follows; None: it is empty.

    `ticket` as it was read before it was answered: its place in the order is that of its fields here.
    """
    now = now or timezone.now()
    try:
        query = Query.read(address)
    except UnknownFilterError:
        return None
    others = query.sorted(user, now).exclude(pk=ticket.pk)
    return others.filter(_follows(ticket, query.order.columns)).first() or others.first()


def _follows(ticket: Ticket, columns: tuple[str, ...]) -> Q:
    """That a row comes after the ticket, by the first column in which it differs."""
    after, alike = Q(), Q()
    for column in columns:
        name, descends = column.removeprefix("-"), column.startswith("-")
        value = getattr(ticket, name)
        if value is None:
            # The last ones: nothing comes after but others like them.
            alike &= Q(**{f"{name}__isnull": True})
            continue
        later = Q(**{f"{name}__{'lt' if descends else 'gt'}": value})
        if name == "next_deadline":
            later |= Q(next_deadline__isnull=True)
        after |= alike & later
        alike &= Q(**{name: value})
    return after


@dataclass(frozen=True, slots=True)
class Due:
    """How near a deadline is: a word, an icon of its own, a tone."""

    word: str
    icon: str
    tone: str


def due(ticket: Ticket, now: datetime) -> Due:
    deadline = ticket.next_deadline
    if deadline is None:
        return Due("No deadline", "horizontal_rule", "")
    if deadline < now:
        return Due(f"{span_in_words(now - deadline)} late", "alarm", "ended")
    if deadline <= now + DUE_SOON:
        return Due(f"in {span_in_words(deadline - now)}", "timer", "waiting")
    return Due(f"in {span_in_words(deadline - now)}", "schedule", "")


def span_in_words(span: timedelta) -> str:
    """“40 min”, “5 h” or “4 days”, cut off."""
    minutes = int(span.total_seconds()) // 60
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
