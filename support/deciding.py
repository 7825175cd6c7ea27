"""Everything that somebody needs to decide a request, read for one page: who asks and his numbers against the limits in
force, the ticket with its files, the card, the account and what it got before, and what has changed since."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from redemption.models import Account, ApprovalAction, Code, CodeStatus, User, Wallet
from redemption.money import format_minor
from redemption.roles import Permission, Role
from support import attachments, earlier_credits, policy, ticket_search
from support.actions import credits, reversals
from support.asked import Asked
from support.diagnosis import card_of, diagnose, verdict
from support.limits import LABELS, Difference, allowed, differences, in_words, is_count, matrix_of
from support.models import CreditLimit, CreditPolicy, ManualCredit, Ticket, format_amount
from support.policy import Hit
from support.reported_request import Reported, reported
from support.thread import Entry, thread
from support.timeline import account_timeline, timeline

MOST_MESSAGES = 4
MOST_TICKETS = 5
MOST_EVENTS = 12
# Of a range of cards: counting more takes longer than anybody waits for a page.
MOST_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Number:
    """One limit of whoever asks, as it stands now. `was_passed`: when it was asked for."""

    label: str
    used: str
    then: str
    allowed: str
    is_passed: bool
    was_passed: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """`alone`: as the limits are now, nobody else would have to decide. `changes`: of this role's limits in this unit,
    since the request was made."""

    rows: list[Number]
    version: CreditPolicy
    asked_under: int
    asked_as: Role
    alone: bool
    changes: list[Difference]


def measured(asked: Asked, *, now: datetime) -> Measured | None:
    """The numbers of a credit; nothing else has limits."""
    payload, by = asked.request.payload, asked.request.requested_by
    if asked.request.action != ApprovalAction.CREDIT or not asked.account or not asked.reason:
        return None
    current = policy.current_policy()
    limit = policy.limit_of(by.role, asked.unit, current)
    so_far = policy.used(by=by, account=asked.account, unit=asked.unit, now=now)
    passed = policy.hits(limit, so_far, amount=asked.amount, reason=asked.reason)
    rows = [_number(asked, hit, limit, so_far, passed) for hit in Hit if hit != Hit.REASON]
    changes = []
    if payload["policy"] != current.pk:
        before = matrix_of(CreditPolicy(pk=payload["policy"]))
        changes = [
            change
            for change in differences(before, matrix_of(current))
            if (change.unit, change.role) == (asked.unit, payload["role"]) and change.field != "approves"
        ]
    return Measured(rows, current, payload["policy"], Role(payload["role"]), not passed, changes)


def _number(asked: Asked, hit: Hit, limit: CreditLimit, so_far: dict[str, int], passed: list[Hit]) -> Number:
    field = hit.value
    used = so_far.get(field, 0)
    adds = 1 if is_count(field) else asked.amount
    return Number(
        LABELS[field],
        used="" if hit == Hit.SINGLE else in_words(field, used, asked.unit),
        then=in_words(field, used + adds, asked.unit),
        allowed=allowed(field, getattr(limit, field), asked.unit),
        is_passed=hit in passed,
        was_passed=hit in asked.hits,
    )


def hindrance(asked: Asked, *, now: datetime, about: Reported | None = None) -> str:
    """Why approving would be refused as things stand, in a sentence; "" where nothing is known to be in its way.
    `about`: what has been read of a report's cards already."""
    payload, by = asked.request.payload, asked.request.requested_by
    match ApprovalAction(asked.request.action):
        case ApprovalAction.CREDIT:
            try:
                credits.check(credits.wanted_by(payload), by)
            except credits.CreditError as refused:
                return str(refused)
        case ApprovalAction.REVERSAL | ApprovalAction.MOVE:
            if not left_now(asked, now=now):
                return "Nothing of it is left."
            if stop := policy.stopped():
                return f"All credits are stopped: {stop.reason}"
        case ApprovalAction.POLICY:
            if policy.current_policy().pk != payload.get("base"):
                return "The limits were changed since this was asked for: it must be asked anew."
            if not by.may(Permission.MANAGE_CREDITS):
                return f"{by} may not change limits any more."
        case ApprovalAction.VOID | ApprovalAction.REPLACE if asked.report:
            if not by.may(Permission.REQUEST):
                return f"{by} may not ask for this any more."
            return (about or reported(asked.request, now=now)).hindrance
    return ""


