"""What issuing and importing are measured with: the raw COPY of what they loaded, sizes, and memory."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pyrage
from django.db import connection, transaction
from django.db.backends.postgresql.base import DatabaseWrapper

from redemption.code_rows import COPY
from redemption.models import Benefit, CodeFormat, Product, ProductKind, Program, Retailer, User
from redemption.roles import Role
from tests.bench.report import Row

CODES = 1_000_000
_BLOCK = 1 << 17


def product() -> Product:
    printer = pyrage.x25519.Identity.generate().to_public()
    program = Program.objects.create(name="Bench", slug="bench", digest_name="bench", printer_key=str(printer))
    CodeFormat.objects.create(program=program, version=1, prefix="SPOTIFY")
    return Product.objects.create(
        program=program, sku="CARD", name="Card", kind=ProductKind.GIFT_CARD, benefit=Benefit.CREDIT, value=3000,
        currency="USD", countries=["US"],
    )  # fmt: skip


def retailer() -> Retailer:
    return Retailer.objects.create(name="Bench", slug="bench")


def manager() -> User:
    return User.objects.create(email="manager@example.com", role=Role.MANAGER, password="!")


def measure(name: str, work: Callable[[int], None], *, codes: int, runs: int) -> list[Row]:
    """Rows for `work(count)`, which puts `count` codes into the table: speed, bytes per code, peak memory."""
    # Memory first, while this process has not grown itself: a child begins with what its parent had.
    peaks = []
    for count in (codes, codes // 10):
        _empty()
        peaks.append(peak_memory(partial(work, count)))
    most, least = peaks
    ours, limit, sizes = [], [], []
    for _ in range(runs):
        _empty()
        ours.append(codes / seconds(partial(work, codes)))
        blocks = list(_dump())
        size = _bytes_of_table()
        _empty()
        limit.append(codes / seconds(partial(_raw_copy, blocks)))
        sizes.append((size / codes, _bytes_of_table() / codes))
    size, raw_size = map(statistics.median, zip(*sizes, strict=True))
    return [
        Row.of(f"{name}, limit: raw COPY", statistics.median(ours), statistics.median(limit), "codes/s"),
        Row.of(f"{name}: table and indexes, limit: after raw COPY", size, raw_size, "bytes/code"),
        Row.of(f"{name}: peak memory, limit: at {codes // 10:,}", most, least, "MiB"),
    ]


def seconds(work: Callable[[], None]) -> float:
    with connection.cursor() as cursor:
        # So that nobody pays for what the other one wrote.
        cursor.execute("CHECKPOINT")
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _dump() -> Iterator[bytes]:
    """The table's rows as COPY takes them, in the order in which they were loaded."""
    columns = COPY.split("(")[1].split(")")[0]
    query = f"SELECT {columns} FROM redemption_code ORDER BY ctid"
    dumped = bytearray()
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        for row in copy:
            dumped += row
    for start in range(0, len(dumped), _BLOCK):
        yield bytes(dumped[start : start + _BLOCK])


def _raw_copy(blocks: list[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for block in blocks:
            copy.write(block)


def _bytes_of_table() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('redemption_code')")
        return int(cursor.fetchone()[0])


def _empty() -> None:
    """No codes, as if there had never been any. Batches keep their serial numbers: the next ones get others."""
    with transaction.atomic(), connection.cursor() as cursor:
        # The guards refuse TRUNCATE to everybody but a superuser who plays the replica.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE redemption_code CASCADE")


def peak_memory(work: Callable[[], None]) -> float:
    """MiB that a process of its own needed at most."""
    _let_go()
    context = multiprocessing.get_context("fork")
    peak = context.SimpleQueue()

    def child() -> None:
        work()
        _let_go()
        peak.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    process = context.Process(target=child)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"The process that measures memory ended with {process.exitcode}.")
    return float(peak.get())


def _let_go() -> None:
    """No connection of this process's: a child must open its own."""
    connection.close()
    cast(DatabaseWrapper, connection).close_pool()
