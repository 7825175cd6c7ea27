"""Folders with a database, and processes that use it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded_postgres import places
from tests.config.server_users import Process, Start, copy_data, end_server


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data has been made; copies of it spare the other tests that second."""
    var = tmp_path_factory.mktemp("made") / "var"
    process = Process(var)
    assert process.postmaster
    assert process.end() == ""
    return var


@pytest.fixture
def var(tmp_path: Path, made_once: Path) -> Iterator[Path]:
    folder = tmp_path / "var"
    copy_data(made_once, folder)
    yield folder
    end_server(folder)


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[Process] = []

    def start(*args: Any, **kwargs: Any) -> Process:
        processes.append(Process(*args, **kwargs))
        return processes[-1]

    yield start
    for process in processes:
        process.close()


@pytest.fixture
def another_users_folder() -> Iterator[tuple[int, Path]]:
    """An ordinary user with a folder of his own. Only root can hand these out."""
    uid = pwd.getpwnam("daemon").pw_uid
    folder = Path(tempfile.mkdtemp(prefix="another-user-", dir=places.RUN_PARENT))
    os.chown(folder, uid, uid)
    yield uid, folder
    end_server(folder / "var", uid)
    shutil.rmtree(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m", "none", disk], check=False).returncode:
        pytest.skip("may not mount a small disk")
    yield disk
    end_server(disk / "var")
    subprocess.run(["umount", "-l", disk], check=True)
