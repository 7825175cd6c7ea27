"""A platform's server of its own, on this machine: what it got, and how it answers."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connection
from django.utils import timezone

from redemption.models import WEBHOOK_KINDS, DeliveryStatus, User, WebhookDelivery, WebhookEndpoint, WebhookEvent
from redemption.webhooks import signing
from tests import factories
from tests.simulation.dying import _dying_after, _Process

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Receiver:
    """`answers` are given one after the other, the last again and again: a status, or a function that is given the
    handler. `got` are (headers with small names, body) in the order in which they came."""

    def __init__(self, *answers):
        self.answers = list(answers) or [204]
        self.got = []
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer.lock:
                    outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if callable(answer):
                    answer(self)
                else:
                    self.send_response(answer)
                    self.send_header("content-length", "0")
                    self.end_headers()

            do_GET = do_POST

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # Several senders knock at once.
            request_queue_size = 128

            def handle_error(self, request, client_address):
                # The sender went away.
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?from=desk"

    @property
    def ids(self):
        return [headers["webhook-id"] for headers, _ in self.got]


@contextmanager
def receiver(*answers):
    made = Receiver(*answers)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def drips(handler):
    """A letter now and then, for longer than anybody waits."""
    try:
        for letter in b"HTTP/1.1 200 OK\r\n" + b"x" * 600:
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


def endpoint(to, program=None, *, kinds=WEBHOOK_KINDS, **fields):
    return WebhookEndpoint.objects.create(
        program=program or factories.program(),
        url=getattr(to, "url", to),
        kinds=list(kinds),
        secret=signing.seal_secret(fields.pop("secret", SECRET)),
        created_by=User.objects.system(),
        created_at=timezone.now(),
        **fields,
    )


def delivery(to, *, now=None, **fields):
    """A new event, on its way to the endpoint."""
    now = now or timezone.now()
    event = WebhookEvent.objects.create(
        program=to.program,
        kind="frozen",
        source=f"card_event:{WebhookEvent.objects.count() + 10**9}",
        data={"program": to.program.slug, "first_serial": 1, "last_serial": 2},
        happened_at=now,
    )
    return WebhookDelivery.objects.create(
        event=event, endpoint=to, **{"waiting_since": now, "not_before": now, **fields}
    )


def states():
    """How many deliveries are in which state."""
    found = list(WebhookDelivery.objects.values_list("status", flat=True))
    return {status.value: found.count(status) for status in DeliveryStatus if status in found}


class Sender(_Process):
    """A worker that sends what is due now, in a process of its own, and may die on the way."""

    def __init__(self, *, dies_after=None):
        super().__init__(_send, dies_after)


def _send(database, dies_after):
    from django.conf import settings

    from redemption.webhooks.sending import send

    connection.settings_dict["NAME"] = database
    settings.WEBHOOK_PRIVATE_TARGETS = True
    with _dying_after(dies_after):
        send()
    connection.close()
