"""The server's first process: found, started, waited for, stopped. All of it is called under the lock."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.embedded_postgres.binaries import Account, server_programs
from config.embedded_postgres.cluster import check_data, create_data
from config.embedded_postgres.errors import (
    OR_ANOTHER_SERVER,
    EmbeddedPostgresError,
    no_room,
    tells_of_no_room,
)
from config.embedded_postgres.places import (
    PORT,
    data_folder,
    log_file,
    make_run_folder,
    remove_run_folder,
    run_folder,
    socket_file,
)
from config.embedded_postgres.users import identity

START_SECONDS = 120
STOP_SECONDS = 60
_LOG_BYTES = 10 * 1024 * 1024
_LITTLE_ROOM = 32 * 1024 * 1024  # less than two files of the write-ahead log

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What a client sent must not reach the log, in no form: no statements, no parameters, and no errors of
    # statements either, because their text quotes the value at fault. The client is told them all the same.
    "log_statement": "none",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Postmaster:
    pid: int
    run_folder: Path
    status: str  # PostgreSQL's own words: starting, ready, stopping


def running_or_started(account: Account) -> Postmaster:
    """The server, ready for connections: the one that runs, whoever started it, or else a new one."""
    postmaster = live_postmaster(account)
    if postmaster is not None and (
        # Its stopper may have been killed, or its socket swept away with other temporary files.
        postmaster.status == "stopping"
        or (postmaster.status == "ready" and not socket_file(postmaster.run_folder).exists())
    ):
        stop(postmaster)
        postmaster = None
    if postmaster is not None:
        return _wait_until_ready(account, postmaster.pid, log_from=0)
    check_data(account)
    _clear_remains(account)
    folder = make_run_folder(account)
    try:
        programs = server_programs(account, folder)
        if not data_folder().exists():
            create_data(account, programs)
        return _launch(account, programs, folder)
    except BaseException:
        # One that only takes too long to recover is left at it, for the next start to find.
        if live_postmaster(account) is None:
            remove_run_folder(folder)
        raise


def live_postmaster(account: Account) -> Postmaster | None:
    """The server that runs on our data, by the note that it keeps there; None for a stale note or none."""
    noted = _noted()
    if noted is None or identity(noted.pid) is None:
        return None
    # The process id may by now be another program's. A command line can be read without any privilege.
    return noted if noted.run_folder.name in _command_line(noted.pid, account) else None


def stop(postmaster: Postmaster) -> None:
    """A fast shutdown: sessions end, what was committed is on disk. Returns when it has ended."""

    def ended() -> bool:
        return identity(postmaster.pid) is None

    _kill(postmaster.pid, signal.SIGINT)
    if not _wait_until(ended, seconds=STOP_SECONDS):
        _kill(postmaster.pid, signal.SIGQUIT)
        _wait_until(ended, seconds=STOP_SECONDS)
    remove_run_folder(postmaster.run_folder)


def _noted() -> Postmaster | None:
    try:
        lines = (data_folder() / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    # Lines: pid, data, start, port, socket's folder, address, shared memory, status; written bit by bit.
    folder = Path(lines[4]) if len(lines) > 4 and lines[4] else run_folder()
    return Postmaster(pid, folder, lines[7].strip() if len(lines) > 7 else "starting")


def _command_line(pid: int, account: Account) -> str:
    """Of a process of the server's user; empty for any other."""
    process = Path(f"/proc/{pid}")
    try:
        if process.stat().st_uid != account.uid:
            return ""
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _clear_remains(account: Account) -> None:
    """After a SIGKILL of the postmaster: end its children, which hold the shared memory, and drop its note.

    PostgreSQL itself believes any note whose process id lives, though it be another program's, or a zombie's.
    """
    noted = _noted()
    if noted is None:
        return
    title = f"postgres: {noted.run_folder.name}: "

    def orphans() -> list[int]:
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if _command_line(pid, account).startswith(title) and identity(pid)]

    for pid in orphans():
        _kill(pid, signal.SIGKILL)
    _wait_until(lambda: not orphans(), seconds=STOP_SECONDS)
    (data_folder() / "postmaster.pid").unlink(missing_ok=True)


def _launch(account: Account, programs: Path, folder: Path) -> Postmaster:
    """Start the server in its own session, as a child of init's: it outlives us until its last user has ended.

    It gets its data as an open descriptor, so that no folder above need let its user through (a checkout in /root),
    and no path is too long for it.
    """
    log = log_file()
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    options = {**_SETTINGS, "unix_socket_directories": str(folder), "cluster_name": folder.name}
    data = os.open(data_folder(), os.O_RDONLY | os.O_DIRECTORY)
    log_descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        # A backup by the server reads every file in its folder.
        os.fchown(log_descriptor, account.uid, account.gid)
        log_from = os.fstat(log_descriptor).st_size
        started = account.run(
            [
                # The shell ends at once: a server that was our own child would stay a zombie while we live.
                *("/bin/sh", "-c", '"$@" >&2 & echo $!', "sh"),
                *(programs / "postgres", "-D", f"/proc/self/fd/{data}"),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            check=True,
            stderr=log_descriptor,
            pass_fds=(data,),
        )
    finally:
        os.close(log_descriptor)
        os.close(data)
    return _wait_until_ready(account, int(started.stdout), log_from=log_from)


def _wait_until_ready(account: Account, pid: int, *, log_from: int) -> Postmaster:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        alive = identity(pid) is not None
        postmaster = live_postmaster(account)
        if postmaster and postmaster.status == "ready":
            return postmaster
        # Ours may have lost to one whose starter was killed a moment before: then wait for that one.
        if postmaster is None and not alive:
            raise _failure("The embedded database did not start", log_from)
        time.sleep(0.01)
    raise _failure(f"The embedded database was not ready within {START_SECONDS} seconds", log_from)


def _failure(what: str, log_from: int) -> EmbeddedPostgresError:
    said = "\n".join(log_file().read_bytes()[log_from:].decode(errors="replace").splitlines()[-8:])
    # On a full disk the log has no room either.
    if tells_of_no_room(said) or shutil.disk_usage(data_folder()).free < _LITTLE_ROOM:
        return no_room(data_folder())
    return EmbeddedPostgresError(
        f"{what}. PostgreSQL said:\n{said or 'nothing'}\nSet that right (its log is {log_file()}), {OR_ANOTHER_SERVER}"
    )


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
