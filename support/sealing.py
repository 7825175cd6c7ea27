"""Seals rows that must not change: each thirty seconds, what was written since becomes the leaves of a tree, whose root
is chained to the one before and signed.

Writers wait for nothing: rows are taken by the id of the transaction that wrote them, below the oldest one that still
runs. Ids from sequences commit out of order and would lose some. Which rows a seal holds is kept row by row.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from redemption import locks
from support.leaves import TABLES, UNSEALED, VERSION, leaf_of
from support.merkle import Tree
from support.models import Seal, SealedKind, SealMark
from support.signing import NOTHING, sign

logger = logging.getLogger(__name__)

# Rows that are held in memory at once.
_CHUNK = 20_000
# Twice a minute a worker looks; three times missed, it is not there.
_WORKER_IS_GONE = timedelta(seconds=90)

_BOUNDS = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
        (SELECT system_identifier FROM pg_control_system())::text
"""


def seal(*, now: datetime | None = None) -> Seal | None:
    """Seals all that is complete and under no seal yet. One at a time: who comes second leaves it to the first. None
    where there is nothing to seal."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Each of these statements has a snapshot of its own: the last seal is read once nobody else can add one.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s::int, 0)", [locks.SEALING])
        if not cursor.fetchone()[0]:
            return None
        mark, _ = SealMark.objects.get_or_create(pk=1)
        last = Seal.objects.order_by("-number").first()
        horizon, cluster = bounds()
        made = Seal(
            number=last.number + 1 if last else 1,
            version=VERSION,
            at=now or timezone.now(),
            cluster=cluster,
            horizon=horizon,
            previous=bytes(last.hash) if last else NOTHING,
        )
        # On another server, as after a restore, transaction ids have begun anew: all that is unsealed is taken, once.
        goes_on = last and last.cluster == cluster and last.horizon <= horizon
        tree, counts = Tree(), {}
        for kind in SealedKind:
            if count := _take(kind, made, last.horizon if last and goes_on else None, tree):
                counts[str(kind.value)] = count
        SealMark.objects.filter(pk=mark.pk).update(looked_at=made.at)
        if not tree.count:
            return None
        made.counts, made.count, made.root = counts, tree.count, tree.root
        sign(made)
        made.save(force_insert=True)
        return made


def bounds() -> tuple[int, str]:
    """Below which transaction id everything is complete, and the server's own id."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS)
        horizon, cluster = cursor.fetchone()
    return horizon, cluster


def _take(kind: SealedKind, made: Seal, low: int | None, tree: Tree) -> int:
    """Puts the kind's rows under the seal, from the transaction `low` on or all that are unsealed; how many."""
    # A row that was restored from another server may have a transaction id of any size.
    between, params = "true", []
    if low is not None:
        between, params = "t.xact >= %s::xid8 AND t.xact < %s::xid8", [str(low), str(made.horizon)]
    # The membership is asked even so: ids of another server come round again.
    query = (
        f"SELECT t.id, encode({leaf_of(kind, str(VERSION))}, 'hex') FROM {TABLES[kind].table} t"
        f" WHERE {between} AND {UNSEALED.format(kind.value)} ORDER BY t.id"
    )
    count = 0
    # Read and written by turns, in little memory: the first seal may hold millions.
    with connection.chunked_cursor() as rows:
        rows.execute(query, params)
        while chunk := rows.fetchmany(_CHUNK):
            with (
                connection.cursor() as cursor,
                cursor.copy('COPY support_sealedrow (kind, "row", seal, leaf) FROM STDIN') as copy,
            ):
                copy.write("".join(f"{kind.value}\t{row}\t{made.number}\t\\\\x{leaf}\n" for row, leaf in chunk))
            for _, leaf in chunk:
                tree.add(bytes.fromhex(leaf))
            count += len(chunk)
    return count


@dataclass(frozen=True)
class Standing:
    """How far sealing is."""

    now: datetime
    newest: Seal | None
    # The oldest row that no seal holds, by its date.
    oldest: datetime | None
    # It was sealed on another server, and nothing here since.
    has_moved: bool
    looked_at: datetime | None
    exported: int
    # The first seal that is not outside the database yet.
    waiting: datetime | None

    @property
    def lag(self) -> timedelta:
        return max(self.now - self.oldest, timedelta()) if self.oldest else timedelta()

    @property
    def lag_text(self) -> str:
        return age(self.lag)

    @property
    def worker_is_gone(self) -> bool:
        return self.looked_at is None or self.now - self.looked_at > _WORKER_IS_GONE

    @cached_property
    def alarm(self) -> str:
        """What is wrong, in sentences; empty where all is well."""
        longest = timedelta(seconds=settings.SEAL_LAG_ALARM)
        newest = self.newest.number if self.newest else 0
        said = []
        if self.exported > newest:
            said.append(f"Seals are missing: {self.exported} were written outside the database, and it has {newest}.")
        if self.has_moved and self.worker_is_gone:
            said.append("Nothing has been sealed since the database came to this server. Is a worker running?")
        if self.lag > longest:
            said.append(f"The oldest unsealed row is {self.lag_text} old.")
            if self.worker_is_gone:
                said.append("No worker has looked for rows to seal in the last minute. Is one running?")
            else:
                said.append("A transaction that began before it still runs and holds it up.")
        if self.waiting and self.now - self.waiting > longest:
            said.append(f"Seals from number {self.exported + 1} on could not be written outside the database.")
        return " ".join(said)


def standing(*, now: datetime | None = None) -> Standing:
    """In four queries, whatever is sealed."""
    newest = Seal.objects.order_by("-number").first()
    horizon, cluster = bounds()
    mark = SealMark.objects.filter(pk=1).first() or SealMark()
    has_moved = bool(newest and (newest.cluster != cluster or newest.horizon > horizon))
    waiting = (
        Seal.objects.filter(number__gt=mark.exported).order_by("number").values_list("at", flat=True).first()
        if newest and newest.number > mark.exported
        else None
    )
    return Standing(
        now=now or timezone.now(),
        newest=newest,
        oldest=None if has_moved else _oldest_unsealed(newest.horizon if newest else 0),
        has_moved=has_moved,
        looked_at=mark.looked_at,
        exported=mark.exported,
        waiting=waiting,
    )


def _oldest_unsealed(low: int) -> datetime | None:
    """By transaction, of each kind the first: an index knows it."""
    first = " UNION ALL ".join(
        f"(SELECT {columns.date} AS date FROM {columns.table} t"
        f" WHERE t.xact >= %s::xid8 AND {UNSEALED.format(kind.value)} ORDER BY t.xact LIMIT 1)"
        for kind, columns in TABLES.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(date) FROM ({first}) AS firsts", [str(low)] * len(TABLES))
        found: datetime | None = cursor.fetchone()[0]
    return found


def age(lag: timedelta) -> str:
    """“12 s”, “5 minutes”, “3 hours”, “2 days”."""
    seconds = int(lag.total_seconds())
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def raise_alarm(now: Standing) -> None:
    """In the log, wherever it is noticed: a worker that is gone cannot say so itself."""
    if now.alarm:
        logger.error("Seals: %s", now.alarm)
