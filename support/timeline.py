"""One story of a card: made, sold, tried, redeemed, stopped, asked about, with who and why; and one of an account. A
constant number of queries, each on an index that stays small however many cards there are, and none that counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db.models import BooleanField, F, Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.text import Truncator

from redemption.models import (
    Account,
    Attempt,
    AttemptOutcome,
    CardEvent,
    CardEventKind,
    Code,
    Invoice,
    InvoiceStatus,
    PremiumGrant,
    Transfer,
    TransferKind,
    User,
)
from redemption.money import format_minor
from redemption.refusals import REFUSALS, RefusalReason
from support.models import ManualCredit, Message, MessageKind, Ticket, TicketStatus

MOST_SHOWN = 50
# Of a message: enough to know which one it is.
LONGEST_EXCERPT = 160
_Row = TypeVar("_Row", bound=Model)

_ICONS = {
    CardEventKind.ISSUED: "print",
    CardEventKind.IMPORTED: "upload_file",
    CardEventKind.BATCH_ACTIVATED: "inventory",
    CardEventKind.BATCH_FROZEN: "ac_unit",
    CardEventKind.BATCH_THAWED: "wb_sunny",
    CardEventKind.BATCH_CLOSED: "lock",
    CardEventKind.EXTENDED: "event_repeat",
    CardEventKind.ACTIVATED: "point_of_sale",
    CardEventKind.FROZEN: "ac_unit",
    CardEventKind.THAWED: "wb_sunny",
    CardEventKind.VOIDED: "block",
    CardEventKind.REPLACED: "swap_horiz",
    CardEventKind.SUCCEEDED: "swap_horiz",
    CardEventKind.SENT: "forward_to_inbox",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the story. `account` and `country` concern a customer: they are shown by role. `card`: the serial
    number, in an account's story."""

    at: datetime
    icon: str
    title: str
    detail: str = ""
    by: User | None = None
    attempt: Attempt | None = None
    account: Account | None = None
    country: str = ""
    card: int | None = None
    ticket: Ticket | None = None
    credit: ManualCredit | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Newest last. `events` are the card's own and its batch's. `has_older`: more than the limit, left out."""

    entries: list[Entry]
    events: list[CardEvent]
    has_older: bool


def timeline(code: Code, tickets: Sequence[Ticket] = (), *, with_credits: bool = False) -> Timeline:
    """A card's story, from its newest fifty attempts, near attempts, events of it and of its batch, and transfers; and
    from the tickets given, which are those that the reader may see. `with_credits`: with those that agents granted for
    it, which not every reader may see."""
    events = _events(code)
    tries = Attempt.objects.select_related("account")
    # Its index holds them in this order: a code that was tried ten thousand times costs no more.
    attempts = list(tries.filter(code=code.pk).order_by("-pk")[: MOST_SHOWN + 1])
    near = _newest(tries.filter(near_code=code.pk))
    transfers = _newest(_told(Transfer.objects.filter(code=code.pk)))
    days = _newest(_credits().filter(code=code.pk, transfer=None)) if with_credits else []
    messages = _messages(tickets)
    entries = [
        *map(_event, events[-MOST_SHOWN:]),
        *map(_attempt, attempts[:MOST_SHOWN]),
        *map(_near_attempt, near[:MOST_SHOWN]),
        *(_transfer(transfer) for transfer in transfers[:MOST_SHOWN] if with_credits or not _is_credit(transfer)),
        *(entry for credit in days[:MOST_SHOWN] for entry in _credited_days(credit)),
        *_asked(tickets, messages[:MOST_SHOWN]),
    ]
    return Timeline(
        # Stable: of what happened at one instant, events stand before attempts, and attempts before their transfers.
        entries=sorted(entries, key=lambda entry: entry.at),
        events=events,
        has_older=any(len(rows) > MOST_SHOWN for rows in (events, attempts, near, transfers, days, messages)),
    )


def account_timeline(account: Account, tickets: Sequence[Ticket] = ()) -> Timeline:
    """An account's story, from its newest fifty attempts, transfers, grants and invoices, and the tickets given."""
    attempts = _newest(Attempt.objects.filter(account=account.pk))
    transfers = _newest(_told(Transfer.objects.filter(wallet__account=account.pk)))
    of_credit = [f"credit__{name}" for name in _OF_CREDIT]
    own_grants = PremiumGrant.objects.filter(account=account.pk)
    grants = _newest(own_grants.select_related(*of_credit, "redemption__reversal"))
    invoices = _newest(Invoice.objects.filter(account=account.pk).exclude(due=0))
    messages = _messages(tickets)
    entries = [
        *(_own_attempt(attempt) for attempt in attempts[:MOST_SHOWN]),
        *(replace(_transfer(transfer), card=transfer.code_id) for transfer in transfers[:MOST_SHOWN]),
        *(entry for grant in grants[:MOST_SHOWN] for entry in _granted(grant)),
        *(entry for invoice in invoices[:MOST_SHOWN] for entry in _billed(invoice)),
        *_asked(tickets, messages[:MOST_SHOWN]),
    ]
    return Timeline(
        entries=sorted(entries, key=lambda entry: entry.at),
        events=[],
        has_older=any(len(rows) > MOST_SHOWN for rows in (attempts, transfers, grants, invoices, messages)),
    )


