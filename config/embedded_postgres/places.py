"""Where the embedded server keeps what: all in `var/`, but for its socket."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

from django.conf import settings

from config.embedded_postgres.binaries import Account
from config.embedded_postgres.errors import OR_ANOTHER_SERVER, EmbeddedPostgresError

PORT = 5432  # part of the socket's name; there is no network port
SOCKET_BYTES = 107  # the longest path of a socket on Linux
# Fixed, not $TMPDIR: processes with different environments must find the same server. Short, however deep the
# data lies.
RUN_PARENT = Path("/tmp")  # noqa: S108 (the folder in it is private, and its owner is checked)
_RUN_PREFIX = "redemption-desk-"


def data_folder() -> Path:
    """PostgreSQL's data, mode 0700, of the server's user."""
    return Path(settings.VAR_DIR).resolve() / "postgres"


def log_file() -> Path:
    """The server's log: starts, stops and failures; never what clients sent."""
    return data_folder() / "server.log"


def lock_file() -> Path:
    return data_folder().with_name("postgres.lock")


def users_folder() -> Path:
    return data_folder().with_name("postgres.users")


def run_folder() -> Path:
    """Where the socket lies: the data's path, made short."""
    digest = hashlib.blake2b(os.fsencode(data_folder()), digest_size=8).hexdigest()
    return RUN_PARENT / f"{_RUN_PREFIX}{os.geteuid()}-{digest}"


def remove_run_folder(folder: Path) -> None:
    """Remove a run folder, and nothing that merely says to be one: the name may come from another user's note."""
    if folder.parent == RUN_PARENT and folder.name.startswith(_RUN_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def socket_file(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def make_run_folder(account: Account) -> Path:
    """The run folder, empty of sockets: ours alone, or where the server is another user's, its group's too."""
    folder = run_folder()
    if len(os.fsencode(socket_file(folder))) > SOCKET_BYTES:
        raise EmbeddedPostgresError(
            f"The path {socket_file(folder)} is too long for a socket, which has at most {SOCKET_BYTES} bytes. "
            "Set DATABASE_URL to a PostgreSQL server."
        )
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Anyone may make folders here, so one of this name may be a trap.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise EmbeddedPostgresError(
                f"{folder}, where the embedded database keeps its socket, was made by user {found.st_uid}. "
                f"Have it removed, set VAR_DIR to another folder, {OR_ANOTHER_SERVER}"
            ) from None
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded database keeps its socket in {RUN_PARENT}, where no folder can be made "
            f"({error.strerror}). Set that right, {OR_ANOTHER_SERVER}"
        ) from error
    if account.is_another:
        os.chown(folder, os.geteuid(), account.gid)
    folder.chmod(0o770 if account.is_another else 0o700)
    for leftover in folder.glob(".s.PGSQL.*"):
        leftover.unlink()
    return folder
