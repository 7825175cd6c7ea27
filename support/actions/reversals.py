"""Credits that are taken back, and what cards gave that goes over to another account.

Always by two people, and always as new transfers: nothing is edited.
"""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import approvals, ledger, premium
from redemption.models import (
    Account,
    Approval,
    ApprovalAction,
    ApprovalRequest,
    Code,
    PremiumGrant,
    Redemption,
    Replacement,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.roles import Permission
from support import audit
from support.actions import credited_cards, credits
from support.actions.credits import CreditError, Wanted
from support.credit_defaults import MOVED_CARD
from support.models import DAYS, AuditAction, CreditReason, CreditReversal, ManualCredit, Ticket

_NOTHING_LEFT = "Nothing of it is left to take back."


# --- Taking a credit back


def left_of(credit: ManualCredit, *, now: datetime | None = None) -> int:
    """How much of a credit could be taken back: money that the wallet still holds, days that are not over. 0 where it
    was taken back before, or cannot be."""
    if credit.moves_id or CreditReversal.objects.filter(credit=credit).exists():
        return 0
    return _left(credit.transfer, credit.premium_grant, now)


def request_reversal(credit: ManualCredit, *, why: str, by: User, now: datetime | None = None) -> ApprovalRequest:
    """Asks a second person to take back what is left of a credit, whoever granted it."""
    now = now or timezone.now()
    with transaction.atomic():
        _check_reversal(credit, by)
        left = left_of(credit, now=now)
        if not left:
            raise CreditError(_NOTHING_LEFT)
        asked = credits.ask(
            ApprovalAction.REVERSAL,
            target=f"credit:{credit.pk}",
            payload={"credit": credit.pk, "reason": why, "unit": credit.unit, "amount": left},
            why=why,
            by=by,
            customers=_customers(credit),
            now=now,
        )
        audit.record(
            AuditAction.REVERSAL_REQUESTED,
            by=by,
            target=asked.target,
            request=asked.pk,
            account=credit.account_id,
            unit=credit.unit,
            amount=left,
        )
    return asked


def reverse_approved(approval: Approval, *, now: datetime | None = None) -> CreditReversal:
    """Takes back what is left of the credit by now, once."""
    now = now or timezone.now()
    asked, by = approval.request, approval.requested_by
    approvals.require(approval, action=ApprovalAction.REVERSAL, target=asked.target, payload=asked.payload)
    with transaction.atomic():
        credit = ManualCredit.objects.select_related("account").get(pk=asked.payload["credit"])
        credits.hold(by, credit.account)
        if credit.code:
            credited_cards.hold_card(credit.code)
        _check_reversal(credit, by)
        credits.check_approver(approval, _customers(credit))
        taken = _take_back(
            credit.transfer,
            credit.premium_grant,
            now=now,
            credit=credit,
            account=credit.account,
            unit=credit.unit,
            approval=approval,
        )
        audit.record(
            AuditAction.CREDIT_REVERSED,
            by=by,
            target=asked.target,
            account=credit.account_id,
            unit=taken.unit,
            amount=taken.amount,
            approval=approval.pk,
        )
        credited_cards.note_reversal(credit, now=now)
    return taken


def _check_reversal(credit: ManualCredit, by: User) -> None:
    if not by.may(Permission.GRANT_CREDITS):
        raise CreditError("Your role may not reverse credits.")
    if by.pk in _customers(credit):
        raise CreditError("You are the customer: a colleague must do it.")
    if credit.moves_id:
        raise CreditError("What a card gave was moved here: it is not taken back.")
    if CreditReversal.objects.filter(credit=credit).exists():
        raise CreditError("This credit was reversed before.")


def _customers(credit: ManualCredit) -> list[int]:
    """Those of now, and those of then."""
    return sorted({*credit.customers, *credits.customers_of(credit.account, credit.ticket)})


# --- Moving what a card gave


def left_to_move(redemption: Redemption, *, now: datetime | None = None) -> tuple[int, str]:
    """How much of what a card gave could still be moved, and its unit. 0 where it was moved, or its card replaced."""
    transfer, grant = _given(redemption)
    unit = DAYS if grant else redemption.currency
    if _hindrance(redemption):
        return 0, unit
    return _left(transfer, grant, now), unit


def request_move(
    redemption: Redemption, *, to: Account, ticket: Ticket, why: str, by: User, now: datetime | None = None
) -> ApprovalRequest:
    """Asks a second person to move what is left of a card's value to another account of the same program."""
    now = now or timezone.now()
    with transaction.atomic():
        wanted = _check_move(redemption, to=to, ticket=ticket, by=by, now=now)
        asked = credits.ask(
            ApprovalAction.MOVE,
            target=f"code:{redemption.code_id}",
            payload={
                "redemption": redemption.pk,
                "from": redemption.account_id,
                "to": to.pk,
                "ticket": ticket.pk,
                "reason": why,
                "unit": wanted.unit,
                "amount": wanted.amount,
                "key": str(wanted.key),
            },
            why=why,
            by=by,
            customers=credits.gainers(wanted, redemption.account),
            now=now,
        )
        audit.record(
            AuditAction.MOVE_REQUESTED,
            by=by,
            target=asked.target,
            request=asked.pk,
            account=redemption.account_id,
            to=to.pk,
            ticket=ticket.pk,
            unit=wanted.unit,
            amount=wanted.amount,
        )
    return asked


def move_approved(approval: Approval, *, now: datetime | None = None) -> ManualCredit:
    """Takes back what is left of what the card gave, and credits as much to the other account, once."""
    now = now or timezone.now()
    asked, by = approval.request, approval.requested_by
    approvals.require(approval, action=ApprovalAction.MOVE, target=asked.target, payload=asked.payload)
    with transaction.atomic():
        redemption = Redemption.objects.select_related("account").get(pk=asked.payload["redemption"])
        origin, to = redemption.account, Account.objects.select_related("program").get(pk=asked.payload["to"])
        credits.hold(by, origin, to)
        # Against whoever replaces the card at this moment.
        Code.objects.select_for_update(no_key=True).get(pk=redemption.code_id)
        ticket = Ticket.objects.get(pk=asked.payload["ticket"])
        wanted = _check_move(redemption, to=to, ticket=ticket, by=by, now=now, key=asked.payload["key"])
        credits.check_approver(approval, credits.gainers(wanted, origin))
        transfer, grant = _given(redemption)
        taken = _take_back(
            transfer,
            grant,
            hands_on=True,
            now=now,
            redemption=redemption,
            account=origin,
            unit=wanted.unit,
            approval=approval,
        )
        moved = credits.post(replace(wanted, amount=taken.amount), by=by, approval=approval, moves=taken, now=now)
        audit.record(
            AuditAction.CARD_MOVED,
            by=by,
            target=asked.target,
            account=origin.pk,
            to=to.pk,
            credit=moved.pk,
            unit=taken.unit,
            amount=taken.amount,
            approval=approval.pk,
        )
    return moved


def _check_move(
    redemption: Redemption, *, to: Account, ticket: Ticket, by: User, now: datetime, key: str | None = None
) -> Wanted:
    """What is to be credited to the other account. Raises CreditError with the field that is wrong."""
    origin = redemption.account
    if to.pk == origin.pk:
        raise CreditError("This is the account that redeemed it.", "to")
    if to.program_id != origin.program_id:
        raise CreditError("This account is of another program.", "to")
    if why_not := _hindrance(redemption):
        raise CreditError(why_not)
    transfer, grant = _given(redemption)
    unit = DAYS if grant else redemption.currency
    if unit not in {to.currency, DAYS}:
        raise CreditError(f"This account is in {to.currency}.", "to")
    left = _left(transfer, grant, now)
    if not left:
        raise CreditError("Nothing of what this card gave is left to move.")
    wanted = Wanted(
        account=to,
        unit=unit,
        amount=left,
        reason=CreditReason.objects.get(slug=MOVED_CARD),
        ticket=ticket,
        code=redemption.code,
        key=uuid.UUID(key) if key else uuid.uuid4(),
    )
    credits.check(wanted, by, origin=origin)
    return wanted


def _hindrance(redemption: Redemption) -> str:
    """Why nothing of it can be moved, whatever is left of it."""
    if CreditReversal.objects.filter(redemption=redemption).exists():
        return "What this card gave was moved before."
    if Replacement.objects.filter(original=redemption.code_id).exists():
        return "This card was replaced: its value went to its successor."
    return ""


def _given(redemption: Redemption) -> tuple[Transfer | None, PremiumGrant | None]:
    """What a card gave: its transfer into the wallet, or its premium time."""
    grant = PremiumGrant.objects.select_related("account__program").filter(redemption=redemption).first()
    if grant:
        return None, grant
    return Transfer.objects.filter(kind=TransferKind.REDEEM, source=f"code:{redemption.code_id}").first(), None


# --- Both


def _left(transfer: Transfer | None, grant: PremiumGrant | None, now: datetime | None) -> int:
    """Read anew: what hangs on the objects may be from before it was spent."""
    if grant:
        return premium.days_left(PremiumGrant.objects.select_related("account__program").get(pk=grant.pk), now=now)
    if not transfer or not transfer.wallet_id:
        return 0
    return min(transfer.amount, Wallet.objects.values_list("balance", flat=True).get(pk=transfer.wallet_id))


def _take_back(
    transfer: Transfer | None, grant: PremiumGrant | None, *, hands_on: bool = False, now: datetime, **of: Any
) -> CreditReversal:
    """Writes what was taken back, and the transfer that did it. `of` are the fields of the CreditReversal."""
    approval: Approval = of["approval"]
    back = None
    try:
        if grant:
            amount = premium.take_back(grant, now=now)
        elif transfer:
            back = ledger.reverse(transfer, hands_on=hands_on, now=now)
            amount = back.amount
        else:
            raise CreditError(_NOTHING_LEFT)
    except (ledger.LedgerError, premium.PremiumError) as refused:
        raise CreditError(str(refused)) from None
    return CreditReversal.objects.create(
        amount=amount, transfer=back, reason=approval.request.reason, by=approval.requested_by, at=now, **of
    )
