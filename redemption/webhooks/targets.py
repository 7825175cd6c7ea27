"""One post to an address that somebody has typed in: to a public machine only, within a deadline, and no further.

The name is resolved once and the connection goes to the very address that was looked at: a name that points elsewhere
the next moment leads nowhere. That, and a deadline over everything instead of over each read, is why no HTTP library
stands here.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

# Addresses of the old Internet inside those of the new one, by translators in the network.
_TRANSLATED = IPv6Network("64:ff9b::/96")
_LARGEST_PAUSE = 24 * 60 * 60


class TargetError(Exception):
    """Nothing is sent there, or nothing arrived; the text says why, in a few words without the address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's status, and for how many seconds it asks to be left alone."""

    status: int
    retry_after: int = 0

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


def check(url: str) -> SplitResult:
    """The parts of an address that can be posted to. TargetError: it never can."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except (ValueError, UnicodeError):
        raise TargetError("not a web address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_PRIVATE_TARGETS):
        raise TargetError("not https")
    if not host or port == 0:
        raise TargetError("not a web address")
    if parts.username is not None or parts.password is not None:
        raise TargetError("a password in the address")
    if any(ord(symbol) <= 32 or ord(symbol) == 127 for symbol in url):
        raise TargetError("not a web address")
    try:
        literal = ip_address(host)
    except ValueError:
        return parts
    _require_public(literal)
    return parts


def post(url: str, *, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """What the server answered within `timeout` seconds, all in all but for the look-up of its name. A redirect is an
    answer like another: it is not followed. TargetError: nothing answered, or nothing may be sent there."""
    parts = check(url)
    connection = _Connection(parts, timeout)
    # Reads have no deadline of their own: a server that sends a letter a second would hold its sender for hours.
    deadline = threading.Timer(timeout, connection.cut)
    deadline.daemon = True
    deadline.start()
    try:
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, _seconds(response.headers.get("Retry-After", "")))
    except TargetError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        if connection.was_cut or isinstance(error, TimeoutError):
            raise TargetError("timeout") from None
        # Only the error's kind: its text may quote what came back.
        raise TargetError(_word(error)) from None
    finally:
        deadline.cancel()
        connection.close()


class _Connection(http.client.HTTPConnection):
    """To an address that was looked at, under the name that it has."""

    def __init__(self, parts: SplitResult, timeout: float) -> None:
        host = (parts.hostname or "").encode("idna").decode()
        self._is_secure = parts.scheme == "https"
        super().__init__(host, parts.port or (443 if self._is_secure else 80), timeout=timeout)
        # Left out of the Host header where it is the scheme's own.
        self.default_port = 443 if self._is_secure else 80
        self.was_cut = False
        self._lock = threading.Lock()

    def connect(self) -> None:
        failed: OSError | None = None
        for family, address in _addresses(self.host, self.port):
            plain = socket.socket(family, socket.SOCK_STREAM)
            self._hold(plain)
            try:
                plain.settimeout(self.timeout)
                plain.connect(address)
                if self._is_secure:
                    context = ssl.create_default_context()
                    secure = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
                    self._hold(secure)
                    secure.do_handshake()
            except OSError as error:
                failed = error
                self.sock.close()
                # A certificate that is wrong at one address is looked into, not gone around.
                if self.was_cut or isinstance(error, ssl.SSLError):
                    break
            else:
                return
        raise failed or TargetError("unknown host")

    def _hold(self, one: socket.socket) -> None:
        with self._lock:
            self.sock = one
            if self.was_cut:
                one.close()
                raise TimeoutError

    def cut(self) -> None:
        """From another thread: whatever waits for the server ends."""
        with self._lock:
            self.was_cut = True
            if self.sock is not None:
                # Where it is not connected yet, its own timeout ends it.
                with suppress(OSError):
                    # Not the secure socket's own, which would first forget its state while another thread reads.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """All that the name stands for, each of them public: one that is not makes the whole name suspicious."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TargetError("unknown host") from None
    for _, _, _, _, address in found:
        _require_public(ip_address(str(address[0]).partition("%")[0]))
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]


def _require_public(address: IPv4Address | IPv6Address) -> None:
    if settings.WEBHOOK_PRIVATE_TARGETS:
        return
    for one in _meant(address):
        if not one.is_global or one.is_multicast or one.is_reserved:
            raise TargetError("a private address")


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and any other that it leads to."""
    if isinstance(address, IPv4Address):
        return [address]
    # ::ffff:10.0.0.1 is 10.0.0.1 to every machine, whatever it is to a list of address blocks.
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _TRANSLATED:
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    inner = [address.sixtofour, *(address.teredo or ())]
    return [address, *(one for one in inner if one)]


def _seconds(text: str) -> int:
    return min(int(text), _LARGEST_PAUSE) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def _word(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return "a certificate that does not hold"
        case ssl.SSLError():
            return "no secure connection"
        case ConnectionRefusedError():
            return "connection refused"
        case http.client.RemoteDisconnected() | ConnectionResetError() | BrokenPipeError():
            return "connection lost"
        case http.client.HTTPException():
            return "no HTTP"
        case ValueError():
            return "not a web address"
    return "not reachable"
