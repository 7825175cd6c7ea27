"""A sale taken back at the till, soon after it: the card is as it was before, and may be sold again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from redemption import ledger
from redemption.cards import CardError, NoCardError, allow
from redemption.models import (
    Batch,
    Book,
    CardEvent,
    CardEventKind,
    Code,
    CodeStatus,
    Retailer,
    Transfer,
    TransferKind,
    User,
)
from redemption.roles import Permission, Role


def deactivate_card(
    *,
    serial: int,
    by: User,
    retailer: Retailer | None = None,
    details: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> bool:
    """Whether it was active until now; one that is inactive already stays so, and nothing happens. What its sale posted
    is posted back. With a `retailer`, whose till it is, no other's cards are there.

    CardError: there is no such card; it was redeemed, frozen or ended; or the program's time for it is over.
    """
    now = now or timezone.now()
    if by.role != Role.SYSTEM:
        allow(by, Permission.MANAGE_BATCHES)
    with transaction.atomic():
        # Batch before card, as everywhere: a freeze, or the night's breakage, waits or is over.
        own = Batch.objects.filter(retailer=retailer) if retailer else Batch.objects.all()
        locked = own.select_for_update(no_key=True, of=("self",)).filter(serials__contains=serial).first()
        card = Code.objects.select_for_update(no_key=True, of=("self",)).filter(pk=serial, batch=locked).first()
        if card is None:
            raise NoCardError("No card has this serial number.")
        status = CodeStatus(card.status)
        if status == CodeStatus.INACTIVE:
            return False
        if status != CodeStatus.ACTIVE:
            raise CardError(f"This card is {status.label.lower()}: its sale cannot be taken back.")
        batch = Batch.objects.select_related("product__program").get(pk=card.batch_id)
        if batch.is_replacement:
            raise CardError("This card replaced another one: nobody bought it.")
        _refuse_late(card, batch, now)
        _post_back(card, batch, now)
        # A redemption under way has locked the row before, and the status says so; or it comes later and finds this.
        Code.objects.filter(pk=serial).update(status=CodeStatus.INACTIVE, activated_at=None)
        CardEvent.objects.create(
            kind=CardEventKind.DEACTIVATED,
            batch=batch,
            first_serial=serial,
            last_serial=serial,
            # The card forgets it, and past days' figures need it.
            details={**(details or {}), "activated_at": card.activated_at.isoformat() if card.activated_at else None},
            by=by,
            at=now,
        )
    return True


def _refuse_late(card: Code, batch: Batch, now: datetime) -> None:
    minutes = batch.product.program.deactivation_minutes
    if not minutes:
        raise CardError("This program's sales are not taken back at the till: report the card instead.")
    if not card.activated_at or now - card.activated_at > timedelta(minutes=minutes):
        raise CardError(f"A sale is taken back within {minutes} minutes; this one is older: report the card instead.")


def _post_back(card: Code, batch: Batch, now: datetime) -> None:
    sales = Transfer.objects.filter(code=card, kind=TransferKind.ACTIVATE, reversed_by=None)
    if sale := sales.order_by("-pk").first():
        if Transfer.objects.filter(code=card, kind=TransferKind.BREAKAGE, reversed_by=None).exists():
            raise CardError("This card has expired: its sale cannot be taken back.")
        ledger.post(
            debit=Book.LIABILITY,
            credit=Book.RECEIVABLE,
            amount=sale.amount,
            currency=sale.currency,
            kind=TransferKind.REVERSAL,
            source=f"transfer:{sale.pk}",
            program_id=sale.program_id,
            retailer_id=batch.retailer_id,
            batch_id=batch.pk,
            code_id=card.pk,
            reverses=sale,
            now=now,
        )
