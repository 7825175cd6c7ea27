"""Changing many tickets at once: what will happen is said first, and who is left out, and why."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import locks
from redemption.models import User
from redemption.roles import Permission
from support import audit
from support.actions.tickets import TicketError, change
from support.models import AuditAction, Priority, Ticket, TicketStatus
from support.queue import LONGEST_TAG
from support.redaction import redact
from support.workload import Workload, answering, sees

MOST_AT_ONCE = 500
# Tickets that are locked together; the rest of the desk waits for so many at most.
_CHUNK = 50
_TAG = re.compile(r"\w[\w .-]*")


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done to each ticket. `label` follows “to”: “give it to Ada”. `value` None of an assignee: the least
    loaded."""

    field: str
    value: Any
    label: str

    @property
    def shares_out(self) -> bool:
        return self.field == "assignee" and self.value is None


@dataclass(slots=True)
class Plan:
    """The tickets that a deed would change, and those that it would not: each with its reason."""

    changing: list[Ticket] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, list[str]]:
        """{why: references} of the skipped ones."""
        reasons: dict[str, list[str]] = {}
        for reference, why in self.skipped:
            reasons.setdefault(why, []).append(reference)
        return reasons


def deeds(by: User) -> list[tuple[str, list[tuple[str, str]]]]:
    """What `by` may choose, in groups: (heading, [(name, label)])."""
    people = [("assignee:me", "To me")]
    if by.may(Permission.ASSIGN_OTHERS):
        people.append(("assignee:least-loaded", "To whoever has the least to do"))
        people += [(f"assignee:{person.pk}", f"To {person}") for person in answering() if person != by]
    statuses = [status for status in TicketStatus if status is not TicketStatus.NEW]
    return [
        ("Assign", people),
        ("Set the status", [(f"status:{status}", status.label) for status in statuses]),
        ("Set the priority", [(f"priority:{value}", label) for value, label in reversed(Priority.choices)]),
        ("Tag", [("tags:", "Add the tag written beside this")]),
    ]


def deed_named(name: str, *, tag: str, by: User) -> Deed:
    """The deed of a form's choice. Raises TicketError where it is none, or not for this person."""
    offered = {name for _, group in deeds(by) for name, _ in group}
    if name not in offered:
        raise TicketError("Choose what to do.")
    kind, _, value = name.partition(":")
    match kind:
        case "status":
            status = TicketStatus(value)
            return Deed("status", status, f"set the status to {status.label}")
        case "priority":
            priority = Priority(int(value))
            return Deed("priority", priority, f"set the priority to {priority.label}")
        case "tags":
            tag = " ".join(tag.lower().split())
            if not _TAG.fullmatch(tag) or len(tag) > LONGEST_TAG:
                raise TicketError(f"A tag is letters and digits, {LONGEST_TAG} at most.")
            if redact(tag).text != tag:
                raise TicketError("There is a code in this tag.")
            return Deed("tags", tag, f"add the tag “{tag}”")
    if value == "least-loaded":
        return Deed("assignee", None, "give each to whoever has the least to do")
    person = by if value == "me" else User.objects.get(pk=int(value))
    return Deed("assignee", person, "assign to me" if person == by else f"assign to {person}")


def plan(tickets: Iterable[Ticket], *, deed: Deed, by: User) -> Plan:
    """What would come of it now; nothing is changed yet."""
    made = Plan()
    able = Workload() if deed.shares_out else None
    for ticket in tickets:
        if why := _why_not(ticket, deed, able):
            made.skipped.append((ticket.reference, why))
        else:
            made.changing.append(ticket)
    return made


def change_many(pks: Iterable[int], *, deed: Deed, by: User, now: datetime | None = None) -> Plan:
    """Does it, a chunk at a time, and gives what came of it. Each ticket has its history, all together one audit
    event. Of the tickets that `by` may not see nothing is said but that they are not there."""
    now = now or timezone.now()
    if deed.field == "assignee" and deed.value != by and not by.may(Permission.ASSIGN_OTHERS):
        raise TicketError("Your role assigns tickets to nobody but yourself.")
    # In the order of their keys, so that two who change the same tickets wait for each other and never in a circle.
    ordered = sorted(set(pks))
    if len(ordered) > MOST_AT_ONCE:
        raise TicketError(f"No more than {MOST_AT_ONCE} at once.")
    done = Plan()
    for chunk in _chunks(ordered):
        with transaction.atomic():
            _change_chunk(chunk, deed=deed, by=by, now=now, done=done)
    audit.record(
        AuditAction.TICKETS_CHANGED,
        by=by,
        field=deed.field,
        changed=len(done.changing),
        skipped=len(done.skipped),
        also=[f"ticket:{ticket.pk}" for ticket in done.changing],
    )
    return done


def _change_chunk(chunk: list[int], *, deed: Deed, by: User, now: datetime, done: Plan) -> None:
    workload = None
    if deed.shares_out:
        # Two who share out at once would both count the same person as the least loaded.
        locks.take(locks.WORKLOAD)
        workload = Workload()
    visible = Ticket.objects.visible_to(by).select_for_update(no_key=True).order_by("pk").in_bulk(chunk)
    done.skipped += [("", "It is not there any more.")] * (len(chunk) - len(visible))
    for ticket in (visible[pk] for pk in chunk if pk in visible):
        if why := _why_not(ticket, deed, workload):
            done.skipped.append((ticket.reference, why))
            continue
        value = deed.value
        if workload:
            value = workload.least_loaded(ticket)
        elif deed.field == "tags":
            value = [*ticket.tags, deed.value]
        try:
            change(ticket=ticket, by=by, now=now, **{deed.field: value})
        except TicketError as refused:
            done.skipped.append((ticket.reference, str(refused)))
            continue
        if workload:
            workload.add(value)
        done.changing.append(ticket)


def _why_not(ticket: Ticket, deed: Deed, workload: Workload | None) -> str:
    """Why the deed leaves this ticket as it is; empty where it changes it."""
    if ticket.merged_into_id:
        return "It was merged into another ticket."
    if workload:
        return "" if workload.least_loaded(ticket) else "Nobody who may answer it is there."
    before = getattr(ticket, deed.field)
    if deed.value in before if deed.field == "tags" else before == deed.value:
        return "It is so already."
    if deed.field == "assignee" and not sees(deed.value, ticket):
        return f"{deed.value} answers in public only, and this was not asked in public."
    if deed.field == "status" and ticket.is_problem and deed.value == TicketStatus.SOLVED:
        return "It gathers the tickets of an outage: solve it on its own page, where all of them are answered."
    return ""


def _chunks(pks: list[int]) -> Iterator[list[int]]:
    rest = iter(pks)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
