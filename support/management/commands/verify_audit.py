"""Proves that nothing sealed was changed, removed or added, names what was, and states what is not sealed yet.

Works on the database or on a restored copy of it, anywhere, with the public key alone. Ends with 1 where it finds
something.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from support.signing import SealLineError, by_id, key_id, public_key
from support.verifying import Verification, count_findings, exported_keys

_SHOWN = 20


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--against",
            metavar="FILE_OR_FOLDER",
            type=Path,
            help="Seals that left the database: a missing or another one is found, the newest too.",
        )
        parser.add_argument(
            "--public-key",
            metavar="HEX",
            action="append",
            help="The key to trust, 64 hexadecimal digits; several where the key has changed. Without it, the keys that"
            " came with the exported seals, or else this installation's own.",
        )

    def handle(
        self, *args: Any, against: Path | None = None, public_key: list[str] | None = None, **options: Any
    ) -> None:
        if against and not against.exists():
            raise CommandError(f"There is nothing at {against}.")
        try:
            keys, whence = _trusted(public_key or [], against)
            run = Verification(keys, against=against)
            shown, total = count_findings(run.findings(), shown=_SHOWN)
        except (SealLineError, OSError) as refused:
            raise CommandError(str(refused)) from None
        if not run.seals and not total:
            raise CommandError("There is no seal, so nothing is vouched for.")
        for found in shown:
            self.stdout.write(found.sentence)
        if total > len(shown):
            self.stdout.write(f"And {total - len(shown):,} more.")
        ids = ", ".join(key.hex() for key in keys)
        seals = f"{run.seals:,} seal{'' if run.seals == 1 else 's'}"
        self.stdout.write(f"Looked at {seals} over {run.rows:,} rows, signed with {ids} ({whence}).")
        if against:
            self.stdout.write(f"Compared them with {run.exported:,} that left the database.")
        self.stdout.write(run.tail.sentence)
        if total:
            raise CommandError(f"{total:,} finding{'' if total == 1 else 's'}.")
        self.stdout.write("Everything sealed is as it was.")


def _trusted(given: list[str], against: Path | None) -> tuple[dict[bytes, bytes], str]:
    """The public keys by their ids, and where they are from."""
    if given:
        try:
            keys = [bytes.fromhex(text) for text in given]
        except ValueError:
            keys = [b""]
        if any(len(key) != 32 for key in keys):
            raise CommandError("A public key is 64 hexadecimal digits, as the page of the seals shows it.")
        return by_id(keys), "the key that was given"
    if against and (found := exported_keys(against)):
        return found, "the key that came with the exported seals: compare it with the one that you were given"
    own = public_key()
    return {key_id(own): own}, "this installation's own key"
