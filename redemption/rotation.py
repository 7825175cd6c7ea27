"""Moving stored digests to the newest key: wrapped once more, without their codes."""

from collections.abc import Callable
from operator import itemgetter

from django.db import connection, transaction

from redemption import locks
from redemption.digests import Digester, digester
from redemption.models import Batch, Program
from redemption.models.batch import newest_key_version

# Rows a transaction: a live redemption of one of them waits for about this long.
STEP = 20_000

_WRAP = """
    UPDATE redemption_code AS code SET digest = wrapped.digest, key_version = %(version)s + 1
    FROM unnest(%(serials)s::bigint[], %(digests)s::bytea[]) AS wrapped (serial, digest)
    WHERE code.serial = wrapped.serial
"""


def rotate(*, program: Program, progress: Callable[[int], None] | None = None, step: int = STEP) -> int:
    """Wrap the digests of a program's codes in every newer key; how many digests were wrapped.

    In transactions of `step` serial numbers, each under the program's lock, which imports hold too. Stopped anywhere,
    it goes on from there the next time; run twice or by two at once, each digest is wrapped once. Redeeming goes on:
    a look-up tries every version. `progress` is told how many serial numbers have been gone through.

    To be run when every process has the new key: one that has not makes codes of the old version.
    """
    digests = digester(program.digest_name)
    gone_through = wrapped = 0
    for batch in _due(program):
        for start in range(batch.serials.lower, batch.serials.upper, step):
            end = min(start + step, batch.serials.upper)
            for version in range(batch.key_version, digests.version):
                wrapped += _wrap(program, digests, version, start, end)
            gone_through += end - start
            if progress:
                progress(gone_through)
        Batch.objects.filter(pk=batch.pk, key_version__lt=digests.version).update(key_version=digests.version)
    return wrapped


def total(program: Program) -> int:
    """How many serial numbers there are to go through."""
    return sum(batch.serials.upper - batch.serials.lower for batch in _due(program))


def _due(program: Program) -> list[Batch]:
    batches = Batch.objects.filter(product__program=program, key_version__lt=newest_key_version()).with_codes()
    return list(batches.order_by("pk"))


def _wrap(program: Program, digests: Digester, version: int, start: int, end: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        locks.take(locks.PROGRAM_CODES, program.pk)
        # In the order of their numbers, as whoever locks several cards does; and wholly, because a digest is a key:
        # locking for less, and for more with the UPDATE, would meet a redemption half-way, each waiting for the other.
        cursor.execute(
            "SELECT serial, digest FROM redemption_code WHERE serial >= %s AND serial < %s AND key_version = %s "
            "ORDER BY serial FOR UPDATE",
            [start, end, version],
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        serials = list(map(itemgetter(0), rows))
        wrapped = [digests.wrap(bytes(digest), version) for _, digest in rows]
        cursor.execute(_WRAP, {"version": version, "serials": serials, "digests": wrapped})
        return len(rows)
