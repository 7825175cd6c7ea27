"""The data: made once, checked before every start."""

import os
import shutil
import time
from pathlib import Path

from config.embedded_postgres.binaries import MAJOR, Account
from config.embedded_postgres.errors import (
    OR_ANOTHER_SERVER,
    EmbeddedPostgresError,
    no_room,
    tells_of_no_room,
)
from config.embedded_postgres.places import data_folder

SUPERUSER = "redemption"
_ROOM_TO_BEGIN = 200 * 1024 * 1024


def check_data(account: Account) -> None:
    """Refuse data that the server could not use: another user's, or another major version's."""
    data = data_folder()
    if not data.exists():
        return
    owner = data.stat().st_uid
    if owner != account.uid:
        raise EmbeddedPostgresError(
            f"{data} belongs to user {owner}, but the embedded database would run as user {account.uid}. "
            f"Start as the user that made it, set VAR_DIR to a folder of your own, {OR_ANOTHER_SERVER}"
        )
    version = data / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else ""
    if found != str(MAJOR):
        holds = f"data of PostgreSQL {found}" if found else "no data of PostgreSQL"
        raise EmbeddedPostgresError(
            f"{data} holds {holds}, but this program brings PostgreSQL {MAJOR}. "
            "Move that folder away to begin anew, or set DATABASE_URL to a server that can read it."
        )


def _remove(draft: Path) -> None:
    """The remains of a killed start, whose initdb may live on for a moment and still be writing into them."""
    deadline = time.monotonic() + 20
    while draft.exists() and time.monotonic() < deadline:
        shutil.rmtree(draft, ignore_errors=True)
        time.sleep(0.02)


def create_data(account: Account, programs: Path) -> None:
    """Make the data beside its place, and move it there when it is whole: a killed start leaves no half of it."""
    data = data_folder()
    draft = data.with_name("postgres.new")
    _remove(draft)
    if shutil.disk_usage(data.parent).free < _ROOM_TO_BEGIN:
        raise no_room(data)
    draft.mkdir(mode=0o700)
    if account.is_another:
        os.chown(draft, account.uid, account.gid)
    # Handed over as an open descriptor, as to the server (see there).
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        made = account.run(
            [
                programs / "initdb",
                f"--pgdata=/proc/self/fd/{descriptor}",
                f"--username={SUPERUSER}",
                "--no-locale",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                # The socket's folder lets nobody else in, and there is no network.
                "--auth-local=trust",
                "--auth-host=reject",
                "--no-instructions",
            ],
            pass_fds=(descriptor,),
        )
    finally:
        os.close(descriptor)
    if made.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        if tells_of_no_room(made.stderr):
            raise no_room(data)
        raise EmbeddedPostgresError(
            f"The embedded database could not be made in {data}. PostgreSQL said:\n{made.stderr.strip()}\n"
            f"Set that right, {OR_ANOTHER_SERVER}"
        )
    draft.rename(data)
