"""What was typed, between a page and the next: sealed in the form, and kept nowhere.

Under SECRET_KEY; after its rotation SECRET_KEY_FALLBACKS still opens what the old one closed. A seal is for one person
and one account, and good for a quarter of an hour: whoever finds an old page opens nothing with it.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.code_format import MAX_TYPED
from redemption.models import Account, User
from redemption.secret_boxes import box

SEALED_FOR = timedelta(minutes=15)
# All seals are as long as the longest, so that their length says nothing of what is in them: in JSON, a symbol of what
# was typed may take twelve places.
_PADDED = 12 * (MAX_TYPED + 1) + 300


class SealBrokenError(Exception):
    """It is too old, not whole, or for somebody else: which, nobody is told."""


@dataclass(frozen=True, slots=True)
class SealedCode:
    """A try that waits for its person. `key`: with which it is made. `confirmed`: he has seen what it would give."""

    account_id: int
    text: str = field(repr=False)
    key: str
    confirmed: bool


@sensitive_variables()
def seal(*, text: str, account: Account, by: User, key: str, confirmed: bool, now: datetime | None = None) -> str:
    # A longer text is no code, whatever it holds; it goes on being too long.
    content = json.dumps([by.pk, account.pk, key, confirmed, text[: MAX_TYPED + 1]])
    at = int((now or timezone.now()).timestamp())
    return box(b"desk.sealed").encrypt_at_time(content.ljust(_PADDED).encode(), at).decode()


@sensitive_variables()
def unseal(sealed: str, *, by: User, now: datetime | None = None) -> SealedCode:
    at = int((now or timezone.now()).timestamp())
    try:
        content = box(b"desk.sealed").decrypt_at_time(sealed.encode(), int(SEALED_FOR.total_seconds()), at)
    # A lone surrogate is nothing that we wrote.
    except (InvalidToken, UnicodeEncodeError):
        raise SealBrokenError from None
    user_id, account_id, key, confirmed, text = json.loads(content)
    if user_id != by.pk:
        raise SealBrokenError
    return SealedCode(account_id, text, key, confirmed)
