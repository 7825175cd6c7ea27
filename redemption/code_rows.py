"""Many rows of redemption_code at once, in PostgreSQL's binary COPY format, filled column by column."""

import struct
import sys
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.conf import settings
from django.db import connection
from django.db.models import Min

from redemption.digests import DIGEST_BYTES, Digester
from redemption.models import Batch, CodeStatus, Program

# Rows that are made, held and sent at a time. Large enough for many of its digests to fall on the same page of the
# index, and small enough that memory is spent on the interpreter rather than on rows.
CHUNK = 50_000

COPY = "COPY redemption_code (serial, digest, batch_id, key_version, status, last_four) FROM STDIN (FORMAT BINARY)"
HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"

# The number of fields, then each with its length before it.
_ROW = struct.Struct(f">h iq i{DIGEST_BYTES}s iq ih ih i4s")
_SERIAL, _DIGEST, _LAST_FOUR = 6, 18, 62

_Made = TypeVar("_Made")


def unnumbered_rows(*, batch_id: int, key_version: int, keyed: bytes, record: int) -> bytearray:
    """Rows of inactive codes, yet without serial numbers.

    `keyed` holds one record of `record` bytes per code, end to end: the digest first, the last four symbols last.
    """
    fields = (6, 8, 0, DIGEST_BYTES, b"", 8, batch_id, 2, key_version, 2, CodeStatus.INACTIVE, 4, b"")
    rows = bytearray(_ROW.pack(*fields)) * (len(keyed) // record)
    # One strided assignment per byte of a column, not one step per row.
    for byte in range(DIGEST_BYTES):
        rows[_DIGEST + byte :: _ROW.size] = keyed[byte::record]
    for byte in range(4):
        rows[_LAST_FOUR + byte :: _ROW.size] = keyed[record - 4 + byte :: record]
    return rows


def number(rows: bytearray, serials: Iterable[int]) -> None:
    """Give each row its serial number, in place."""
    column = array("q", serials)
    if sys.byteorder == "little":
        column.byteswap()
    fill(rows, _ROW.size, _SERIAL, column.tobytes(), 8)


def fill(rows: bytearray, width: int, place: int, column: bytes, size: int) -> None:
    """Put a column, `size` bytes a row end to end, at `place` into rows of `width` bytes."""
    for byte in range(size):
        rows[place + byte :: width] = column[byte::size]


def load(rows: bytearray) -> None:
    """Copy rows into the table, in the transaction that is open. psycopg's UniqueViolation: a duplicate."""
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write(HEAD)
        copy.write(rows)
        copy.write(TAIL)


def made_ahead(chunks: Iterator[_Made]) -> Generator[_Made, None, None]:
    """The same chunks, each made in a thread while the one before it is at the server. Close it, whatever happens."""
    with ThreadPoolExecutor(1, "codes") as maker:
        upcoming: Future[_Made | None] = maker.submit(next, chunks, None)
        while (chunk := upcoming.result()) is not None:
            upcoming = maker.submit(next, chunks, None)
            yield chunk


def older_digesters(program: Program) -> list[Digester]:
    """What gives the digests that the program's codes may have beside the newest: one digester for each older version.

    None, once a rotation has moved them all.
    """
    keys = settings.CODE_KEYS
    batches = Batch.objects.filter(product__program=program).with_codes()
    oldest = batches.aggregate(oldest=Min("key_version", default=len(keys)))["oldest"]
    return [
        Digester({version: keys[version] for version in range(1, newest + 1)}, program.digest_name)
        for newest in range(oldest, len(keys))
    ]


def batches_of(digests: Sequence[bytes]) -> dict[bytes, int]:
    """Which of these digests some code has, and that code's batch."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest, batch_id FROM redemption_code WHERE digest = ANY(%s)", [list(digests)])
        return {bytes(digest): batch_id for digest, batch_id in cursor.fetchall()}
