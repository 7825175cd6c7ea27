"""The demo's processes: the web server and the job worker, children of the command that started them."""

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from django.conf import settings

from support.demo.state import DemoError

HOST = "127.0.0.1"
_PORTS_TO_TRY = 100
_START_SECONDS = 60
_STOP_SECONDS = 15
# A child that ends sooner than this after its start would end again and again.
_SHORT_LIFE = 5


def free_port(wanted: int) -> int:
    """The first port from the wanted one on that nobody listens on."""
    for port in range(wanted, min(wanted + _PORTS_TO_TRY, 65536)):
        if _is_free(port):
            return port
    raise DemoError(f"The ports {wanted} to {wanted + _PORTS_TO_TRY - 1} are all busy: name another with --port.")


def _is_free(port: int) -> bool:
    # Browsers try localhost's IPv6 address too, and would find somebody else there.
    for family, host in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
    return True


class Children:
    """Started together, ended together. What they write goes to `var/demo.log`."""

    def __init__(self, port: int) -> None:
        self._port = port
        manage = str(settings.BASE_DIR / "manage.py")
        self._commands = {
            "web server": [
                *("granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)),
                *("--no-ws", "--blocking-threads", "8", "--respawn-failed-workers", "--log-level", "warning"),
                # Its worker does not hear a signal in the first moment of its life.
                *("--workers-kill-timeout", "5"),
                "support.demo.web:application",
            ],
            "job worker": [manage, "procrastinate", "worker"],
        }
        self._running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._log = log_file().open("wb")
        log_file().chmod(0o600)

    def start(self) -> None:
        for name in self._commands:
            self._start(name)
        self._wait_until_answered()

    def _start(self, name: str) -> None:
        # A session of its own: Ctrl-C reaches the parent only, who ends the children in order.
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "support.demo.child", str(os.getpid()), *self._commands[name]],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._running[name] = (child, time.monotonic())

    def _wait_until_answered(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self.start_ended_again()
            connection = http.client.HTTPConnection(HOST, self._port, timeout=10)
            try:
                connection.request("GET", "/accounts/login/", headers={"Host": f"localhost:{self._port}"})
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return
                break
            except OSError:
                time.sleep(0.1)
            finally:
                connection.close()
        raise DemoError(f"The web server does not answer; {log_file()} says more.")

    def start_ended_again(self) -> None:
        """A child that was killed comes back; one that ends at once has a reason, which its log tells."""
        for name, (child, since) in list(self._running.items()):
            if child.poll() is not None:
                if time.monotonic() - since < _SHORT_LIFE:
                    raise DemoError(f"The {name} ended by itself; {log_file()} says more.")
                self._start(name)

    def stop(self) -> None:
        for child, _ in self._running.values():
            child.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for child, _ in self._running.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._log.close()


def log_file() -> Path:
    return Path(settings.VAR_DIR) / "demo.log"


def serve(port: int, on_start: Callable[[], None]) -> None:
    """Runs both children until SIGINT, SIGTERM or SIGHUP; none of them is left when it returns."""
    asked_to_stop = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    children = Children(port)
    try:
        children.start()
        on_start()
        while not asked_to_stop.wait(0.3):
            children.start_ended_again()
    finally:
        children.stop()
