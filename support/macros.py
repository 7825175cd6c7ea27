"""Ready answers: what they would say and do on a ticket, before anything is said or done."""

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support.models import Macro, Priority, Ticket, TicketStatus
from support.redaction import redact
from support.reply_variables import VARIABLES, fill, values


@dataclass(frozen=True, slots=True)
class Preview:
    """`missing` names the variables that have no value here: with them it cannot be used. `does` is in words."""

    macro: Macro
    text: str
    missing: list[str]
    does: list[str]

    @property
    def refusal(self) -> str:
        return refusal_of(self.missing)


def offered_on(ticket: Ticket) -> QuerySet[Macro]:
    """Those for every program and for the ticket's."""
    return Macro.objects.filter(Q(program=None) | Q(program=ticket.program_id), is_active=True).order_by("name", "pk")


@sensitive_variables()
def preview(macro: Macro, *, ticket: Ticket, by: User) -> Preview:
    filled = fill(macro.body, values(ticket, by))
    # A customer's name may hold a code as any other text of his.
    return Preview(macro, redact(filled.text).text, filled.missing, _does(macro, ticket, by))


def effects(macro: Macro, *, ticket: Ticket, by: User) -> dict[str, Any]:
    """The fields that using it sets when it is sent, besides the status, which stands beside the box to be chosen."""
    fields: dict[str, Any] = {}
    if macro.priority:
        fields["priority"] = macro.priority
    if macro.add_tags:
        fields["tags"] = [*ticket.tags, *(tag for tag in macro.add_tags if tag not in ticket.tags)]
    if macro.assigns_to_me:
        fields["assignee"] = by
    return {name: value for name, value in fields.items() if getattr(ticket, name) != value}


@sensitive_variables()
def unfilled(text: str) -> list[str]:
    """The variables that still stand in a text, in their braces, also where somebody typed them by hand."""
    return list(dict.fromkeys(name for name in re.findall(r"\{\s*([a-z_]+)\s*\}", text) if name in VARIABLES))


def refusal_of(missing: list[str]) -> str:
    """The sentence that names what has no value; empty where everything has one."""
    if not missing:
        return ""
    names = " and ".join(f"{{{name}}}" for name in missing)
    return f"Nothing is known here to put in place of {names}. Fill it in on the ticket, or write it by hand."


def _does(macro: Macro, ticket: Ticket, by: User) -> list[str]:
    does = []
    if macro.status and macro.status != ticket.status:
        does.append(f"sets the status to {TicketStatus(macro.status).label}")
    fields = effects(macro, ticket=ticket, by=by)
    if "priority" in fields:
        does.append(f"sets the priority to {Priority(fields['priority']).label}")
    if "tags" in fields:
        does.append(f"adds {', '.join(tag for tag in fields['tags'] if tag not in ticket.tags)} to the tags")
    if "assignee" in fields:
        does.append("assigns the ticket to you")
    return does