def left_now(asked: Asked, *, now: datetime) -> int:
    """Of what is taken back or moved, in minor units or days."""
    if asked.credit:
        return reversals.left_of(asked.credit, now=now)
    return reversals.left_to_move(asked.redemption, now=now)[0] if asked.redemption else 0


def case_of(asked: Asked, *, waits: bool, shown_to: User, now: datetime) -> dict[str, Any]:
    """The context of the page. What the request does not name is left out; and of what was decided, what is measured
    now, because what it did is among it."""
    requester = asked.request.requested_by
    takes_back = asked.credit or asked.redemption
    return {
        "measured": measured(asked, now=now) if waits else None,
        "left_now": format_amount(left_now(asked, now=now), asked.unit) if waits and takes_back else "",
        "granted": list(_granted_by(requester)[: earlier_credits.MOST_SHOWN]) if asked.account else [],
        **_ticket(asked, shown_to),
        **_card(asked, shown_to, now),
        "range_words": _of_range(asked) if waits else "",
        "reported": reported(asked.request, now=now) if waits and asked.report else None,
        **_account(asked, shown_to),
    }


def _granted_by(person: User) -> QuerySet[ManualCredit]:
    return earlier_credits.with_all(ManualCredit.objects.filter(granted_by=person)).order_by("-granted_at", "-pk")


def _ticket(asked: Asked, shown_to: User) -> dict[str, Any]:
    if not asked.ticket:
        return {"files": []}
    visible = Ticket.objects.visible_to(shown_to).select_related("program", "account", "assignee", "known_error")
    ticket = visible.filter(pk=asked.ticket.pk).first()
    if not ticket:
        return {"files": []}
    story = thread(ticket, shown_to=shown_to)
    written: list[Entry] = [entry for entry in story.entries if entry.message]
    return {
        "ticket": ticket,
        "latest": written[-MOST_MESSAGES:],
        "has_earlier": len(written) > MOST_MESSAGES or story.older is not None,
        **attachments.shown(ticket, shown_to),
    }


def _card(asked: Asked, shown_to: User, now: datetime) -> dict[str, Any]:
    card = card_of(asked.card)
    if not card:
        return {"card": None}
    shows_people = shown_to.may(Permission.SEE_PERSONAL_DATA)
    customer = asked.origin or asked.account
    is_of_program = customer and customer.program_id == card.batch.product.program_id
    return {
        "card": card,
        "verdict": verdict(card, timeline(card).events, shows_people=shows_people, now=now),
        "diagnosis": diagnose(card, customer, now=now) if customer and is_of_program else None,
        "diagnosed": customer,
    }


def _of_range(asked: Asked) -> str:
    """How many cards of a range are in which status: those that are spent or ended stay as they are."""
    if not asked.card or not asked.last or asked.last - asked.card >= MOST_COUNTED:
        return ""
    cards = Code.objects.filter(serial__range=(asked.card, asked.last)).order_by("status")
    counts = cards.values_list("status").annotate(Count("pk"))
    return ", ".join(f"{count:,} {CodeStatus(status).label.lower()}" for status, count in counts)


def _account(asked: Asked, shown_to: User) -> dict[str, Any]:
    if not asked.account:
        return {"account": None, "accounts": []}
    accounts = [account for account in (asked.origin, asked.account) if account]
    wallets: dict[int, list[str]] = {}
    for wallet in Wallet.objects.filter(account__in=accounts).order_by("currency"):
        wallets.setdefault(wallet.account_id, []).append(format_minor(wallet.balance, wallet.currency))
    tickets = list(ticket_search.of_account(asked.account, by=shown_to)[: MOST_TICKETS + 1])
    story = account_timeline(asked.account, tickets[:MOST_TICKETS])
    cut = story.has_older or len(story.entries) > MOST_EVENTS
    return {
        "account": asked.account,
        "accounts": [(account, wallets.get(account.pk, [])) for account in accounts],
        "tickets": [ticket for ticket in tickets if not asked.ticket or ticket.pk != asked.ticket.pk][:MOST_TICKETS],
        "timeline": replace(story, entries=story.entries[-MOST_EVENTS:], has_older=cut),
    }


def earlier(asked: Asked, case: dict[str, Any], *, now: datetime) -> earlier_credits.Earlier | None:
    """Credits that were granted before, of the account, for the card and for the ticket's files."""
    account: Account | None = asked.account
    if not account:
        return None
    return earlier_credits.earlier(account, card=case["card"], files=case["files"], now=now)
