"""Processes that use the embedded server in a folder, and a look from outside at what runs for it."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.embedded_postgres import binaries, places
from config.embedded_postgres.users import identity

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = binaries.bin_folder().parents[2]

# A user of the server: Django with nothing but the engine. It says when it has connected, then obeys line by line.
USER = """
import json, multiprocessing, os, sys, time
from pathlib import Path
import django, psycopg, psycopg_pool
from django.conf import settings
from django.db import connection

settings.configure(
    VAR_DIR=Path(sys.argv[1]),
    DATABASES={"default": {"ENGINE": "config.embedded_postgres", "NAME": "redemption", "OPTIONS": {
        "pool": {"min_size": 1, "max_size": 4, "timeout": 30},
        "server_side_binding": True, "prepare_threshold": 2,
    }}},
)
django.setup()
from config.embedded_postgres import server

def say(answer):
    print(json.dumps(answer), flush=True)

def query(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [list(row) for row in cursor.fetchall()] if cursor.description else None

def refused(statement):
    try:
        query(statement)
    except django.db.Error as error:
        return str(error)

def reconnect():
    connection.close()
    connection.close_pool()

def can_reach(folder):
    try:
        psycopg.connect(host=folder, port=5432, user="redemption", dbname="redemption").close()
    except psycopg.OperationalError:
        return False
    return True

def fork_and_connect():
    reader, writer = os.pipe()
    if not os.fork():
        os.write(writer, json.dumps({"pid": os.getpid(), "answer": query("SELECT 1")}).encode())
        sys.exit(0)
    os.wait()
    return json.loads(os.read(reader, 1000))

def fork_and_stay(seconds):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        query("SELECT 1")
        os.write(writer, b"x")
        time.sleep(seconds)
        sys.exit(0)
    os.read(reader, 1)
    return child

def answer_in_child(answers):
    answers.put(query("SELECT 1"))

def in_multiprocessing():
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=answer_in_child, args=(answers,))
    child.start()
    child.join()
    return answers.get()

if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    query("SELECT 1")
except django.core.exceptions.ImproperlyConfigured as error:
    say({"sentence": str(error)})
    sys.exit(1)
say({"postmaster": int((server.data_folder() / "postmaster.pid").read_text().split()[0])})
for line in sys.stdin:
    say(eval(line))
"""


class Process:
    """One user of the server in `var`."""

    def __init__(self, var: Path, *, uid: int | None = None, env: dict[str, str] | None = None) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", USER, str(var), *([str(uid)] if uid is not None else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
        )
        self._first: dict[str, Any] | None = None

    @property
    def first(self) -> dict[str, Any]:
        if self._first is None:
            self._first = self._read()
        return self._first

    @property
    def postmaster(self) -> int:
        assert "postmaster" in self.first, self.first
        return int(self.first["postmaster"])

    @property
    def sentence(self) -> str:
        assert "sentence" in self.first, self.first
        return str(self.first["sentence"])

    def _read(self) -> Any:
        line = self.popen.stdout.readline()
        assert line, (self._first, self.popen.stderr.read())
        return json.loads(line)

    def does(self, expression: str) -> Any:
        assert self.first
        self.popen.stdin.write(expression + "\n")
        self.popen.stdin.flush()
        return self._read()

    def query(self, statement: str) -> Any:
        return self.does(f"query({statement!r})")

    def end(self) -> str:
        """End as programs should, and return what was complained about."""
        _, complaints = self.popen.communicate(timeout=60)
        return complaints

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()  # not for the end of its output, which a child of its may still hold

    def close(self) -> None:
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            pipe.close()


def run_folder(var: Path, uid: int | None = None) -> Path:
    digest = hashlib.blake2b(os.fsencode(var.resolve() / "postgres"), digest_size=8).hexdigest()
    return places.RUN_PARENT / f"redemption-desk-{os.geteuid() if uid is None else uid}-{digest}"


def servers_of(var: Path, uid: int | None = None) -> list[int]:
    """Every process of a server on this folder's data, told by the socket's name that is theirs alone."""
    processes = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and run_folder(var, uid).name in (entry / "cmdline").read_text(errors="replace"):
                processes.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [pid for pid in processes if identity(pid)]


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while identity(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return identity(pid) is None


def end_server(var: Path, uid: int | None = None) -> None:
    """End whatever a failed test left."""
    for pid in servers_of(var, uid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(run_folder(var, uid), ignore_errors=True)


def copy_data(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", source, target], check=True)


Start = Callable[..., Process]
