"""Starts the embedded database, loads a believable world into it, and serves it on this machine."""

import contextlib
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from support.demo import examples, processes, state
from support.demo.state import DemoError, State


class Command(BaseCommand):
    help = __doc__
    # The database may not be there yet; what is checked is checked by migrate.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="Where to begin looking for a free port (8000).")
        parser.add_argument("--no-serve", action="store_true", help="Only load.")
        parser.add_argument("--reset", action="store_true", help="Drop the demo's data and begin anew.")
        parser.add_argument("--no-input", action="store_true", help="With --reset: ask nothing.")
        parser.add_argument(
            "--second-factor", action="store_true", help="Staff must set up a second factor, as in production."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has passwords that everybody knows: it does not start with DEBUG off.")
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError):
                # A terminal that cannot show a character shows a question mark.
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        signal.signal(signal.SIGTERM, _leave)
        self._began = time.monotonic()
        try:
            turn = state.Turn()
            self._load(turn, reset=options["reset"], ask=not options["no_input"])
            turn.together()
            if options["no_serve"]:
                self._say("Loaded; nothing is served.")
                return
            self._serve(options["port"], second_factor=options["second_factor"])
        except DemoError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped. What was half loaded begins anew at the next start.", returncode=130) from None

    def _load(self, turn: state.Turn, *, reset: bool, ask: bool) -> None:
        """The world, once: a second start finds it, one that was killed while it loaded begins anew."""
        while not turn.alone():
            if reset:
                raise DemoError("A demo is running on this data: end it first.")
            turn.together(on_waiting=lambda: self._say("Waiting for another demo that is loading…"))
            if state.read() == State.LOADED:
                return
        if not settings.DATABASES["default"].get("HOST"):
            self._say("Starting the embedded database…")
        found = state.read()
        if found == State.FOREIGN:
            raise DemoError("This database holds something else than the demo; give it an empty one.")
        if found == State.LOADING or (reset and found == State.LOADED):
            self._confirm(ask and found == State.LOADED)
            self._say("Dropping the demo's data…")
            state.begin_anew()
            found = State.EMPTY
        if found == State.EMPTY:
            state.mark(State.LOADING)
        self._say("Migrating…")
        call_command("migrate", verbosity=0, interactive=False)
        if found == State.LOADED:
            self._say("The data of the last start is kept; “demo --reset” begins anew.")
            return
        from support.demo.loading import load

        examples.keep(load(self._say))
        state.mark(State.LOADED)

    def _confirm(self, ask: bool) -> None:
        """The embedded database is the demo's own; whatever else DATABASE_URL names is asked about."""
        if not ask or settings.DATABASES["default"]["ENGINE"] == "config.embedded_postgres":
            return
        name = settings.DATABASES["default"]["NAME"]
        if not sys.stdin.isatty() or input(f"Drop everything in the database {name}? Type its name: ") != name:
            raise DemoError("Nothing was dropped. Without a terminal, confirm with --no-input.")

    def _serve(self, wanted: int, *, second_factor: bool) -> None:
        if not 1 <= wanted <= 65535:
            raise DemoError("Ports are numbers from 1 to 65535.")
        port = processes.free_port(wanted)
        if port != wanted:
            self._say(f"Port {wanted} is busy: taking {port}.")
        os.environ["STAFF_SECOND_FACTOR"] = "true" if second_factor else "false"
        address = f"http://localhost:{port}/"
        os.environ["SITE_URL"] = address.rstrip("/")
        self._say("Starting the web server and the job worker…")
        processes.serve(port, lambda: self._tell(address, second_factor))
        self._say("Everything has ended. The data is kept for the next start.")

    def _tell(self, address: str, second_factor: bool) -> None:
        self._say("", examples.table(examples.recall(), address), "")
        if not second_factor:
            self._say(
                "!! THE SECOND FACTOR OF STAFF IS SWITCHED OFF, in this demo only: --second-factor keeps it on. !!"
            )
        self._say(
            f"The codes above are in {settings.VAR_DIR / 'demo.json'} for the next start, as in no other installation.",
            f"Mail goes to {settings.VAR_DIR / 'mail'}, log lines to {processes.log_file()}. Ctrl-C ends everything.",
        )

    def _say(self, *lines: str) -> None:
        # Whoever read this may be gone (a closed terminal, “| head”): what runs must end in order all the same.
        with contextlib.suppress(OSError):
            for line in lines:
                self.stdout.write(line)
            self.stdout.flush()


def _leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM while loading: in order, so that the embedded database is stopped too."""
    sys.exit(128 + number)
