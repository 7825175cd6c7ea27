"""A hundred writers with transactions of 0 to 50 ms, with a sealer beside them and without: what sealing costs them."""

import argparse
import statistics
import threading

from django.db import connection

from support.models import AuditEvent, SealedRow
from support.sealing import seal
from tests.bench import pgbench
from tests.bench.report import Row

SECONDS = 30
# More often than in production: what a seal costs beside its rows is paid more often too.
SEALS_A_ROUND = 6


def run(args: argparse.Namespace) -> list[Row]:
    clients, seconds = args.clients or 100, args.seconds or SECONDS
    ours, limit = [], []
    for round_number in range(args.runs):
        # By turns first and second: a server that slows down as its tables grow slows both.
        for is_ours in (True, False) if round_number % 2 else (False, True):
            # Nobody pays for what the other has written.
            seal()
            if is_ours:
                ours.append(_with_a_sealer(clients, seconds))
            else:
                limit.append(pgbench.run("write.sql", clients=clients, seconds=seconds))
    seal()
    written, sealed = AuditEvent.objects.count(), SealedRow.objects.filter(kind=1).count()
    assert written == sealed, f"{written} written and {sealed} sealed"
    row = Row.of(
        f"{clients} writers, sealed beside them; without",
        statistics.median(ours), statistics.median(limit), "1/s",
    )  # fmt: skip
    return [row]


def _with_a_sealer(clients: int, seconds: int) -> float:
    ended = threading.Event()

    def keep_sealing() -> None:
        try:
            while not ended.wait(seconds / SEALS_A_ROUND):
                seal()
        finally:
            connection.close()

    sealer = threading.Thread(target=keep_sealing)
    sealer.start()
    try:
        return pgbench.run("write.sql", clients=clients, seconds=seconds)
    finally:
        ended.set()
        sealer.join()
