"""Digital cards: made one by one, sealed until the mail is out, then gone from here."""

import logging
from datetime import datetime, timedelta

import pyrage
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.cards import CardError, activate_cards
from redemption.models import (
    Batch,
    BatchPurpose,
    CardEvent,
    CardEventKind,
    OutboxCard,
    Product,
    Retailer,
    User,
)
from redemption.roles import Permission, Role
from redemption.standing import NewCard, make_card

logger = logging.getLogger(__name__)

# After a refusal: a minute, then twice as long each time, and never more than this.
_LONGEST_PAUSE = timedelta(hours=6)


def send_card(*, product: Product, retailer: Retailer, email: str, by: User, now: datetime | None = None) -> OutboxCard:
    """Sells one digital card: made, activated and put on its way to `email`."""
    if by.role != Role.SYSTEM and not by.may(Permission.MANAGE_BATCHES):
        raise CardError("Your role may not do this.")
    with transaction.atomic():
        card = make_card(product=product, retailer=retailer, by=by, purpose=BatchPurpose.DIGITAL_CARDS)
        activate_cards(first=card.serial, by=User.objects.system(), now=now)
        return seal(card, email=email, by=by, now=now)


def seal(card: NewCard, *, email: str, by: User, now: datetime | None = None) -> OutboxCard:
    """Puts a new card on its way to `email`, in the transaction that made it. Its code rests only sealed from here."""
    now = now or timezone.now()
    identity = pyrage.x25519.Identity.from_str(settings.OUTBOX_KEY)
    CardEvent.objects.create(
        kind=CardEventKind.SENT,
        batch_id=card.batch_id,
        first_serial=card.serial,
        last_serial=card.serial,
        by=by,
        at=now,
    )
    return OutboxCard.objects.create(
        code_id=card.serial,
        email=email,
        sealed=pyrage.encrypt(card.code.encode(), [identity.to_public()]),
        created_at=now,
    )


def deliver(now: datetime | None = None) -> int:
    """Mails what waits, oldest first, and destroys each envelope with its delivery. Returns how many.

    Delivered at least once: a crash between mail and commit sends the same card again, never another one. An envelope
    whose mail is refused keeps its card, pauses, and holds up nobody else's.
    """
    now = now or timezone.now()
    delivered = 0
    while (sent := _deliver_one(now)) is not None:
        delivered += sent
    return delivered


@sensitive_variables("text")
def _deliver_one(now: datetime) -> bool | None:
    """Whether the mail of the next envelope went out; None where nothing is due."""
    identity = pyrage.x25519.Identity.from_str(settings.OUTBOX_KEY)
    with transaction.atomic():
        waiting = (
            OutboxCard.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(not_before=None) | Q(not_before__lte=now))
            .select_related("code__batch__product__program")
            .order_by("pk")
            .first()
        )
        if waiting is None:
            return None
        batch: Batch = waiting.code.batch
        text = pyrage.decrypt(bytes(waiting.sealed), [identity]).decode()
        try:
            send_mail(
                f"Your {batch.product.program} card",
                f"Here is your {batch.product}: {batch.product.grants}.\n\n    {text}\n\n"
                f"Keep it like cash until you redeem it. Its serial number is {waiting.code_id}; our support asks for "
                "that number, never for the code in a chat.\n",
                None,
                [waiting.email],
            )
        # smtplib's errors are OSErrors too.
        except OSError as error:
            _pause(waiting, now, type(error).__name__)
            return False
        waiting.delete()
    return True


def _pause(refused: OutboxCard, now: datetime, why: str) -> None:
    # Ten doublings of a minute are more than the longest pause.
    pause = min(timedelta(minutes=2 ** min(refused.tries, 10)), _LONGEST_PAUSE)
    refused.tries, refused.not_before = refused.tries + 1, now + pause
    refused.save(update_fields=["tries", "not_before"])
    # Only the error's kind: its text may quote what was sent.
    logger.warning("The mail of card %s failed (try %d, %s).", refused.code_id, refused.tries, why)
