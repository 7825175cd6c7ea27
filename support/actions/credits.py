"""Manual credits: granted at once within the policy, asked for above it. The one way to a credit, for every caller."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import approvals, ledger, locks, premium
from redemption.code_spotting import CodeSpotter
from redemption.models import Account, Approval, ApprovalAction, ApprovalRequest, Book, Code, TransferKind, User
from redemption.roles import Permission, Role
from support import audit, policy
from support.actions import credited_cards
from support.actions.reports import ReportError
from support.credit_defaults import MOVED_CARD
from support.models import (
    DAYS,
    Attachment,
    AuditAction,
    CreditLimit,
    CreditReason,
    CreditReversal,
    ManualCredit,
    MessageKind,
    Proof,
    Ticket,
    TicketEventKind,
    format_amount,
)
from support.policy import Hit

# Of money, in minor units, and of premium time.
LARGEST = 10**12
MOST_DAYS = 3_660
LONGEST_NOTE = 1000

_SENT_BEFORE = "This form has granted a credit before: open a new one."


class CreditError(Exception):
    """It cannot be credited like this; the text says why. `field` is the form's that is wrong, "" for the whole."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NeedsSecondPersonError(CreditError):
    """It is above what this person may grant alone: `hits` says by which limits, `sentences` in words."""

    def __init__(self, hits: Sequence[Hit], limit: CreditLimit) -> None:
        self.hits = list(hits)
        self.sentences = [hit.sentence(limit) for hit in hits]
        super().__init__(" ".join(self.sentences))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be credited. `amount` in minor units of `unit`, or in days. `key` is the form's: the same key credits
    once."""

    account: Account
    unit: str
    amount: int
    reason: CreditReason
    ticket: Ticket
    code: Code | None = None
    receipt: Attachment | None = None
    note: str = ""
    key: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit)

    @property
    def target(self) -> str:
        """What waits at most once for a second person: a credit to this account, for this card."""
        return f"account:{self.account.pk}" + (f" code:{self.code.pk}" if self.code else "")

    def payload(self) -> dict[str, Any]:
        return {
            "account": self.account.pk,
            "unit": self.unit,
            "amount": self.amount,
            "reason": self.reason.slug,
            "ticket": self.ticket.pk,
            "code": self.code.pk if self.code else None,
            "receipt": self.receipt.pk if self.receipt else None,
            "note": self.note,
            "key": str(self.key),
        }


def grant(wanted: Wanted, *, by: User, now: datetime | None = None) -> ManualCredit:
    """Credits at once what this person may grant alone; the same key again gives the credit that it made.

    Raises NeedsSecondPersonError above the limits, CreditError where it cannot be credited at all.
    """
    now = now or timezone.now()
    with transaction.atomic():
        hold(by, wanted.account)
        # Under the lock: of a form that is sent twice at once, the second finds what the first has made.
        if again := _made_before(wanted, by):
            return again
        if wanted.code:
            credited_cards.hold_card(wanted.code)
        check(wanted, by)
        limit, passed = measure(wanted, by=by, now=now)
        if passed:
            raise NeedsSecondPersonError(passed, limit)
        credit = post(wanted, by=by, approval=None, now=now)
        credited_cards.note_credit(credit, now=now)
    return credit


def request(wanted: Wanted, *, why: str, by: User, now: datetime | None = None) -> ApprovalRequest:
    """Asks a second person for what is above the limits. What is within them is granted, not asked for."""
    now = now or timezone.now()
    with transaction.atomic():
        check(wanted, by)
        if ManualCredit.objects.filter(key=wanted.key).exists():
            raise CreditError(_SENT_BEFORE)
        limit, passed = measure(wanted, by=by, now=now)
        if not passed:
            raise CreditError("You may grant this yourself.")
        payload = {
            **wanted.payload(),
            "hits": [hit.value for hit in passed],
            "limits": [hit.sentence(limit) for hit in passed],
            "policy": limit.policy_id,
            "role": by.role,
        }
        asked = ask(
            ApprovalAction.CREDIT,
            target=wanted.target,
            payload=payload,
            why=why,
            by=by,
            customers=gainers(wanted),
            now=now,
        )
        audit.record(
            AuditAction.CREDIT_REQUESTED,
            by=by,
            target=f"account:{wanted.account.pk}",
            request=asked.pk,
            ticket=wanted.ticket.pk,
            unit=wanted.unit,
            amount=wanted.amount,
        )
    return asked


def ask(action: ApprovalAction, *, why: str, **what: Any) -> ApprovalRequest:
    """approvals.request(), with a CreditError where it refuses."""
    try:
        return approvals.request(action=action, reason=why, **what)
    except approvals.ApprovalError as refused:
        raise CreditError(str(refused)) from None


def wanted_by(payload: dict[str, Any]) -> Wanted:
    """What a request asks for, from its payload."""
    return Wanted(
        account=Account.objects.select_related("program").get(pk=payload["account"]),
        unit=payload["unit"],
        amount=payload["amount"],
        reason=CreditReason.objects.get(slug=payload["reason"]),
        ticket=Ticket.objects.get(pk=payload["ticket"]),
        code=Code.objects.get(pk=payload["code"]) if payload["code"] else None,
        receipt=Attachment.objects.get(pk=payload["receipt"]) if payload["receipt"] else None,
        note=payload["note"],
        key=uuid.UUID(payload["key"]),
    )


def grant_approved(approval: Approval, *, now: datetime | None = None) -> ManualCredit:
    """Credits what a second person has approved, once: the approval's request is what is credited, to the letter."""
    now = now or timezone.now()
    asked = approval.request
    approvals.require(approval, action=ApprovalAction.CREDIT, target=asked.target, payload=asked.payload)
    with transaction.atomic():
        wanted = wanted_by(asked.payload)
        hold(approval.requested_by, wanted.account)
        if ManualCredit.objects.filter(approval=approval).exists():
            raise CreditError("This approval was used before.")
        if ManualCredit.objects.filter(key=wanted.key).exists():
            raise CreditError("This was credited since it was asked for.")
        if wanted.code:
            credited_cards.hold_card(wanted.code)
        check(wanted, approval.requested_by)
        check_approver(approval, gainers(wanted))
        credit = post(wanted, by=approval.requested_by, approval=approval, now=now)
        credited_cards.note_credit(credit, now=now)
    return credit