def _events(code: Code) -> list[CardEvent]:
    """Oldest first. Two queries, because each has its own partial index: tills write one-card events by the million."""
    events = CardEvent.objects.select_related("by")
    is_of_one_card = Q(first_serial=F("last_serial"))
    # Not “first_serial = …”: of first = last and first = 5 PostgreSQL makes first = 5 and last = 5, and then no longer
    # sees that the index holds the row. An array is left as it is.
    starts_here = RawSQL("redemption_cardevent.first_serial = ANY(%s::bigint[])", ([code.pk],), BooleanField())
    of_card = events.filter(is_of_one_card, starts_here)
    # Not “last_serial >= …”: PostgreSQL would expect a third of all events, and send out workers to fetch them.
    covers = RawSQL(
        "int8range(redemption_cardevent.first_serial, redemption_cardevent.last_serial, '[]') @> %s::bigint",
        (code.pk,),
        BooleanField(),
    )
    of_range = events.filter(~is_of_one_card, covers, batch=code.batch_id, first_serial__lte=code.pk)
    return sorted(_newest(of_card) + _newest(of_range), key=lambda event: event.pk)


def _newest(rows: QuerySet[_Row]) -> list[_Row]:
    """One more than is shown, so that leaving some out is known without counting.

    Ordered by an expression: for the plain key PostgreSQL may walk the whole table backwards, hoping for fifty soon.
    """
    return list(rows.order_by((F("pk") + 0).desc())[: MOST_SHOWN + 1])


def _event(event: CardEvent) -> Entry:
    kind = CardEventKind(event.kind)
    details = []
    if event.first_serial != event.last_serial:
        details.append(f"cards {event.first_serial} to {event.last_serial}")
    if kind is CardEventKind.EXTENDED:
        details.append(f"from {event.details.get('from')} to {event.details.get('to')}")
    if event.reason:
        details.append(event.reason)
    return Entry(event.at, _ICONS[kind], kind.label, "; ".join(details), by=event.by)


def _attempt(attempt: Attempt, *, of_account: bool = False) -> Entry:
    icon, title, detail = "search", attempt.get_outcome_display(), ""
    if attempt.outcome == AttemptOutcome.REDEEMED:
        icon = "redeem"
    elif attempt.reason:
        reason = RefusalReason(attempt.reason)
        icon, title, detail = "do_not_disturb_on", f"Refused: {reason.label}", REFUSALS[reason].agent
    return _tried(attempt, icon, title, detail, of_account=of_account)


def _near_attempt(attempt: Attempt) -> Entry:
    return _tried(attempt, "spellcheck", "Mistyped", "Somebody typed a code one slip away from this card’s.")


def _tried(attempt: Attempt, icon: str, title: str, detail: str, *, of_account: bool = False) -> Entry:
    account = None if of_account else attempt.account
    return Entry(attempt.at, icon, title, detail, attempt=attempt, account=account, country=attempt.apparent_country)


def _told(transfers: QuerySet[Transfer]) -> QuerySet[Transfer]:
    """With the credits that they are of, in the same query."""
    of_credit = [f"credit_granted__{name}" for name in _OF_CREDIT]
    return transfers.select_related(*of_credit, "reverses__credit_granted__ticket")


def _is_credit(transfer: Transfer) -> bool:
    kinds = {transfer.kind, transfer.reverses.kind if transfer.reverses else ""}
    return TransferKind.MANUAL_CREDIT in kinds


