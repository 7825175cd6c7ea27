"""While a program is flooded with guesses: whoever redeems shows once that he reads the account's mail.

Never a block: an account that has typed the number is let past the program's limit for an hour, and stays under its own
limit and its address's. The number is kept as a keyed digest and leaves in nothing but the mail.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import sealed_mail
from redemption.models import Account, Challenge, ThrottleScope
from redemption.throttle import Limit, hit

DIGITS = 6
# Five of a million numbers: whoever does not read the mail is let in once in 200,000 mails.
TRIES = 5
LASTS = timedelta(minutes=10)
# Long enough for a family's cards at Christmas, short enough that a flood's next day asks again.
PASSES_FOR = timedelta(hours=1)
# A mail takes a moment, and nobody's letter box is to be filled by us.
PAUSE = timedelta(minutes=1)
_MAILS = Limit(6, timedelta(hours=1))


class Sent(Enum):
    SENT = "We have mailed you a number of six figures."
    JUST_SENT = "A number was mailed to you less than a minute ago. Look for it, in the spam folder as well."
    TOO_MANY = "Several numbers were mailed to you already. Try again in an hour."
    UNVERIFIED = "Your e-mail address is not confirmed yet, and the number goes nowhere else. Confirm it first."


class Typed(Enum):
    PASSED = "That is the number."
    WRONG = "That is not the number that we mailed. Compare it with the newest mail."
    OVER = "That number does not count any more. Have a new one sent."


def has_passed(account_id: int, now: datetime) -> bool:
    return Challenge.objects.filter(account=account_id, passed_until__gt=now).exists()


@sensitive_variables("number")
def send(*, account: Account, now: datetime | None = None) -> Sent:
    """Mails a new number to the account's verified address; the one before counts no more."""
    now = now or timezone.now()
    if not account.email_verified:
        return Sent.UNVERIFIED
    number = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    fresh = {"digest": _digest(account.pk, number), "sent_at": now, "expires_at": now + LASTS, "tries": 0}
    with transaction.atomic():
        challenge, is_new = Challenge.objects.select_for_update().get_or_create(account=account, defaults=fresh)
        # Under the row's lock: of two requests at once the second finds the first one's mail.
        if not is_new and challenge.sent_at > now - PAUSE:
            return Sent.JUST_SENT
        if hit(ThrottleScope.SIGN_IN, f"challenge:{account.pk}", _MAILS, now):
            return Sent.TOO_MANY
        if not is_new:
            Challenge.objects.filter(pk=account.pk).update(**fresh)
        # In the same transaction: a number that arrives is one that counts.
        sealed_mail.post(_mail(account, number), good_for=LASTS)
    return Sent.SENT


@sensitive_variables()
def _mail(account: Account, number: str) -> EmailMultiAlternatives:
    return EmailMultiAlternatives(
        f"Your number for redeeming at {account.program}",
        f"Your number is {number}. It counts for ten minutes.\n\n"
        f"Type it on the page where you redeem a code for {account.program}. We ask for it because very many codes are "
        "being tried at this moment.\n\n"
        "If it was not you who asked for it, do nothing, and tell nobody the number: without it nothing happens.\n",
        to=[account.email],
    )


@sensitive_variables()
def check(*, account: Account, typed: str, now: datetime | None = None) -> Typed:
    """Whether `typed` is the number that was mailed. Five tries for each number, counted before they are compared."""
    now = now or timezone.now()
    number = "".join(symbol for symbol in typed[:50] if symbol.isdecimal())
    with transaction.atomic():
        # Locked: a crowd of guesses takes its tries one after the other.
        challenge = Challenge.objects.select_for_update().filter(account=account).first()
        if challenge and challenge.passed_until and challenge.passed_until > now:
            # The page was loaded again.
            return Typed.PASSED
        if not challenge or not challenge.digest or challenge.expires_at <= now or challenge.tries >= TRIES:
            return Typed.OVER
        challenge.tries += 1
        is_right = hmac.compare_digest(bytes(challenge.digest), _digest(account.pk, number))
        if is_right:
            challenge.digest, challenge.passed_until = None, now + PASSES_FOR
        challenge.save(update_fields=["tries", "digest", "passed_until"])
    if is_right:
        return Typed.PASSED
    return Typed.OVER if challenge.tries >= TRIES else Typed.WRONG


@sensitive_variables()
def _digest(account_id: int, number: str) -> bytes:
    """Keyed: of a stolen table a million numbers are tried in a second."""
    return blake2b(
        f"{account_id}:{number}".encode(),
        key=settings.SECRET_KEY.encode()[:64],
        person=b"desk.challenge",
        digest_size=32,
    ).digest()
