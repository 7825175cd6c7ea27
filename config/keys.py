"""Keys as the environment writes them."""

import pyrage
from django.core.exceptions import ImproperlyConfigured


def code_keys(text: str) -> dict[int, bytes]:
    """Versioned digest keys, "1:HEX,2:HEX", numbered from 1 without a gap: each wraps the one before it."""
    try:
        parts = [part.split(":") for part in text.split(",")]
        keys = {int(version): bytes.fromhex(key) for version, key in parts}
    except ValueError:
        raise ImproperlyConfigured("CODE_KEYS reads like 1:HEX,2:HEX, with 64 hexadecimal digits a key.") from None
    if sorted(keys) != list(range(1, len(parts) + 1)) or any(not 32 <= len(key) <= 64 for key in keys.values()):
        raise ImproperlyConfigured(
            "CODE_KEYS needs every version from 1 on (older codes still need older keys), each of 32 to 64 bytes."
        )
    return keys


def age_identity(text: str) -> str:
    try:
        pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        raise ImproperlyConfigured("OUTBOX_KEY is an age identity: AGE-SECRET-KEY-1…, as age-keygen makes.") from None
    return text


def seal_key(text: str) -> bytes:
    """An Ed25519 private key: 32 bytes, written as 64 hexadecimal digits."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ImproperlyConfigured("SEAL_KEY is 64 hexadecimal digits, as `openssl rand -hex 32` makes them.")
    return key
