"""Secrets of webhooks, and the signatures that receivers check.

The headers are those of the Standard Webhooks specification, which has libraries in most languages: `webhook-id`,
`webhook-timestamp` in seconds, and `webhook-signature`, one or two of `v1,` and the base64 of an HMAC with SHA-256 over
id, timestamp and body, joined by dots.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.views.decorators.debug import sensitive_variables

from redemption.secret_boxes import box

PREFIX = "whsec_"
# A receiver refuses what is older: whoever has caught a request cannot play it back the next day.
TOLERANCE = timedelta(minutes=5)


@sensitive_variables()
def make_secret() -> str:
    """256 random bits, as receivers' libraries read them: “whsec_” and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@sensitive_variables()
def seal_secret(secret: str) -> str:
    """As it rests: whoever steals the database can sign nothing."""
    return box(b"webhook.secret").encrypt(secret.encode()).decode()


@sensitive_variables()
def open_secret(sealed: str) -> str:
    return box(b"webhook.secret").decrypt(sealed.encode()).decode()


@sensitive_variables("secrets")
def headers(*, reference: str, body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """What goes with the body: one signature for each secret."""
    timestamp = str(int(now.timestamp()))
    return {
        "webhook-id": reference,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(reference, timestamp, body, secret) for secret in secrets),
    }


@sensitive_variables("secret", "wanted")
def is_genuine(*, headers: Mapping[str, str], body: bytes, secret: str, now: datetime | None = None) -> bool:
    """For receivers written in Python: whether we sent this body within the last minutes. Header names are small."""
    now = now or datetime.now(UTC)
    reference, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    wanted = _signature(reference, timestamp, body, secret)
    # All are compared: how long it takes says nothing of where they differ.
    found = [
        hmac.compare_digest(wanted.encode(), one.encode()) for one in headers.get("webhook-signature", "").split(" ")
    ]
    return any(found)


@sensitive_variables("secret", "key")
def _signature(reference: str, timestamp: str, body: bytes, secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        # Without what was given: it stands in no report of the error.
        raise ValueError("This is no webhook's secret.") from None
    signed = b".".join([reference.encode(), timestamp.encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
