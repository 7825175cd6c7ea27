"""An export's life: asked for, made by the worker, fetched by whoever asked, removed after a week."""

import logging
import secrets
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import storages
from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import QueryDict
from django.utils import timezone

from redemption.connections import second_connection
from redemption.models import JobStatus, User
from support import audit
from support.exports.catalogue import LISTS
from support.exports.files import MOST_ROWS_OF_XLSX, writer
from support.exports.lists import List, ListError
from support.models import AuditAction, Export, ExportFormat

logger = logging.getLogger(__name__)

KEPT = timedelta(days=7)
STORAGE = "exports"
# Whoever asks again and again gets in the way of everybody else's work.
MOST_UNDER_WAY = 5
LONGEST_QUERY = 1000
TELL_EVERY_ROWS, _TELL_EVERY_SECONDS = 500, 1.0
_TOO_LONG = (
    f"A sheet of Excel holds {MOST_ROWS_OF_XLSX:,} rows, and this list has more: take it as CSV, or narrow it down."
)
_UNDER_WAY = [JobStatus.QUEUED, JobStatus.RUNNING]


class ExportError(Exception):
    """It cannot be exported like this, or not be fetched; the text says why."""


def ask(*, what: str, query: str, form: str, by: User) -> Export:
    """Has a list made. What its address cannot mean is refused here, before anything is queued."""
    from support.jobs import make_export_job

    wanted = LISTS.get(what)
    if not wanted or not wanted.is_open_to(by):
        raise ExportError("There is no such list.")
    if form not in ExportFormat.values:
        raise ExportError("Choose CSV or Excel.")
    if len(query) > LONGEST_QUERY:
        raise ExportError("There are too many filters.")
    if Export.objects.filter(by=by, status__in=_UNDER_WAY).count() >= MOST_UNDER_WAY:
        raise ExportError(f"{MOST_UNDER_WAY} exports of yours are under way: wait for one of them.")
    try:
        # Only what the list understands is kept: the rest of an address may be anything.
        query = wanted.address(QueryDict(query))
    except ListError as refused:
        raise ExportError(str(refused)) from None
    with transaction.atomic():
        export = Export.objects.create(what=what, query=query, format=form, by=by)
        audit.record(
            AuditAction.EXPORT_REQUESTED, by=by, target=f"export:{export.pk}", what=what, format=form, query=query
        )
        make_export_job.defer(export_id=export.pk)
    return export


def make(export_id: int) -> None:
    """The worker's part. Begun anew where a worker was killed, and done once: a finished export stays as it is."""
    export = Export.objects.select_related("by").get(pk=export_id)
    if export.status not in _UNDER_WAY:
        return
    # Its name is known before there is a file, so that none is ever left over without a row that names it.
    if not export.file:
        name = secrets.token_hex(20)
        export.file = f"exports/{name[:2]}/{name[2:]}"
    export.move_to(JobStatus.RUNNING, done=0, also=["file"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            count = _write(export, path)
            _store(path, export.file)
    except (ListError, ExportError) as refused:
        _fail(export, str(refused))
    except OperationalError:
        # The queue brings it again, and finds it running.
        raise
    except Exception as error:
        # Only the error's kind: its text may quote a row.
        logger.error("Export %s failed (%s).", export.pk, type(error).__name__)
        _fail(export, "Something unexpected stopped it: nothing was made.")
    else:
        export.total = count
        export.move_to(JobStatus.DONE, done=count, also=["total"])


def _write(export: Export, path: Path) -> int:
    wanted = LISTS.get(export.what)
    if not wanted or not wanted.is_open_to(export.by):
        raise ExportError("Your role may not take this list away any more.")
    places = wanted.columns_for(export.by)
    form = ExportFormat(export.format)
    count = 0
    # The cursor lives in a transaction that writes nothing: it has no number of its own, and keeps neither the seals
    # nor the roll-ups waiting. How far it is goes over another connection.
    with second_connection() as second, transaction.atomic():
        rows = wanted.rows(QueryDict(export.query), export.by)
        if form == ExportFormat.XLSX and (rows.total or 0) > MOST_ROWS_OF_XLSX:
            raise ExportError(_TOO_LONG)
        _tell(second, export, done=0, total=rows.total or 0)
        told = time.monotonic()
        file = writer(form, path, [wanted.columns[place] for place in places], title=wanted.title)
        try:
            for row in rows.cells:
                count += 1
                if form == ExportFormat.XLSX and count > MOST_ROWS_OF_XLSX:
                    raise ExportError(_TOO_LONG)
                file.add([row[place] for place in places])
                if not count % TELL_EVERY_ROWS and time.monotonic() - told > _TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    _tell(second, export, done=count, total=max(rows.total, count) if rows.total else 0)
        finally:
            file.close()
    return count


def _store(path: Path, name: str) -> None:
    storage = storages[STORAGE]
    # Of a worker that was killed just before it could say that it was done.
    storage.delete(name)
    with path.open("rb") as file:
        saved = storage.save(name, File(file))
    assert saved == name, "a random name was taken"


def _fail(export: Export, message: str) -> None:
    storages[STORAGE].delete(export.file)
    export.file = ""
    export.move_to(JobStatus.FAILED, done=0, message=message, also=["file"])


def _tell(second: BaseDatabaseWrapper, export: Export, *, done: int, total: int) -> None:
    with second.cursor() as cursor:
        cursor.execute(
            "UPDATE support_export SET done = %s, total = %s, updated_at = now() WHERE id = %s",
            [done, total, export.pk],
        )


def fetch(export: Export, *, by: User) -> "File[Any]":
    """The file, open for reading; that it was taken is recorded first. For whoever asked for it alone, while his role
    may still have it."""
    wanted = LISTS.get(export.what)
    if export.by_id != by.pk or not wanted or not wanted.is_open_to(by):
        raise ExportError("This export is not yours.")
    if export.status != JobStatus.DONE:
        raise ExportError("It is not made yet.")
    with transaction.atomic():
        audit.record(
            AuditAction.EXPORT_FETCHED, by=by, target=f"export:{export.pk}", what=export.what, rows=export.total
        )
        try:
            if not export.file:
                raise FileNotFoundError
            return storages[STORAGE].open(export.file)
        except FileNotFoundError:
            raise ExportError("The file was removed after a week: have it made again.") from None


def remove_old(*, now: datetime | None = None) -> int:
    """Removes the files of exports that were asked for a week ago or earlier. Each night; the rows stay."""
    before = (now or timezone.now()) - KEPT
    old = Export.objects.filter(created_at__lt=before).exclude(file="").exclude(status__in=_UNDER_WAY)
    removed = 0
    for export in old.iterator():
        storages[STORAGE].delete(export.file)
        # Last: what could not be deleted is tried again.
        Export.objects.filter(pk=export.pk).update(file="")
        removed += 1
    return removed


def name_of(export: Export) -> str:
    """As which it is saved: “credits-2026-11-21.csv”."""
    return f"{export.what}-{export.created_at:%Y-%m-%d}.{export.format}"


def title_of(export: Export) -> str:
    wanted: List | None = LISTS.get(export.what)
    return wanted.title if wanted else export.what
