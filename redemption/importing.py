"""Taking over codes that a supplier made: read, compared with every other, and stored, all of them or none."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import chain, count
from typing import BinaryIO

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from psycopg.errors import UniqueViolation

from redemption import locks
from redemption.batches import activate_batch
from redemption.code_format import CodePattern
from redemption.code_lists import Layout, ListError, Problem, Reason, Rows, layout_of, reason_for, rows_of
from redemption.code_rows import CHUNK, batches_of, load, made_ahead, number, older_digesters, unnumbered_rows
from redemption.digests import DIGEST_BYTES, Digester, digester
from redemption.issuing import record_arrival
from redemption.models import Batch, BatchStatus, CardEventKind, Product, Retailer, User
from redemption.roles import Permission
from redemption.serials import SerialsRefusedError, next_free

MOST_CODES = 5_000_000
# A report of more lines helps nobody; the others are counted.
MOST_PROBLEMS = 1_000

# Digest, place in the chunk, last four symbols.
_RECORD = DIGEST_BYTES + 4 + 4


class ImportingError(Exception):
    """Nothing was imported; the message is a sentence for whoever asked."""


@dataclass(slots=True)
class ImportReport:
    """What became of a file. `batch` is the new one, or None where nothing was stored.

    `codes` counts the good ones, `problems` holds the first thousand bad lines in their order, `reasons` how many
    there were of each kind. Nothing in it tells a code.
    """

    layout: Layout
    batch: Batch | None = None
    lines: int = 0
    codes: int = 0
    problems: list[Problem] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)

    @property
    def problem_count(self) -> int:
        return self.reasons.total()

    def add(self, problems: list[Problem]) -> None:
        self.reasons.update(problem.reason for problem in problems)
        self.problems += sorted(problems, key=lambda problem: problem.line)[: MOST_PROBLEMS - len(self.problems)]


def import_codes(
    *,
    product: Product,
    retailer: Retailer,
    by: User,
    source: BinaryIO,
    expires_on: date | None = None,
    encoding: str = "",
    column: str = "",
    skip_bad: bool = False,
    dry_run: bool = False,
    active: bool = False,
    progress: Callable[[int], None] | None = None,
    now: datetime | None = None,
) -> ImportReport:
    """Import a supplier's list (binary, seekable) as a new batch of the product, in the program's newest code format.

    One bad line and nothing is stored, unless `skip_bad`: then the good ones are. Bad is also a code that stands twice
    in the file or that the program has, in whatever spelling and under whatever key version. Serial numbers follow
    the file's order without a gap. `dry_run` does it all, and takes it all back. `active` activates the batch too.
    `progress` is told how many lines are read. Memory does not grow with the file.

    ImportingError: the file as a whole, the expiry or the retailer will not do, or `by` may not.
    """
    now = now or timezone.now()
    if not by.may(Permission.MANAGE_BATCHES):
        raise ImportingError("Your role may not import codes.")
    code_format = product.program.current_format()
    batch = Batch(
        product=product,
        retailer=retailer,
        code_format=code_format,
        quantity=_most_codes(source, code_format.pattern),
        expires_on=expires_on,
        value=product.value,
        currency=product.currency,
        created_by=by,
    )
    try:
        batch.full_clean()
        report = ImportReport(layout_of(source, code_format.pattern, encoding=encoding, column=column))
        with transaction.atomic():
            # What the product grants must not change before the commit, from where on a trigger refuses that.
            Product.objects.select_for_update(no_key=True).get(pk=product.pk)
            # A rotation would move codes from one version to the next behind the comparison's back.
            locks.take(locks.PROGRAM_CODES, product.program_id)
            batch.serials = NumericRange(*next_free(batch.quantity))
            batch.save()
            _load(batch, source, report, progress)
            if not report.codes and not report.problem_count:
                raise ImportingError("There is no code in the file.")
            if dry_run or not report.codes or (report.problem_count and not skip_bad):
                transaction.set_rollback(True)
                return report
            # Still a draft: it took numbers for as many codes as the file could hold, and gives the others back.
            first = batch.first_serial
            assert first
            batch.quantity, batch.serials = report.codes, NumericRange(first, first + report.codes)
            batch.status = BatchStatus.ISSUED
            batch.save(update_fields=["quantity", "serials", "status"])
            record_arrival(batch, CardEventKind.IMPORTED, by=by, now=now)
            if active:
                activate_batch(batch, by=by, now=now)
    except ValidationError as error:
        raise ImportingError(" ".join(error.messages)) from None
    except (ListError, SerialsRefusedError) as error:
        raise ImportingError(str(error)) from None
    batch.refresh_from_db()
    report.batch = batch
    return report


def _most_codes(source: BinaryIO, pattern: CodePattern) -> int:
    """More codes than this the file cannot hold: each takes its symbols and the end of a line."""
    size = source.seek(0, 2)
    return max(1, min(MOST_CODES, size // (pattern.length + 1) + 1))


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Well-formed codes, ready to be numbered and loaded; the clear ones are gone already.

    `records` are in the order of their digests, `lines` and `older_digests` in that of the file.
    """

    records: list[bytes] = field(repr=False)
    lines: list[int] = field(repr=False)
    older_digests: list[list[bytes]] = field(repr=False)
    rows: bytearray = field(repr=False)
    problems: list[Problem]
    read: int


