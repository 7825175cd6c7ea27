"""Which tickets a typed text names: by reference, by the requester's address, by words.

Half a million tickets hold two million messages, and some words stand in most of them: nothing here ranks all matches.
What is typed may be anything: error reports leave it out.
"""

import re
from collections.abc import Iterable

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.views.decorators.debug import sensitive_variables

from redemption.models import Account, Code, User
from redemption.roles import Permission
from support.models import DONE, Ticket
from support.models.ticket import TicketQuerySet
from support.references import read_reference

# Frequent words are found among the newest tickets and messages, without an index; rare ones by the index.
NEWEST = 2000
# The newest matches, of which the latest changed ones are listed: enough for a role that sees few of them.
MOST_MATCHES = 1000
# A shorter beginning of a word is no help: “a” begins a word of every message.
SHORTEST_BEGINNING = 3

_REFERENCE = re.compile(r"(?<![^\W_])TK[\W_]{0,3}(?:[^\W_]{4}[\W_]{0,3}){2}[^\W_]{4}(?![^\W_])", re.IGNORECASE)
_LAST_WORD = re.compile(r"(.*?)(?<![^\s])(\w+)", re.DOTALL)


@sensitive_variables()
def find(text: str, *, by: User, limit: int) -> list[Ticket]:
    """Tickets that the text names and `by` may see, the latest changed first: those whose reference stands in it, else
    those that hold its words."""
    return named(text, by=by)[:limit] or _with_words(text, by=by, limit=limit)


@sensitive_variables()
def named(text: str, *, by: User) -> list[Ticket]:
    """Tickets whose references stand in the text, alone or among words, in any spelling."""
    references = {read_reference(reference) for reference in _REFERENCE.findall(text)} | {read_reference(text)}
    references -= {None}
    if not references:
        return []
    return list(_visible(by).filter(reference__in=references).order_by("-updated_at", "-pk"))


@sensitive_variables()
def asked_by(email: str, *, by: User, limit: int) -> list[Ticket]:
    """Of this requester's address, in any case. A role that may not see addresses cannot look one up either."""
    if not by.may(Permission.SEE_PERSONAL_DATA):
        return []
    return list(_visible(by).asked_by(email).order_by("-pk")[:limit])


def beside(codes: Iterable[Code], *, by: User, limit: int) -> list[Ticket]:
    """Tickets of these cards, unfinished ones first."""
    return list(unfinished_first(_visible(by).filter(code__in=[code.pk for code in codes]))[:limit])


def of_account(account: Account, *, by: User) -> QuerySet[Ticket]:
    """The account's tickets, and those from its address that no account was found for; unfinished ones first."""
    from_address = Ticket.objects.asked_by(account.email).filter(account=None)
    # Two indexes, one each: an OR over both columns would be left to the planner's luck.
    return unfinished_first(_visible(by).filter(Q(account=account) | Q(pk__in=from_address.values("pk"))))


def of_card(code: Code, *, by: User) -> QuerySet[Ticket]:
    return unfinished_first(_visible(by).filter(code=code))


def unfinished_first(tickets: QuerySet[Ticket]) -> QuerySet[Ticket]:
    is_finished = ExpressionWrapper(Q(status__in=DONE), BooleanField())
    return tickets.order_by(is_finished, "-updated_at", "-pk")


def _visible(by: User) -> TicketQuerySet:
    return Ticket.objects.visible_to(by).with_people()


# --- Words


# Without the names of requesters for a role that sees none: searching for one would tell whose a ticket is.
_TICKET = """t.search @@ (SELECT query FROM words)
    AND (%(names)s OR to_tsvector('simple', t.subject || ' ' || t.error_message) @@ (SELECT query FROM words))"""
_MESSAGE = "m.search @@ (SELECT query FROM words)"
# “-refund” alone would have to be looked for everywhere: such a search finds nothing. A subquery keeps the planner from
# guessing by the words that it knows to be frequent, and from reading whole tables for them.
_WORDS = """WITH words AS MATERIALIZED (SELECT CASE WHEN querytree(q) IN ('', 'T') THEN ''::tsquery ELSE q END AS query
    FROM (SELECT websearch_to_tsquery('simple', %(words)s) && to_tsquery('simple', %(beginning)s) AS q) AS typed)"""
_AMONG_NEWEST = f"""{_WORDS}
    SELECT t.id FROM (SELECT * FROM support_ticket ORDER BY id DESC LIMIT {NEWEST}) AS t WHERE {_TICKET}
    UNION
    SELECT m.ticket_id FROM (SELECT ticket_id, search FROM support_message ORDER BY id DESC LIMIT {NEWEST}) AS m
    WHERE {_MESSAGE}"""
_AMONG_ALL = f"""{_WORDS},
    tickets AS MATERIALIZED (SELECT t.id FROM support_ticket AS t WHERE {_TICKET}),
    messages AS MATERIALIZED (SELECT m.id, m.ticket_id FROM support_message AS m WHERE {_MESSAGE})
    (SELECT id FROM tickets ORDER BY id DESC LIMIT {MOST_MATCHES})
    UNION
    (SELECT ticket_id FROM messages ORDER BY id DESC LIMIT {MOST_MATCHES})"""


@sensitive_variables()
def _with_words(text: str, *, by: User, limit: int) -> list[Ticket]:
    words, beginning = _query(text)
    typed: dict[str, str | bool] = {
        "words": words,
        "beginning": beginning,
        "names": by.may(Permission.SEE_PERSONAL_DATA),
    }
    found: list[Ticket] = []
    for sql in (_AMONG_NEWEST, _AMONG_ALL):
        with connection.cursor() as cursor:
            cursor.execute(sql, typed)
            matches = [pk for (pk,) in cursor.fetchall()]
        found = list(_visible(by).filter(pk__in=matches).order_by("-updated_at", "-pk")[:limit]) if matches else []
        if len(found) == limit:
            break
    return found


@sensitive_variables()
def _query(text: str) -> tuple[str, str]:
    """What is typed, and the beginning of a word that it ends in: “refund rece” finds receipts. Quotes, “or” and a
    leading minus mean what they mean to search engines."""
    text = text.strip()
    split = _LAST_WORD.fullmatch(text)
    if not split or len(split[2]) < SHORTEST_BEGINNING or text.count('"') % 2:
        return text, ""
    if split[1].split()[-1:] and split[1].split()[-1].lower() == "or":
        return text, ""
    return split[1], f"'{split[2]}':*"
