"""Redeeming over HTTP, by the platforms' interface of a server like a real one, against redeem() called in the clients'
own processes, and against pgbench doing the same: all three in turn, on the same machine."""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.utils import timezone

from redemption.api.keys import make_token
from redemption.models import Account, ApiKey, ApiScope, Channel, User
from redemption.redeem import redeem
from tests.bench import clients, pgbench, world
from tests.bench.report import Row

SECONDS = 6
WORKERS, THREADS = 2, 8


def run(args: argparse.Namespace) -> list[Row]:
    rows = []
    counts = [args.clients] if args.clients else [4, 8]
    rounds = args.runs * len(counts)
    # Far more cards than a round of either of ours spends.
    made = world.build(args.codes or 8_000 * SECONDS * rounds // 4)
    accounts = list(Account.objects.select_related("program").order_by("pk"))
    first_account, last_account = made.accounts
    token = _key(made)
    with served() as port:
        for place, number_of_clients in enumerate(counts):
            over_http, in_process, limit = [], [], []
            for round_number in range(args.runs):
                share = len(made.codes) // rounds
                start = share * (round_number + args.runs * place)
                # Half of the round's cards for each of ours.
                per_client = share // 2 // number_of_clients

                def send(client: int, number: int, start: int = start, per_client: int = per_client) -> None:
                    account = accounts[(number * 7919 + client * 1009) % world.ACCOUNTS]
                    code = made.codes[start + client * per_client + number]
                    status, body = _post(port, token, account, code, f"{start}-{client}-{number}")
                    assert status == 200, body

                def call(
                    client: int, number: int, start: int = start + share // 2, per_client: int = per_client
                ) -> None:
                    account = accounts[(number * 7919 + client * 1009) % world.ACCOUNTS]
                    result = redeem(
                        account=account,
                        text=made.codes[start + client * per_client + number],
                        channel=Channel.API,
                        address=f"192.0.2.{account.pk}",
                    )
                    assert result.is_redeemed, result

                over_http.append(clients.run(send, clients=number_of_clients, seconds=SECONDS))
                in_process.append(clients.run(call, clients=number_of_clients, seconds=SECONDS))
                limit.append(
                    pgbench.run(
                        "redeem.sql",
                        clients=number_of_clients,
                        seconds=SECONDS,
                        n=0,
                        first_serial=made.limit.first_serial + start,
                        cards_per_client=share // number_of_clients,
                        first_account=first_account,
                        last_account=last_account,
                    )
                )
            ours = statistics.median(over_http)
            for name, figures in (("redeem()", in_process), ("pgbench", limit)):
                label = f"redeem over HTTP against {name}, {number_of_clients} clients"
                rows.append(Row.of(label, ours, statistics.median(figures), "1/s"))
    return rows


def _key(made: world.World) -> str:
    token = make_token()
    ApiKey.objects.create(
        program=made.program,
        name="bench",
        prefix=token.prefix,
        digest=token.digest,
        scopes=[ApiScope.REDEEM],
        created_by=User.objects.system(),
        created_at=timezone.now(),
    )
    return token.text


# Of this process: clients are forked, and each keeps its connection.
_lines: dict[int, http.client.HTTPConnection] = {}


def _post(port: int, token: str, account: Account, code: str, name: str) -> tuple[int, bytes]:
    line = _lines.get(os.getpid())
    if line is None:
        line = _lines[os.getpid()] = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = {"account": account.reference, "code": code, "address": f"192.0.2.{account.pk % 250}"}
    headers = {
        "Host": "localhost",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": name,
    }
    line.request("POST", "/api/v1/redeem", json.dumps(body), headers)
    answered = line.getresponse()
    return answered.status, answered.read()


@contextmanager
def served() -> Iterator[int]:
    """The port of the application, served as the README says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.bench.served",
        "BENCH_DATABASE_NAME": connection.settings_dict["NAME"],
        "DATABASE_POOL": str(THREADS),
        "DEBUG": "true",
    }
    command = [str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--host", "127.0.0.1",
               "--port", str(port), "--workers", str(WORKERS), "--blocking-threads", str(THREADS), "--no-access-log",
               "--log-level", "error", "config.wsgi:application"]  # fmt: skip
    with subprocess.Popen(command, env=environment) as server:
        try:
            _wait(port, server)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError("The server has ended.")
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            line.request("GET", "/api/v1/openapi.json", headers={"Host": "localhost"})
            if line.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError("The server does not answer.")
