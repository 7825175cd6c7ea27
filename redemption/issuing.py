"""Making a batch's codes: serial numbers, digests and print file, all of them or none."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, starmap
from operator import add

from django.db import Error, connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from psycopg.errors import UniqueViolation

from redemption.code_format import CodePattern
from redemption.code_rows import CHUNK, batches_of, fill, load, made_ahead, number, older_digesters, unnumbered_rows
from redemption.digests import DIGEST_BYTES, Digester, digester
from redemption.models import (
    Batch,
    BatchJob,
    BatchStatus,
    BatchTally,
    CardEvent,
    CardEventKind,
    JobStatus,
    PrintFile,
    Product,
    User,
)
from redemption.models.batch import newest_key_version
from redemption.print_files import EncryptedWriter, PrintFileError
from redemption.roles import Permission
from redemption.serials import SerialsRefusedError, next_free, run_from

# Two new codes alike, or one like an old one: about once in three thousand batches of a million codes, beside ten
# million others. In one chunk again and again means that something else is wrong.
_TRIES = 3

_BLANK = "\0"


class IssuingError(Exception):
    """The batch is what it was before; the message is a sentence for whoever asked."""


class AlreadyIssuedError(IssuingError):
    """It has its codes."""


class NoPrinterKeyError(IssuingError):
    """Nobody could read the print file."""


class SerialsUnavailableError(IssuingError):
    """The serial numbers overlap another batch's, or have not ten digits."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Codes ready to be loaded and printed. The clear ones stay out of the repr."""

    first_serial: int
    count: int
    rows: bytearray = field(repr=False)
    lines: bytearray = field(repr=False)
    older_digests: list[bytes] = field(repr=False)


def issue_batch(
    *,
    batch: Batch,
    by: User,
    recipient: str = "",
    first_serial: int | None = None,
    progress: Callable[[int], None] | None = None,
    now: datetime | None = None,
) -> PrintFile:
    """Make `batch.quantity` codes of a draft batch, freeze what they are worth, and write the print file.

    All in one transaction: whatever fails, also a full disk, leaves the batch a draft without codes and without file.
    The serial numbers begin at `first_serial`, else where the draft says, else at the first free range; they stay
    locked for as long as it takes. The print file goes to `recipient`, an age public key, else to the program's
    printer. Its lines are `serial,code`, the code as printed, without a heading. `progress` is told how many codes
    are made, from inside the transaction.

    IssuingError and its kin say in a sentence what stands in the way.
    """
    now = now or timezone.now()
    _require(by)
    writer: EncryptedWriter | None = None
    complete = False
    try:
        with transaction.atomic():
            issued = _lock_draft(batch, now)
            recipient = recipient or issued.product.program.printer_key
            if not recipient:
                raise NoPrinterKeyError(
                    f"{issued.product.program} has no printer's key: set its age public key, or name one."
                )
            writer = EncryptedWriter(recipient)
            _begin(issued, first_serial)
            with writer:
                _make_codes(issued, writer, progress)
            print_file = PrintFile.objects.create(
                batch=issued,
                name=writer.name,
                recipient=recipient,
                sha256=writer.sha256,
                size=writer.size,
                created_at=now,
            )
            record_arrival(issued, CardEventKind.ISSUED, by=by, now=now)
            complete = True
    except BaseException as error:
        # The file has its name before the commit: a file without a row does no harm, a row without a file is a loss.
        if writer and not (complete and _may_be_committed(batch, writer.name)):
            writer.discard()
        if isinstance(error, PrintFileError):
            raise IssuingError(f"{error} The batch is not issued.") from None
        raise
    batch.refresh_from_db()
    return print_file


def _may_be_committed(batch: Batch, name: str) -> bool:
    """Whether the row of a print file may be there though its commit raised: the server's answer may be what was lost.

    Asked of the server anew, and of the batch's row first: a transaction that is not over yet has it locked.
    """
    if connection.in_atomic_block:
        # Only a savepoint ended, and that was rolled back.
        return False
    fresh = connection.copy()
    try:
        with fresh.cursor() as cursor:
            cursor.execute("SELECT FROM redemption_batch WHERE id = %s FOR KEY SHARE NOWAIT", [batch.pk])
            cursor.execute("SELECT 1 FROM redemption_printfile WHERE name = %s", [name])
            return cursor.fetchone() is not None
    except Error:
        return True
    finally:
        fresh.close()


def enqueue(*, batch: Batch, by: User) -> BatchJob:
    """Have a worker issue a draft batch, once this transaction commits. The job says how far it is.

    A batch that waits or runs already keeps its job. IssuingError where it is no draft, or `by` may not.
    """
    from redemption.jobs import issue_batch_job

    _require(by)
    unfinished = BatchJob.objects.filter(batch=batch, status__in=[JobStatus.QUEUED, JobStatus.RUNNING]).order_by("pk")
    # First without the lock, which a worker keeps for as long as it issues.
    if job := unfinished.first():
        return job
    with transaction.atomic():
        # Two clicks at once: the second waits here, and finds the first one's job.
        draft = Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
        if job := unfinished.first():
            return job
        if draft.status != BatchStatus.DRAFT:
            raise AlreadyIssuedError(f"Batch {draft} has its codes already.")
        job = BatchJob.objects.create(batch=draft, total=draft.quantity, by=by)
        issue_batch_job.defer(batch_job_id=job.pk)
    return job


