"""`python -m support.demo.child PARENT MODULE_OR_FILE ARGUMENTS…`: runs a program that ends when its parent does."""

import ctypes
import os
import runpy
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Has the kernel send SIGTERM when `parent` ends, also when that one is killed. Linux only; elsewhere the parent
    ends its children itself, which it cannot when it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # It ended before it could be watched.
        sys.exit(1)


def leave(number: int, frame: FrameType | None) -> None:
    """Until the program has handlers of its own: in order, so that it is counted out of the embedded database."""
    sys.exit(128 + number)


def _use_database() -> None:
    """Counts this process as a user of the embedded database from the first moment: whichever of them ends last, in
    order, stops it, also when their parent was killed."""
    from django.conf import settings

    from config.embedded_postgres import server

    if settings.DATABASES["default"]["ENGINE"] == "config.embedded_postgres":
        server.ensure_running()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    end_with(int(sys.argv[1]))
    _use_database()
    program, sys.argv = sys.argv[2], sys.argv[2:]
    (runpy.run_path if program.endswith(".py") else runpy.run_module)(program, run_name="__main__")
