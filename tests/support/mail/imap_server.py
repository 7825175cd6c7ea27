"""A mailbox on a real socket, with as much of IMAP as we speak."""

import re
import socket
import ssl
import threading
from contextlib import suppress


class Mailbox:
    """`mails` by their uid, with `flags`, and what was `moved` to which folder."""

    def __init__(
        self, *mails: bytes, moves: bool = True, scheme: str = "imap", tls: ssl.SSLContext | None = None
    ) -> None:
        self.mails = dict(enumerate(mails, start=7))
        self.flags: dict[int, set[str]] = {uid: set() for uid in self.mails}
        self.moved: dict[int, str] = {}
        self.commands: list[str] = []
        self.moves, self.scheme, self.tls = moves, scheme, tls
        self.password = "secret"
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    @property
    def unread(self) -> list[int]:
        return [uid for uid in self.mails if r"\Seen" not in self.flags[uid]]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                if self.tls and self.scheme == "imaps":
                    with self.tls.wrap_socket(connection, server_side=True) as safe:
                        self._talk(safe, b"* OK ready\r\n")
                else:
                    self._talk(connection, b"* OK ready\r\n")

    def _talk(self, connection: socket.socket, greeting: bytes = b"") -> None:
        with connection.makefile("rwb") as lines:
            lines.write(greeting)
            lines.flush()
            for raw in lines:
                line = raw.decode().strip()
                self.commands.append(line)
                tag, _, command = line.partition(" ")
                lines.write(self._answer(command) + f"{tag} {self._verdict(command)}\r\n".encode())
                lines.flush()
                if command.upper() == "LOGOUT":
                    return
                if command.upper() == "STARTTLS" and self.tls:
                    break
            else:
                return
        with self.tls.wrap_socket(connection, server_side=True) as safe:
            self._talk(safe)

    def _verdict(self, command: str) -> str:
        if command.startswith("LOGIN") and self.password not in command:
            return "NO wrong"
        if command.startswith("SELECT") and "INBOX" not in command:
            return "NO unknown"
        return "OK done"

    def _answer(self, command: str) -> bytes:
        if command == "CAPABILITY":
            offers = [b"IMAP4rev1", *([b"MOVE"] if self.moves else []), *([b"STARTTLS"] if self.tls else [])]
            return b"* CAPABILITY " + b" ".join(offers) + b"\r\n"
        if command.startswith("SELECT"):
            return b"* %d EXISTS\r\n" % len(self.mails)
        if command.upper() == "LOGOUT":
            return b"* BYE\r\n"
        if not (found := re.match(r"UID (\w+) ?(\d*) ?(.*)", command)):
            return b""
        verb, uid, rest = found[1].upper(), int(found[2] or 0), found[3]
        if verb == "SEARCH":
            # The newest first, as some servers do.
            return b"* SEARCH " + " ".join(map(str, sorted(self.unread, reverse=True))).encode() + b"\r\n"
        if verb == "FETCH" and uid in self.mails:
            mail = self.mails[uid]
            return b"* 1 FETCH (UID %d BODY[] {%d}\r\n" % (uid, len(mail)) + mail + b")\r\n"
        if verb == "STORE":
            self.flags[uid] |= set(re.findall(r"\\\w+", rest))
        if verb in ("MOVE", "COPY"):
            self.moved[uid] = rest
            if verb == "MOVE":
                del self.mails[uid]
        return b""