def _require(by: User) -> None:
    if not by.may(Permission.MANAGE_BATCHES):
        raise IssuingError("Your role may not issue batches.")


def _lock_draft(batch: Batch, now: datetime) -> Batch:
    # The product first, as whoever changes a product does: what it grants must not change between here and the commit,
    # from where on a trigger refuses that.
    product = Product.objects.select_for_update(no_key=True).get(pk=batch.product_id)
    locked = (
        Batch.objects.select_for_update(of=("self",)).select_related("product__program", "code_format").get(pk=batch.pk)
    )
    if locked.status != BatchStatus.DRAFT:
        raise AlreadyIssuedError(f"Batch {locked} has its codes already.")
    if locked.product_id != product.pk:
        raise IssuingError("Somebody has just given the batch another product: look at it again.")
    if locked.expires_on and locked.expires_on < product.program.today(now):
        raise IssuingError("The expiry lies before the issue: choose a day to come.")
    if not locked.code_format.can_generate:
        raise IssuingError(f"{locked.code_format} is a supplier's: its codes are imported, not issued.")
    return locked


def _begin(batch: Batch, first_serial: int | None) -> None:
    first = batch.first_serial if first_serial is None else first_serial
    try:
        batch.serials = NumericRange(*(next_free(batch.quantity) if first is None else run_from(first, batch)))
    except SerialsRefusedError as refused:
        raise SerialsUnavailableError(str(refused)) from None
    batch.status = BatchStatus.ISSUED
    batch.value, batch.currency = batch.product.value, batch.product.currency
    batch.key_version = newest_key_version()
    batch.save(update_fields=["serials", "status", "value", "currency", "key_version"])


def record_arrival(batch: Batch, kind: CardEventKind, *, by: User, now: datetime) -> None:
    """The batch's first event and its tally, once its codes are in the table."""
    assert batch.first_serial
    assert batch.last_serial
    CardEvent.objects.create(
        kind=kind, batch=batch, first_serial=batch.first_serial, last_serial=batch.last_serial, by=by, at=now
    )
    BatchTally.objects.create(batch=batch, issued=batch.quantity)


@sensitive_variables()
def _make_codes(batch: Batch, writer: EncryptedWriter, progress: Callable[[int], None] | None) -> None:
    assert batch.first_serial
    program = batch.product.program
    newest = digester(program.digest_name)
    make = partial(_make_chunk, batch.pk, batch.code_format.pattern, newest, older_digesters(program))
    end = batch.first_serial + batch.quantity
    sizes = ((serial, min(CHUNK, end - serial)) for serial in range(batch.first_serial, end, CHUNK))
    with closing(made_ahead(starmap(make, sizes))) as chunks:
        for chunk in chunks:
            writer.add(_loaded(chunk, make).lines)
            if progress:
                progress(chunk.first_serial + chunk.count - batch.first_serial)


@sensitive_variables()
def _loaded(chunk: _Chunk, make: Callable[[int, int], _Chunk]) -> _Chunk:
    """The chunk when it is in the table, or a new one in its place."""
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                if not (chunk.older_digests and batches_of(chunk.older_digests)):
                    load(chunk.rows)
                    return chunk
        except UniqueViolation:
            pass
        chunk = make(chunk.first_serial, chunk.count)
    raise IssuingError("New codes were the same as existing ones, again and again. The batch is not issued.")


@sensitive_variables()
def _make_chunk(
    batch_id: int, pattern: CodePattern, newest: Digester, older: list[Digester], first_serial: int, count: int
) -> _Chunk:
    codes = pattern.generate(count)
    # In the order of their digests: neighbours fall on the same pages of the digests' index.
    keyed = b"".join(sorted(map(add, newest.many(codes), codes)))
    rows = unnumbered_rows(
        batch_id=batch_id, key_version=newest.version, keyed=keyed, record=DIGEST_BYTES + pattern.length
    )
    number(rows, range(first_serial, first_serial + count))
    return _Chunk(
        first_serial=first_serial,
        count=count,
        rows=rows,
        lines=_print_lines(pattern, first_serial, count, keyed),
        older_digests=list(chain.from_iterable(digests.many(codes) for digests in older)),
    )


@sensitive_variables()
def _print_lines(pattern: CodePattern, first_serial: int, count: int, keyed: bytes) -> bytearray:
    """`serial,code` for each record of digest and code."""
    line = f"{first_serial},{pattern.display(_BLANK * pattern.length)}\n"
    places = [place for place, symbol in enumerate(line) if symbol == _BLANK]
    lines = bytearray(line.encode()) * count
    serials = "".join(map(str, range(first_serial, first_serial + count)))
    fill(lines, len(line), 0, serials.encode(), len(str(first_serial)))
    for symbol, place in enumerate(places, start=DIGEST_BYTES):
        lines[place :: len(line)] = keyed[symbol :: DIGEST_BYTES + pattern.length]
    return lines
