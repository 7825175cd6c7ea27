"""Which looks at a customer had a ticket: its reader touched a ticket of that customer's within a day, before or after.

Told from the trail itself and from what tickets and redemptions say now: a card's tickets count for the account that it
was redeemed to, and that account's for the card.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from redemption.models import Attempt, Redemption
from support.models import AuditAction, AuditEvent, Ticket
from support.trail.query import Place, Query

LOOKS_AT_CUSTOMERS = frozenset({AuditAction.ACCOUNT_OPENED, AuditAction.CODE_OPENED, AuditAction.ATTEMPT_OPENED})
AROUND = timedelta(days=1)
# Looks that one page goes through in search of those without a ticket.
CHUNK, MOST_CHUNKS = 250, 8


def unticketed(events: Iterable[AuditEvent]) -> set[int]:
    """The keys of those of the events that are looks at a customer without a ticket. Four queries at most."""
    looks = [event for event in events if event.action in LOOKS_AT_CUSTOMERS]
    if not looks:
        return set()
    account_of_try = _accounts_of_tries(looks)
    subjects = {
        event.pk: (f"account:{account_of_try[event.target]}" if event.target in account_of_try else event.target)
        for event in looks
    }
    tickets_of = _tickets_of(set(subjects.values()))
    touched = defaultdict(list)
    targets = {f"ticket:{ticket}" for tickets in tickets_of.values() for ticket in tickets}
    if targets:
        worked = AuditEvent.objects.order_by().filter(
            target__in=targets,
            actor_id__in={event.actor_id for event in looks},
            at__gte=min(event.at for event in looks) - AROUND,
            at__lte=max(event.at for event in looks) + AROUND,
        )
        for actor, target, at in worked.values_list("actor_id", "target", "at"):
            touched[actor, target].append(at)

    def has_ticket(event: AuditEvent) -> bool:
        return any(
            abs(at - event.at) <= AROUND
            for ticket in tickets_of.get(subjects[event.pk], ())
            for at in touched[event.actor_id, f"ticket:{ticket}"]
        )

    return {event.pk for event in looks if not has_ticket(event)}


def _accounts_of_tries(looks: Iterable[AuditEvent]) -> dict[str, int]:
    """{“attempt:7”: account's id}"""
    tries = [id_of(event.target) for event in looks if event.target.startswith("attempt:")]
    found = Attempt.objects.filter(pk__in=tries).values_list("pk", "account_id") if tries else ()
    return {f"attempt:{pk}": account for pk, account in found}


def _tickets_of(subjects: set[str]) -> dict[str, set[int]]:
    """{“account:12”: tickets' ids}, of accounts and cards."""
    accounts, cards = (
        {id_of(subject) for subject in subjects if subject.startswith(kind)} for kind in ("account:", "code:")
    )
    redeemed = list(
        Redemption.objects.filter(account__in=accounts).values_list("account_id", "code_id")
        .union(Redemption.objects.filter(code__in=cards).values_list("account_id", "code_id"))
    )  # fmt: skip
    beside = defaultdict(set)
    for account, card in redeemed:
        beside[f"account:{account}"].add(f"code:{card}")
        beside[f"code:{card}"].add(f"account:{account}")
    all_accounts = accounts | {account for account, _ in redeemed}
    all_cards = cards | {card for _, card in redeemed}
    named = defaultdict(set)
    rows = (
        Ticket.objects.filter(account__in=all_accounts).values_list("pk", "account_id", "code_id")
        .union(Ticket.objects.filter(code__in=all_cards).values_list("pk", "account_id", "code_id"))
    )  # fmt: skip
    for ticket, account, card in rows:
        named[f"account:{account}"].add(ticket)
        named[f"code:{card}"].add(ticket)
    return {subject: named[subject].union(*(named[other] for other in beside[subject])) for subject in subjects}


def id_of(target: str) -> int:
    """Of such as “account:12”; 0, which nothing has, where it names no number."""
    name = target.partition(":")[2]
    return int(name) if name.isascii() and name.isdecimal() and len(name) <= 18 else 0


def page_without_ticket(query: Query, limit: int, *, before: Place | None) -> tuple[list[AuditEvent], Place | None]:
    """The newest looks without a ticket, and from where to go on; None: there are no more."""
    actions = (query.actions & LOOKS_AT_CUSTOMERS) if query.actions else LOOKS_AT_CUSTOMERS
    found: list[AuditEvent] = []
    for _ in range(MOST_CHUNKS if actions else 0):
        chunk = query.events(CHUNK, before=before, actions=actions)
        without = unticketed(chunk)
        for event in chunk:
            before = event.at, event.pk
            if event.pk in without:
                found.append(event)
                if len(found) == limit:
                    return found, before
        if len(chunk) < CHUNK:
            return found, None
    return found, before if actions else None
