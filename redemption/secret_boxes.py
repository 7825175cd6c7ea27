"""Secrets that we must read again, closed under SECRET_KEY: whoever steals the database or a page reads none."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def box(person: bytes) -> MultiFernet:
    """The cipher of one use, told apart by `person` (at most 16 bytes). What SECRET_KEY closed before it was rotated,
    SECRET_KEY_FALLBACKS still open."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [Fernet(urlsafe_b64encode(blake2b(key.encode(), person=person, digest_size=32).digest())) for key in keys]
    )
