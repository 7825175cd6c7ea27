"""The tickets that belong to one, for showing: what each is to it, and how the link is undone."""

import secrets
from dataclasses import dataclass

from redemption.models import User
from support.models import Ticket

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Linked:
    """`undo`: the verb, on the ticket `whose`, that takes the link away."""

    ticket: Ticket
    word: str
    whose: str
    undo: str
    undo_label: str


@dataclass(frozen=True, slots=True)
class Links:
    rows: list[Linked]
    has_more: bool
    # Of a problem: how many are still to be answered, and the key by which sending twice answers once.
    open_incidents: int
    key: str

    @property
    def is_empty(self) -> bool:
        return not self.rows


def links_of(ticket: Ticket, *, shown_to: User) -> Links:
    """Three queries and one that counts, whatever is linked. Tickets that `shown_to` may not see stay out."""
    visible = Ticket.objects.visible_to(shown_to)
    up = [key for key in (ticket.problem_id, ticket.duplicate_of_id, ticket.merged_into_id) if key]
    above = {row.pk: row for row in visible.filter(pk__in=up)} if up else {}
    rows = []
    for key, word, undo, label in (
        (ticket.merged_into_id, "Merged into", "unmerge", "Undo the merge"),
        (ticket.problem_id, "Incident of", "no-incident", "Detach"),
        (ticket.duplicate_of_id, "Duplicate of", "no-duplicate", "Not a duplicate"),
    ):
        if key in above:
            rows.append(Linked(above[key], word, ticket.reference, undo, label))
    has_more = False
    for name, word, undo, label in (
        ("merged_into", "Merged into this one", "unmerge", "Undo the merge"),
        ("duplicate_of", "Duplicate of this one", "no-duplicate", "Not a duplicate"),
        ("problem", "Incident of this one", "no-incident", "Detach"),
    ):
        if name == "problem" and not ticket.is_problem:
            continue
        found = list(visible.filter(**{name: ticket.pk}).order_by("pk")[: MOST_SHOWN + 1])
        has_more |= len(found) > MOST_SHOWN
        rows += [Linked(row, word, row.reference, undo, label) for row in found[:MOST_SHOWN]]
    open_incidents = visible.unfinished().filter(problem=ticket.pk).count() if ticket.is_problem else 0
    return Links(rows, has_more, open_incidents, secrets.token_urlsafe(12))
