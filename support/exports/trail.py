"""The audit trail, event by event, as its page tells it."""

from collections.abc import Iterator, Mapping, Sequence

from redemption.models import User
from redemption.roles import Permission
from support.addresses import UnknownFilterError
from support.exports.files import Cell, Column, Kind
from support.exports.lists import List, ListError, Rows
from support.trail.query import Query
from support.trail.sentences import Line, lines

# Their names are read together.
_TOGETHER = 500
_COLUMNS = [
    Column("Event", Kind.NUMBER, width=10),
    Column("At (UTC)", Kind.MOMENT),
    Column("Person", width=24),
    Column("Role", width=16),
    Column("Action", width=20),
    Column("What happened", width=60),
    Column("Details", width=40),
    Column("Without a ticket", width=10),
    Column("About", width=24),
    Column("Personal details", personal=True, width=40),
]


def _address(address: Mapping[str, str]) -> str:
    try:
        return Query.read(address).address
    except UnknownFilterError:
        raise ListError("The audit trail has no such filter.") from None


def _events(address: Mapping[str, str], user: User) -> Rows:
    # Nobody knows how many there are before they are read: by its filters, nothing counts a trail of years.
    return Rows(None, _read(Query.read(address), user))


def _read(query: Query, user: User) -> Iterator[Sequence[Cell]]:
    """The newest first, by pages: what is written meanwhile comes before the first of them, and into none."""
    before = None
    while events := query.events(_TOGETHER, before=before):
        before = (events[-1].at, events[-1].pk)
        for line in lines(events, shown_to=user, few=None):
            if not query.unticketed or line.has_no_ticket:
                yield _event(line)


def _event(line: Line) -> Sequence[Cell]:
    event = line.event
    return [
        event.pk,
        event.at,
        next((part.text for part in line.parts if part.person), ""),
        line.role,
        event.action,
        line.sentence,
        "; ".join("".join(part.text for part in fact) for fact in line.facts),
        line.has_no_ticket,
        event.target,
        "erased" if line.is_erased else line.personal,
    ]


AUDIT = List("audit", "Audit trail", Permission.VIEW_AUDIT, _COLUMNS, _address, _events)
