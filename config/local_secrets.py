"""Secrets for the demo and the tests, made once into `var/`, so that a second start keeps its digests."""

import fcntl
import json
import os
import secrets
import tempfile
from pathlib import Path

import pyrage


def _fresh() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "CODE_KEYS": f"1:{secrets.token_hex(32)}",
        "OUTBOX_KEY": str(pyrage.x25519.Identity.generate()),
        "SEAL_KEY": secrets.token_hex(32),
    }


def load_or_create(folder: Path) -> dict[str, str]:
    """The folder's secrets, and any that have come since they were made; mode 0600. Whoever comes first makes them, and
    every other one reads the same."""
    path = folder / "secrets.json"
    kept = _read(path)
    if set(kept) >= set(_fresh()):
        return kept
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        # Of two first starts, the second waits here and finds what the first has made.
        fcntl.flock(held, fcntl.LOCK_EX)
        values = {**_fresh(), **_read(path)}
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".secrets-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(values, file)
        # At once, so that nobody reads half of them.
        Path(draft).replace(path)
    finally:
        os.close(held)
    return values


def _read(path: Path) -> dict[str, str]:
    try:
        values: dict[str, str] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return values