def _transfer(transfer: Transfer) -> Entry:
    amount = format_minor(transfer.amount, transfer.currency)
    books = f"{amount}: {transfer.get_debit_display()} → {transfer.get_credit_display()}"
    if credit := getattr(transfer, "credit_granted", None):
        return replace(_credited(credit), detail=books)
    title, taken_back = transfer.get_kind_display(), None
    if transfer.reverses:
        taken_back = getattr(transfer.reverses, "credit_granted", None)
        if taken_back:
            title = "Credit taken back"
        elif transfer.reverses.kind == TransferKind.REDEEM:
            title = "Moved to another account"
    ticket = taken_back.ticket if taken_back else None
    return Entry(transfer.effective_at, "payments", title, books, ticket=ticket, credit=taken_back)


def _own_attempt(attempt: Attempt) -> Entry:
    """Of the account whose story it is: it names the card instead."""
    return replace(_attempt(attempt, of_account=True), card=attempt.code_id)


def _grant(grant: PremiumGrant) -> Entry:
    return Entry(grant.at, "workspace_premium", "Premium time", str(grant))


def _granted(grant: PremiumGrant) -> list[Entry]:
    """Of a credit, or of a card: with what was taken back of it."""
    if credit := getattr(grant, "credit", None):
        return _credited_days(credit)
    entries = [_grant(grant)]
    if reversal := getattr(grant.redemption, "reversal", None):
        told = f"{reversal.shown} of premium time"
        entries.append(Entry(reversal.at, "workspace_premium", "Moved to another account", told))
    return entries


def _billed(invoice: Invoice) -> list[Entry]:
    """What was asked of a payment method, and what became of it; credit's own part is a transfer."""
    month, rest = f"{invoice.get_plan_display()}, {invoice.month}", invoice.shown_due
    if invoice.was_not_asked:
        return [Entry(invoice.at, "money_off", "Fell to Free", f"{month}: neither credit nor a payment method paid it")]
    entries = [Entry(invoice.at, "request_quote", f"{rest} due from the payment method", month)]
    if invoice.settled_at:
        if invoice.status == InvoiceStatus.FAILED:
            entries.append(Entry(invoice.settled_at, "money_off", f"{rest} not paid", month))
        else:
            entries.append(Entry(invoice.settled_at, "payments", f"{rest} paid", month))
    return entries


# --- Credits

# What a line about one names.
_OF_CREDIT = ("reason", "granted_by", "ticket", "reversal")


def _credits() -> QuerySet[ManualCredit]:
    return ManualCredit.objects.select_related(*_OF_CREDIT)


def _credited(credit: ManualCredit) -> Entry:
    title = f"{credit.shown} {'moved here' if credit.moves_id else 'credited'}: {credit.reason}"
    by, ticket = credit.granted_by, credit.ticket
    return Entry(credit.granted_at, "add_card", title, by=by, ticket=ticket, credit=credit)


def _credited_days(credit: ManualCredit) -> list[Entry]:
    """Premium time makes no transfers: the credit tells both what it gave and what was taken back."""
    entries = [replace(_credited(credit), icon="workspace_premium")]
    if reversal := getattr(credit, "reversal", None):
        told = f"{reversal.shown} of premium time"
        entries.append(Entry(reversal.at, "undo", "Credit taken back", told, ticket=credit.ticket, credit=credit))
    return entries


# --- Tickets

_MESSAGE_ICONS = {
    MessageKind.CUSTOMER: "mail",
    MessageKind.REPLY: "reply",
    MessageKind.NOTE: "sticky_note_2",
}


def _messages(tickets: Sequence[Ticket]) -> list[Message]:
    """One query, and none where nobody asked."""
    if not tickets:
        return []
    return _newest(Message.objects.select_related("author").filter(ticket__in=[ticket.pk for ticket in tickets]))


def _asked(tickets: Sequence[Ticket], messages: Iterable[Message]) -> list[Entry]:
    by_id = {ticket.pk: ticket for ticket in tickets}
    opened = [
        Entry(ticket.created_at, "confirmation_number", "Ticket opened", ticket.subject, ticket=ticket)
        for ticket in tickets
    ]
    written = [
        Entry(
            message.at,
            _MESSAGE_ICONS[MessageKind(message.kind)],
            message.get_kind_display(),
            Truncator(" ".join(message.body.split())).chars(LONGEST_EXCERPT),
            by=message.author if message.kind != MessageKind.CUSTOMER else None,
            ticket=by_id[message.ticket_id],
        )
        for message in sorted(messages, key=lambda message: message.pk)
    ]
    solved = [
        Entry(ticket.solved_at, "task_alt", f"Ticket {TicketStatus(ticket.status).label.lower()}", ticket=ticket)
        for ticket in tickets
        if ticket.solved_at
    ]
    return [*opened, *written, *solved]
