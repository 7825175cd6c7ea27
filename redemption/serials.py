"""Serial numbers: ten digits, sequential, never used twice."""

from django.db import connection
from django.db.backends.postgresql.psycopg_any import NumericRange

from redemption import locks
from redemption.models import FIRST_SERIAL, LAST_SERIAL, Batch

# The gap before the first range that is taken, those between two, and the one after the last.
_FIRST_GAP = """
    SELECT first FROM (
        SELECT %(start)s::int8 AS first, coalesce(min(lower(serials)), %(end)s::int8) AS next FROM redemption_batch
        UNION ALL
        SELECT upper(serials), lead(lower(serials), 1, %(end)s::int8) OVER (ORDER BY serials)
            FROM redemption_batch WHERE serials IS NOT NULL
    ) AS gap
    WHERE next - first >= %(count)s ORDER BY first LIMIT 1
"""


class SerialsRefusedError(Exception):
    """These serial numbers cannot be had; the message is a sentence for whoever asked."""


class SerialsTakenError(SerialsRefusedError):
    """Another batch has some of them."""


class SerialsExhaustedError(SerialsRefusedError):
    """No room is left among ten digits."""


def next_free(count: int) -> tuple[int, int]:
    """The first run of `count` numbers that are free, half-open. Nobody else gets a number until the transaction
    ends, in which the caller gives the run to a batch."""
    locks.take(locks.SERIALS)
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_GAP, {"start": FIRST_SERIAL, "end": LAST_SERIAL + 1, "count": count})
        row: tuple[int] | None = cursor.fetchone()
    if row is None:
        raise SerialsExhaustedError(f"No {count:,} serial numbers of ten digits are free in a row.")
    return row[0], row[0] + count


def run_from(first: int, batch: Batch) -> tuple[int, int]:
    """The run of the batch's quantity from a chosen number on, half-open; locked like next_free's.

    SerialsTakenError where another batch has one of them, SerialsRefusedError where one has not ten digits.
    """
    locks.take(locks.SERIALS)
    last = first + batch.quantity - 1
    if not FIRST_SERIAL <= first <= last <= LAST_SERIAL:
        raise SerialsRefusedError(
            f"Serial numbers have ten digits, {FIRST_SERIAL} to {LAST_SERIAL}: {first}–{last} would leave them."
        )
    taken = Batch.objects.exclude(pk=batch.pk).filter(serials__overlap=NumericRange(first, last + 1))
    other = taken.order_by("serials").first()
    if other:
        raise SerialsTakenError(
            f"Batch {other} has the serial numbers {other.first_serial}–{other.last_serial}: {first}–{last} would "
            "overlap them."
        )
    return first, last + 1