def check_approver(approval: Approval, customers: Sequence[int]) -> None:
    """The request has kept who would gain when it was asked for; this is who would gain by now."""
    if approval.decided_by_id in customers:
        raise CreditError("You are the customer: a colleague must decide it.")


def measure(wanted: Wanted, *, by: User, now: datetime) -> tuple[CreditLimit, list[Hit]]:
    """The limit that holds for this person, and which of its rules the credit would pass."""
    limit = policy.limit_of(by.role, wanted.unit, policy.current_policy())
    so_far = policy.used(by=by, account=wanted.account, unit=wanted.unit, now=now)
    return limit, policy.hits(limit, so_far, amount=wanted.amount, reason=wanted.reason)


def customers_of(account: Account, *tickets: Ticket) -> list[int]:
    """The sign-ins of whoever would gain by it: the account's, and whoever has its or the ticket's address."""
    people = {account.user_id}
    addresses = {account.email.lower()}
    for ticket in tickets:
        addresses.add(ticket.requester_email.lower())
        if ticket.account:
            people.add(ticket.account.user_id)
            addresses.add(ticket.account.email.lower())
    # Addresses of people are unique in any case.
    for address in sorted(addresses - {""}):
        people.update(User.objects.filter(email__iexact=address).values_list("pk", flat=True))
    return sorted(person for person in people if person)


def gainers(wanted: Wanted, origin: Account | None = None) -> list[int]:
    """customers_of() a credit; of what is moved, from `origin`, its customers as well."""
    people = customers_of(wanted.account, wanted.ticket)
    return sorted({*people, *(customers_of(origin) if origin else [])})


def _made_before(wanted: Wanted, by: User) -> ManualCredit | None:
    """What the same form has made. Raises CreditError where it asks for something else now."""
    made = ManualCredit.objects.filter(key=wanted.key).first()
    if made is None:
        return None
    is_same = (made.granted_by_id, made.account_id, made.unit, made.amount, made.reason_id, made.ticket_id) == (
        by.pk,
        wanted.account.pk,
        wanted.unit,
        wanted.amount,
        wanted.reason.pk,
        wanted.ticket.pk,
    ) and (made.code_id, made.receipt_id) == (
        wanted.code and wanted.code.pk,
        wanted.receipt and wanted.receipt.pk,
    )
    if not is_same:
        raise CreditError(_SENT_BEFORE)
    return made


def hold(by: User, *accounts: Account) -> None:
    """The locks of a credit, in the order that everybody takes them: against a stop or a new policy, then of the two
    rolling sums. Two credits at once are measured one after the other, and each sees the one before it."""
    locks.share(locks.CREDITS, 0)
    locks.take(locks.CREDITS_BY, by.pk)
    for account in sorted(accounts, key=lambda account: account.pk):
        locks.take(locks.CREDITS_TO, account.pk)


def check(wanted: Wanted, by: User, *, origin: Account | None = None) -> None:
    """Everything but the limits. Raises CreditError with the field that is wrong. `origin` is the account that what is
    moved comes from: the ticket may as well be about that one."""
    if not by.may(Permission.GRANT_CREDITS):
        raise CreditError("Your role may not grant credits.")
    if stop := policy.stopped():
        raise CreditError(f"All credits are stopped since {stop.at:%-d %B %Y, %H:%M} UTC: {stop.reason}")
    if by.pk in gainers(wanted, origin):
        raise CreditError("You are the customer: a colleague must do it.")
    if wanted.unit not in {wanted.account.currency, DAYS}:
        raise CreditError(f"This account is in {wanted.account.currency}.", "unit")
    _check_amount(wanted)
    if wanted.reason.slug == MOVED_CARD and not origin:
        raise CreditError("What a card gave is moved from the card’s page.", "reason")
    if wanted.reason.is_retired:
        raise CreditError("This reason is not used any more: choose another.", "reason")
    if not Ticket.objects.visible_to(by).filter(pk=wanted.ticket.pk).exists():
        raise CreditError("No ticket has this reference.", "ticket")
    if wanted.ticket.account_id not in {None, wanted.account.pk, origin and origin.pk}:
        raise CreditError("This ticket is about another account.", "ticket")
    _check_proof(wanted)
    if len(wanted.note) > LONGEST_NOTE:
        raise CreditError(f"Write at most {LONGEST_NOTE:,} characters.", "note")
    if CodeSpotter().holds_code([wanted.note]):
        raise CreditError("There is a code in it: name the card by its serial number.", "note")


