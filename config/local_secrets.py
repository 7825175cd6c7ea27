"""Secrets for the demo and the tests, made once into `var/`, so that a second start keeps its digests."""

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
    }


def load_or_create(folder: Path) -> dict[str, str]:
    """The folder's secrets; the first caller makes them, mode 0600, and every other one reads the same."""
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".secrets-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(_fresh(), file)
        try:
            # A link is atomic and fails where the name is taken: of two first starts, one wins.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    values: dict[str, str] = json.loads(path.read_text())
    return values
