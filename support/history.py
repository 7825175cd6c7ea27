"""A ticket's history in sentences: what was changed, from what to what, by whom."""

from collections.abc import Iterable
from typing import Any

from redemption.models import Account, Program, Retailer, User
from redemption.roles import Permission
from support.models import (
    KnownError,
    Priority,
    StepTried,
    Surface,
    Ticket,
    TicketEvent,
    TicketEventKind,
    TicketStatus,
)

_WORDS = {
    "error_message": "error message",
    "known_error": "known error",
    "surface": "where it was seen",
    "steps_tried": "steps tried",
    "requester_name": "requester’s name",
    "requester_email": "requester’s e-mail address",
    "code": "card",
}
# What making and undoing a link is called, on the ticket that the event stands on.
_LINKS = {
    "merged_into": ("merged it into {}", "took it out of {} again"),
    "merged": ("merged {} into it", "took {} out of it again"),
    "duplicate_of": ("marked it as a duplicate of {}", "no longer has it as a duplicate of {}"),
    "problem": ("attached it to the problem {}", "detached it from the problem {}"),
    "is_problem": ("marked it as a problem", "no longer has it as a problem"),
}
_FIRST = ("status", "priority", "assignee", "tags")
_CHOICES: dict[str, Any] = {"status": TicketStatus, "priority": Priority, "surface": Surface, "steps_tried": StepTried}
_ROWS: dict[str, Any] = {
    "assignee": User,
    "account": Account,
    "program": Program,
    "retailer": Retailer,
    "known_error": KnownError,
    "problem": Ticket,
    "duplicate_of": Ticket,
    "merged_into": Ticket,
    "merged": Ticket,
}


def sentences(events: Iterable[TicketEvent], *, shown_to: User) -> dict[int, str]:
    """By event; an answer that changed nothing else has none, because the message itself tells of it.

    At most one query for each kind of row that the changes name.
    """
    events = list(events)
    names = _names(events, shown_to)
    told = {}
    for event in events:
        changes = {field: _change(field, event.changes[field], names) for field in sorted(event.changes, key=_place)}
        told[event.pk] = _sentence(TicketEventKind(event.kind), changes)
    return {key: sentence for key, sentence in told.items() if sentence}


def _place(field: str) -> tuple[int, str]:
    """JSON keeps no order: what matters most comes first."""
    return _FIRST.index(field) if field in _FIRST else len(_FIRST), field


def _sentence(kind: TicketEventKind, changes: dict[str, str]) -> str:
    """From the parts that tell of each field."""
    target = next((changes.pop(name) for name in _LINKS if name in changes), "")
    what = ", ".join(changes.values())
    match kind:
        case TicketEventKind.CHANGED:
            return f"changed {what}" if what else ""
        case TicketEventKind.REPLIED:
            return f"answered, which changed {what}" if what else ""
        case TicketEventKind.MERGED | TicketEventKind.UNMERGED | TicketEventKind.LINKED | TicketEventKind.UNLINKED:
            return ", ".join(part for part in (target, what) if part) or kind.label
    return f"{kind.label}, which changed {what}" if what else kind.label


def _change(field: str, values: list[Any], names: dict[tuple[type, int], str]) -> str:
    word = _WORDS.get(field, field)
    if len(values) != 2:
        return f"the {word}"
    before, after = (_value(field, value, names) for value in values)
    if field in _LINKS:
        made, undone = _LINKS[field]
        return made.format(after) if values[1] else undone.format(before)
    if not after:
        return f"{word} from {before} to none"
    return f"{word} from {before} to {after}" if before else f"{word} to {after}"


def _value(field: str, value: Any, names: dict[tuple[type, int], str]) -> str:
    if value in (None, "", [], False):
        return ""
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(_value(field, part, names) for part in value)
    if field in _CHOICES and value in _CHOICES[field].values:
        return str(_CHOICES[field](value).label)
    if field in _ROWS:
        return names.get((_ROWS[field], value), "one that is not shown")
    return str(value)


def _names(events: list[TicketEvent], shown_to: User) -> dict[tuple[type, int], str]:
    wanted: dict[Any, set[int]] = {}
    for event in events:
        for field, values in event.changes.items():
            if field in _ROWS:
                wanted.setdefault(_ROWS[field], set()).update(value for value in values if value)
    if not shown_to.may(Permission.VIEW_ACCOUNTS):
        wanted.pop(Account, None)
    rows = {model: model.objects.all() for model in wanted} | {Ticket: Ticket.objects.visible_to(shown_to)}
    return {
        (model, key): getattr(row, "reference", None) or str(row)
        for model, keys in wanted.items()
        for key, row in rows[model].in_bulk(keys).items()
    }