def _check_amount(wanted: Wanted) -> None:
    most = MOST_DAYS if wanted.unit == DAYS else LARGEST
    # Whole, whoever calls: a fraction of a penny would be rounded somewhere.
    if type(wanted.amount) is not int or wanted.amount <= 0:
        raise CreditError("Write an amount above zero.", "amount")
    if wanted.amount > most:
        raise CreditError(f"Nobody grants more than {format_amount(most, wanted.unit)} at once.", "amount")


def _check_proof(wanted: Wanted) -> None:
    if wanted.code and wanted.code.batch.product.program_id != wanted.account.program_id:
        raise CreditError("This card is of another program.", "code")
    if wanted.code:
        try:
            credited_cards.refuse_made_good(wanted.code)
        except ReportError as refused:
            raise CreditError(str(refused), "code") from None
    # What a merged ticket brought along is shown in the other's thread, and counts there.
    if wanted.receipt and wanted.ticket.pk not in {
        wanted.receipt.ticket_id,
        Ticket.objects.filter(pk=wanted.receipt.ticket_id).values_list("merged_into", flat=True).first(),
    }:
        raise CreditError("This receipt is not on the ticket.", "receipt")
    match Proof(wanted.reason.proof):
        case Proof.CARD if not wanted.code:
            raise CreditError("This reason needs the card: give its serial number.", "code")
        case Proof.RECEIPT if not wanted.receipt:
            raise CreditError("This reason needs a receipt: choose one of the ticket’s files.", "receipt")
        case Proof.EITHER if not (wanted.code or wanted.receipt):
            raise CreditError("This reason needs the card’s serial number or a receipt.", "code")


def post(
    wanted: Wanted, *, by: User, approval: Approval | None, moves: CreditReversal | None = None, now: datetime
) -> ManualCredit:
    """Writes the credit and what it gives. The caller holds the locks and has checked."""
    account = wanted.account
    batch = wanted.code.batch if wanted.code else None
    transfer = premium_grant = None
    if wanted.unit == DAYS:
        try:
            premium_grant = premium.grant_days(account, wanted.amount, now=now)
        except premium.PremiumError as refused:
            raise CreditError(str(refused), "amount") from None
    else:
        transfer = ledger.post(
            # What a card gave goes on; everything else is the house's own.
            debit=Book.LIABILITY if moves else Book.GOODWILL,
            credit=Book.CUSTOMER_CREDIT,
            amount=wanted.amount,
            currency=wanted.unit,
            kind=TransferKind.MANUAL_CREDIT,
            source=f"credit:{wanted.key}",
            program_id=account.program_id,
            wallet=ledger.wallet_of(account, wanted.unit),
            retailer_id=batch.retailer_id if batch else None,
            batch_id=batch.pk if batch else None,
            code_id=wanted.code.pk if wanted.code else None,
            now=now,
        )
    credit = ManualCredit.objects.create(
        key=wanted.key,
        account=account,
        program_id=account.program_id,
        unit=wanted.unit,
        amount=wanted.amount,
        reason=wanted.reason,
        ticket=wanted.ticket,
        code=wanted.code,
        retailer_id=batch.retailer_id if batch else wanted.ticket.retailer_id,
        receipt=wanted.receipt,
        receipt_digest=wanted.receipt.digest if wanted.receipt else None,
        note=wanted.note,
        granted_by=by,
        granted_as=by.role,
        granted_at=now,
        policy=policy.current_policy(),
        approval=approval,
        customers=gainers(wanted, moves.account if moves else None),
        customer_wrote=_customer_wrote(wanted.ticket),
        transfer=transfer,
        premium_grant=premium_grant,
        moves=moves,
    )
    audit.record(
        AuditAction.CREDIT_GRANTED,
        by=by,
        target=f"account:{account.pk}",
        credit=credit.pk,
        ticket=wanted.ticket.pk,
        code=wanted.code.pk if wanted.code else None,
        unit=wanted.unit,
        amount=wanted.amount,
        approval=approval.pk if approval else None,
    )
    return credit


def _customer_wrote(ticket: Ticket) -> bool:
    """In his own words: what an agent took down for him, as of a call, is the agent's word alone."""
    taken_down = ticket.events.filter(kind=TicketEventKind.OPENED).exclude(by__role=Role.SYSTEM).exists()
    said = ticket.messages.filter(kind=MessageKind.CUSTOMER).order_by("pk")
    return said[1 if taken_down else 0 :].exists()
