"""A card ended and its value handed to a successor. Chains never add value: each card has one successor."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from redemption import approvals, ledger
from redemption.cards import CardError
from redemption.listed_cards import Listed
from redemption.models import (
    Approval,
    ApprovalAction,
    Batch,
    BatchPurpose,
    Benefit,
    Book,
    CardEvent,
    CardEventKind,
    Code,
    CodeStatus,
    PremiumGrant,
    Redemption,
    Replacement,
    Transfer,
    TransferKind,
    User,
    Wallet,
)
from redemption.roles import Permission
from redemption.standing import NewCard, make_card

_REPLACED_BEFORE = "This card was replaced before."
_MOVED = "What this card gave was moved to another account: there is nothing to replace."
_EXPIRED = "This card has expired: extend its batch first."


def replace_payload(serial: int, source: Book | None = None) -> dict[str, Any]:
    """What a request to replace this card asks for. `source` pays for a card that a thief has redeemed."""
    return {"serial": serial, "source": source}


def replace_card(
    *,
    serial: int,
    by: User,
    approval: Approval,
    reason: str,
    source: Book | None = None,
    among: Listed | None = None,
    now: datetime | None = None,
) -> NewCard:
    """Ends the card and makes its successor, which inherits value and expiry. Needs a second person, who approved this
    card's replacement, or that of several, `among` which it is.

    An unspent card hands its value on and nothing is posted: the liability does not move. For a card that a thief has
    redeemed, what his wallet still holds is taken back and the rest is new value from `source`, the retailer's
    receivable or goodwill. Of two at once, one makes the successor and the other gets a CardError.
    """
    now = now or timezone.now()
    if among:
        among.require_card(serial)
    target = among.target if among else f"code:{serial}"
    payload = among.payload(source=source) if among else replace_payload(serial, source)
    approvals.require(approval, action=ApprovalAction.REPLACE, target=target, payload=payload)
    if not by.may(Permission.REQUEST):
        raise CardError("Your role may not do this.")
    with transaction.atomic():
        # Batch before card, as everywhere. Two agents at once: the second waits here and then finds the card replaced.
        Batch.objects.select_for_update(no_key=True).filter(serials__contains=serial).first()
        card = Code.objects.select_for_update(no_key=True).filter(pk=serial).first()
        if card is None:
            raise CardError("No card has this serial number.")
        if Replacement.objects.filter(original=card).exists():
            raise CardError(_REPLACED_BEFORE)
        batch = Batch.objects.select_related("product__program", "code_format").get(pk=card.batch_id)
        value, expires_on = _worth(card, batch)
        status = CodeStatus(card.status)
        if status == CodeStatus.REDEEMED:
            if _is_moved(card):
                raise CardError(_MOVED)
            if source not in {Book.RECEIVABLE, Book.GOODWILL}:
                raise CardError("Say who pays for a card that was redeemed: the retailer, or goodwill.")
            _take_back(card, batch, value, source, now)
        elif status.is_unspent:
            if expires_on and batch.product.program.today(now) > expires_on:
                raise CardError(_EXPIRED)
            Code.objects.filter(pk=serial).update(status=CodeStatus.REPLACED)
        else:
            raise CardError(f"This card is {status.label.lower()}: it has no value to hand on.")
        successor = make_card(
            product=batch.product,
            retailer=batch.retailer,
            by=by,
            purpose=BatchPurpose.REPLACEMENTS,
            sold_at=now if card.activated_at else None,
        )
        Replacement.objects.create(
            original=card,
            successor_id=successor.serial,
            value=value,
            currency=batch.currency,
            expires_on=None if status == CodeStatus.REDEEMED else expires_on,
            approval=approval,
            by=by,
            at=now,
        )
        for kind, event_batch, event_serial, other in (
            (CardEventKind.REPLACED, batch.pk, serial, successor.serial),
            (CardEventKind.SUCCEEDED, successor.batch_id, successor.serial, serial),
        ):
            CardEvent.objects.create(
                kind=kind,
                batch_id=event_batch,
                first_serial=event_serial,
                last_serial=event_serial,
                details={"other": other},
                reason=reason,
                approval=approval,
                by=by,
                at=now,
            )
    return successor


def _worth(card: Code, batch: Batch) -> tuple[int, date | None]:
    if batch.is_replacement:
        inherited = Replacement.objects.get(successor=card)
        return inherited.value, inherited.expires_on
    return batch.value, batch.expires_on


def _is_moved(card: Code) -> bool:
    return (
        Transfer.objects.filter(code=card, kind=TransferKind.REVERSAL, reverses__kind=TransferKind.REDEEM).exists()
        or PremiumGrant.objects.filter(redemption__code=card, taken_back__gt=0).exists()
    )


def _take_back(card: Code, batch: Batch, value: int, source: Book, now: datetime) -> None:
    """Value back into the liability: from the thief's wallet as far as it goes, the rest from `source`."""
    redemption = Redemption.objects.select_related("account").get(code=card)
    taken = 0
    common: dict[str, Any] = {
        "credit": Book.LIABILITY,
        "currency": batch.currency,
        "kind": TransferKind.REPLACE,
        "program_id": batch.product.program_id,
        "retailer_id": batch.retailer_id,
        "batch_id": batch.pk,
        "code_id": card.pk,
        "now": now,
    }
    has_wallet = Wallet.objects.filter(account=redemption.account, currency=batch.currency).exists()
    if batch.product.benefit == Benefit.CREDIT and has_wallet:
        wallet = ledger.wallet_of(redemption.account, batch.currency)
        taken = min(value, wallet.balance)
        if taken:
            ledger.post(
                debit=Book.CUSTOMER_CREDIT, amount=taken, wallet=wallet, source=f"code:{card.pk}:taken", **common
            )
    if value > taken:
        ledger.post(debit=source, amount=value - taken, source=f"code:{card.pk}:new", **common)


