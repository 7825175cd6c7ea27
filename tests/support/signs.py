"""Signs of compromised cards, for tests of what people do with them."""

from datetime import timedelta

from django.utils import timezone

from redemption.models import Attempt, AttemptOutcome, Channel
from redemption.refusals import RefusalReason
from support.models import CardSign, CardSignKind


def sign_of(cards, *, of=None, raised_at=None, **fields):
    """A sign for the run from the first to the last of these cards."""
    now = timezone.now()
    first, last = cards[0].serial, cards[-1].serial
    return CardSign.objects.create(
        **{
            "kind": CardSignKind.ALREADY_REDEEMED,
            "batch": of or cards[0].batch,
            "first_serial": first,
            "last_serial": last,
            "is_run": True,
            "cards": last - first + 1,
            "tried": 4,
            "tries": 6,
            "expected": 0.41,
            "chance": 3.2e-9,
            "since": now - timedelta(days=30),
            "until": now,
            "raised_at": raised_at or now,
            **fields,
        }
    )


def try_of(card, by, reason=RefusalReason.REDEEMED_BY_ANOTHER):
    return Attempt.objects.create(
        account=by,
        program=by.program,
        code_id=card.serial,
        outcome=AttemptOutcome.REFUSED,
        reason=reason,
        channel=Channel.WEB,
        at=timezone.now(),
    )
