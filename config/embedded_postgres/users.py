"""Who uses the server: one lock, and an empty file for each process, named by what tells it from all others."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded_postgres.errors import OR_ANOTHER_SERVER, EmbeddedPostgresError


def identity(pid: int) -> str | None:
    """A name that no other process has had since the machine started: a process id alone comes round again.

    None once the process has ended, also while its parent has not yet collected it.
    """
    try:
        # The second field is the program's name in brackets and may itself hold brackets and spaces.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{pid}-{started}"


@contextmanager
def exclusive(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock: one process at a time starts, adopts or stops the server. A dead holder's is freed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"Another process has held {path} for {seconds:.0f} seconds while it starts or stops "
                        "the embedded database. End it and start again."
                    ) from None
                time.sleep(0.02)
        try:
            yield
        finally:
            # Not left to close(): a child that another thread forked meanwhile shares the lock and would keep it.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


class Users:
    """The live processes that use the server. Call under the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self) -> None:
        """Count this process in, once however often it is called."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / self._own_name()).touch(mode=0o600)

    def leave(self) -> None:
        (self.folder / self._own_name()).unlink(missing_ok=True)

    def alive(self) -> list[int]:
        """The processes that still run; the traces of those that were killed are removed."""
        pids = []
        for trace in self.folder.glob("*-*"):
            pid = int(trace.name.partition("-")[0])
            if identity(pid) == trace.name:
                pids.append(pid)
            else:
                trace.unlink(missing_ok=True)
        return pids

    @staticmethod
    def _own_name() -> str:
        name = identity(os.getpid())
        if name is None:
            raise EmbeddedPostgresError(f"The embedded database needs Linux with /proc. Mount it, {OR_ANOTHER_SERVER}")
        return name
