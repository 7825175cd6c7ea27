"""A mail server on a real socket: keeps what it is given, and may hold its last yes back."""

import socket
import threading
from contextlib import suppress


class MailServer:
    """With `answers` off, a mail is taken (`mails`, and `taken` is set) and nobody ever hears so."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answers = True
        self.taken = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        lines = connection.makefile("rwb")

        def say(answer: bytes) -> None:
            lines.write(answer + b"\r\n")
            lines.flush()

        say(b"220 ready")
        for line in lines:
            verb = line[:4].strip().upper()
            if verb == b"DATA":
                say(b"354 go on")
                self.mails.append(b"".join(iter(lines.readline, b".\r\n")))
                self.taken.set()
                if not self.answers:
                    # Until whoever waits for the answer is gone.
                    lines.read()
                    return
            say(b"221 bye" if verb == b"QUIT" else b"250 yes")
            if verb == b"QUIT":
                return