# What replace_card() would say, of many cards at once.
_HINDRANCES = """
    SELECT c.serial, CASE
        WHEN EXISTS (SELECT FROM redemption_replacement r WHERE r.original_id = c.serial) THEN %(replaced)s::text
        WHEN c.status IN (4, 5) THEN %(ended)s::text
        WHEN c.status = 2 THEN CASE
            WHEN EXISTS (
                SELECT FROM redemption_transfer t JOIN redemption_transfer back ON back.reverses_id = t.id
                WHERE t.code_id = c.serial AND t.kind = 'redeem' AND back.kind = 'reversal'
            ) OR EXISTS (
                SELECT FROM redemption_redemption d JOIN redemption_premiumgrant g ON g.redemption_id = d.id
                WHERE d.code_id = c.serial AND g.taken_back > 0
            ) THEN %(moved)s::text ELSE '' END
        WHEN CASE WHEN b.purpose = 'replacements' THEN i.expires_on ELSE b.expires_on END
            < (%(now)s::timestamptz AT TIME ZONE p.time_zone)::date THEN %(expired)s::text
        ELSE '' END
    FROM redemption_code c JOIN redemption_batch b ON b.id = c.batch_id
    JOIN redemption_product d ON d.id = b.product_id JOIN redemption_program p ON p.id = d.program_id
    LEFT JOIN redemption_replacement i ON i.successor_id = c.serial
    WHERE c.serial = ANY(%(serials)s::bigint[])
    ORDER BY c.serial
"""


def hindrances(serials: Collection[int], *, now: datetime | None = None) -> dict[int, str]:
    """Why each of these cards could not be replaced as it stands, in a sentence; "" where it could. Whoever pays for
    one that was redeemed, or whether we make such codes ourselves, is not looked at."""
    sentences = {
        "replaced": _REPLACED_BEFORE,
        "ended": "This card was ended: it has no value to hand on.",
        "moved": _MOVED,
        "expired": _EXPIRED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HINDRANCES, {"serials": list(serials), "now": now or timezone.now(), **sentences})
        return dict(cursor.fetchall())
