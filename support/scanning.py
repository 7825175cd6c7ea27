"""Asks clamd about a file, where there is one. Only its plain word makes a file clean."""

import logging
import socket
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from django.conf import settings

from support.models import ScanState

logger = logging.getLogger(__name__)

_SECONDS = 20
_CHUNK = 64 * 1024
# An answer is one line.
_LONGEST_ANSWER = 1024


def scan(path: Path) -> ScanState:
    """What clamd says of a file: no answer, half an answer, an error or a size limit is “not scanned”."""
    if not settings.CLAMD_URL:
        return ScanState.NOT_SCANNED
    try:
        answer = _ask(path)
    except OSError as error:
        logger.warning("clamd gave no answer (%s).", type(error).__name__)
        return ScanState.NOT_SCANNED
    if answer == b"stream: OK":
        return ScanState.CLEAN
    # It calls a file that it did not look through “found” too.
    if answer.endswith(b" FOUND") and b"Limits.Exceeded" not in answer:
        return ScanState.INFECTED
    logger.warning("clamd did not scan a file.")
    return ScanState.NOT_SCANNED


def _ask(path: Path) -> bytes:
    """clamd's INSTREAM: the file in chunks, each after its length, and an empty one."""
    deadline = monotonic() + _SECONDS
    with _connected() as clamd, path.open("rb") as file:
        try:
            clamd.sendall(b"zINSTREAM\0")
            while chunk := file.read(_CHUNK):
                clamd.settimeout(_left(deadline))
                clamd.sendall(len(chunk).to_bytes(4, "big") + chunk)
            clamd.sendall(bytes(4))
        except (BrokenPipeError, ConnectionResetError):
            # It hangs up on what is too large for it, after saying so.
            pass
        answer = b""
        while len(answer) < _LONGEST_ANSWER:
            clamd.settimeout(_left(deadline))
            part = clamd.recv(_LONGEST_ANSWER)
            answer += part
            if not part or b"\0" in part:
                break
    # Without its end it may be half an answer.
    return answer.partition(b"\0")[0].strip() if b"\0" in answer else b""


def _connected() -> socket.socket:
    address = urlsplit(settings.CLAMD_URL)
    if address.scheme == "unix":
        clamd = socket.socket(socket.AF_UNIX)
        clamd.settimeout(_SECONDS)
        try:
            clamd.connect(address.path)
        except OSError:
            clamd.close()
            raise
        return clamd
    return socket.create_connection((address.hostname, address.port or 3310), timeout=_SECONDS)


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