def _load(batch: Batch, source: BinaryIO, report: ImportReport, progress: Callable[[int], None] | None) -> None:
    assert batch.first_serial
    with closing(made_ahead(_chunks(batch, source, report.layout))) as chunks:
        for chunk in chunks:
            if report.codes + len(chunk.records) > MOST_CODES:
                raise ImportingError(f"A batch has at most {MOST_CODES:,} codes: split the file.")
            duplicates = _load_chunk(batch, chunk, batch.first_serial + report.codes)
            report.lines = chunk.read
            report.codes += len(chunk.records) - len(duplicates)
            found = [Problem(chunk.lines[place], reason) for place, reason in duplicates.items()]
            report.add(chunk.problems + found)
            if progress:
                progress(chunk.read)


def _chunks(batch: Batch, source: BinaryIO, layout: Layout) -> Iterator[_Chunk]:
    program = batch.product.program
    newest = digester(program.digest_name)
    make = partial(_make_chunk, batch, batch.code_format.pattern, newest, older_digesters(program))
    return map(make, rows_of(source, layout, CHUNK))


@sensitive_variables()
def _make_chunk(batch: Batch, pattern: CodePattern, newest: Digester, older: list[Digester], rows: Rows) -> _Chunk:
    codes = pattern.read_many(rows.texts)
    good = [code for code in codes if code]
    lines, problems = rows.lines, rows.problems
    if len(good) < len(codes):
        read = list(zip(rows.lines, rows.texts, codes, strict=True))
        lines = [line for line, _, code in read if code]
        problems += [Problem(line, reason_for(text, pattern)) for line, text, code in read if not code]
    records = sorted(
        digest + place.to_bytes(4, "big") + code[-4:]
        for place, (digest, code) in enumerate(zip(newest.many(good), good, strict=True))
    )
    return _Chunk(
        records=records,
        lines=lines,
        older_digests=[digests.many(good) for digests in older],
        rows=_rows(batch, newest, records),
        problems=problems,
        read=rows.read,
    )


def _rows(batch: Batch, newest: Digester, records: list[bytes]) -> bytearray:
    return unnumbered_rows(batch_id=batch.pk, key_version=newest.version, keyed=b"".join(records), record=_RECORD)


def _place(record: bytes) -> int:
    return int.from_bytes(record[DIGEST_BYTES : DIGEST_BYTES + 4], "big")


def _load_chunk(batch: Batch, chunk: _Chunk, first_serial: int) -> dict[int, Reason]:
    """Load the chunk's codes but for the duplicates, which are returned by their places in it.

    The database is asked about duplicates after it has refused one; beforehand only where older key versions have
    other digests of the same codes, which no constraint compares.
    """
    duplicates = _duplicates(batch, chunk) if chunk.older_digests else {}
    while True:
        try:
            with transaction.atomic():
                load(_numbered(batch, chunk, first_serial, duplicates))
                return duplicates
        except UniqueViolation:
            found = _duplicates(batch, chunk)
            if found == duplicates:
                raise
            duplicates = found


def _numbered(batch: Batch, chunk: _Chunk, first_serial: int, duplicates: dict[int, Reason]) -> bytearray:
    if not duplicates:
        number(chunk.rows, (first_serial + _place(record) for record in chunk.records))
        return chunk.rows
    records = [record for record in chunk.records if _place(record) not in duplicates]
    rows = _rows(batch, digester(batch.product.program.digest_name), records)
    serials = dict(zip(sorted(map(_place, records)), count(first_serial), strict=False))
    number(rows, (serials[_place(record)] for record in records))
    return rows


def _duplicates(batch: Batch, chunk: _Chunk) -> dict[int, Reason]:
    taken = batches_of([record[:DIGEST_BYTES] for record in chunk.records])
    duplicates: dict[int, Reason] = {}
    before = b""
    # In the order of digests and, among equal ones, of the file.
    for record in chunk.records:
        digest = record[:DIGEST_BYTES]
        if digest in taken:
            ours = taken[digest] == batch.pk
            duplicates[_place(record)] = Reason.TWICE_IN_FILE if ours else Reason.KNOWN
        elif digest == before:
            duplicates[_place(record)] = Reason.TWICE_IN_FILE
        before = digest
    known = batches_of(list(chain.from_iterable(chunk.older_digests)))
    for digests in chunk.older_digests if known else ():
        duplicates |= {place: Reason.KNOWN for place, digest in enumerate(digests) if digest in known}
    return duplicates
