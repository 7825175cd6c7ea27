"""Print files: fetched under record, destroyed when the printer has them."""

import hashlib
import os
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from redemption.issuing import issue_batch
from redemption.models import PrintFile, PrintFileDownload
from redemption.print_files import (
    EncryptedWriter,
    PrintFileError,
    confirm_receipt,
    folder,
    open_for_download,
    path_of,
    remove_strays,
)
from redemption.roles import Role
from tests import factories
from tests.redemption.batch_world import draft, manager, printer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def print_file():
    return issue_batch(batch=draft(), by=manager())


def test_only_the_server_itself_reads_the_file(print_file):
    path = path_of(print_file)
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder().stat().st_mode & 0o777 == 0o700
    content = path.read_bytes()
    assert (print_file.size, print_file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_files_name_tells_nothing(print_file):
    other = issue_batch(batch=draft(), by=manager())
    assert print_file.name != other.name
    assert print_file.batch.reference not in print_file.name
    assert sorted(path.name for path in folder().iterdir()) == sorted([print_file.name, other.name])


def test_each_download_is_recorded(print_file):
    by = manager()
    for _ in range(2):
        with open_for_download(print_file, by=by) as file:
            assert file.read() == path_of(print_file).read_bytes()
    assert list(print_file.downloads.values_list("by", flat=True)) == [by.pk, by.pk]


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.RETAILER, Role.CUSTOMER])
def test_other_roles_fetch_and_confirm_nothing(print_file, role):
    by = factories.user(role)
    with pytest.raises(PrintFileError, match="Your role"):
        open_for_download(print_file, by=by)
    with pytest.raises(PrintFileError, match="Your role"):
        confirm_receipt(print_file, by=by)
    assert not PrintFileDownload.objects.exists()
    assert path_of(print_file).exists()


def test_a_confirmed_receipt_destroys_the_file(print_file, django_capture_on_commit_callbacks):
    by, now = manager(), timezone.now()
    with django_capture_on_commit_callbacks() as after_commit:
        confirm_receipt(print_file, by=by, now=now)
        assert path_of(print_file).exists()
    for callback in after_commit:
        callback()
    assert not path_of(print_file).exists()
    print_file.refresh_from_db()
    assert (print_file.destroyed_at, print_file.destroyed_by) == (now, by)
    with pytest.raises(PrintFileError, match="was destroyed"):
        open_for_download(print_file, by=by)
    assert not PrintFileDownload.objects.exists()


def test_confirming_twice_keeps_the_first_time(print_file, django_capture_on_commit_callbacks):
    first, now = manager(), timezone.now()
    for by, at in [(first, now), (manager(), now + timedelta(hours=1))]:
        with django_capture_on_commit_callbacks(execute=True):
            confirm_receipt(print_file, by=by, now=at)
    print_file.refresh_from_db()
    assert (print_file.destroyed_at, print_file.destroyed_by) == (now, first)


def test_a_file_that_is_missing_gets_a_sentence_and_no_download_is_recorded(print_file):
    path_of(print_file).unlink()
    with pytest.raises(PrintFileError, match="missing"):
        open_for_download(print_file, by=manager())
    assert not PrintFileDownload.objects.exists()


def test_what_a_crash_left_is_removed(print_file):
    destroyed = issue_batch(batch=draft(), by=manager())
    # The crash came between the commit and the file's end.
    confirm_receipt(destroyed, by=manager())
    old, young, anothers = (folder() / name for name in (".old.age.part", ".young.age.part", "anothers.age"))
    for path in (old, young, anothers):
        path.write_bytes(b"age")
    yesterday = time.time() - 25 * 60 * 60
    for path in (old, anothers, path_of(print_file)):
        os.utime(path, (yesterday, yesterday))
    assert remove_strays() == 2
    assert sorted(folder().iterdir()) == sorted([young, anothers, path_of(print_file)])


def test_there_may_be_no_folder_yet():
    assert remove_strays() == 0


def test_a_writer_that_is_left_by_an_exception_leaves_no_file():
    def break_off():
        with EncryptedWriter(printer()[1]) as writer:
            writer.add(b"1000000000,CODE\n" * 100_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert list(folder().iterdir()) == []


def test_a_destroyed_file_names_who_destroyed_it(print_file):
    with pytest.raises(IntegrityError, match="destroyed_print_files_say_by_whom"):
        PrintFile.objects.filter(pk=print_file.pk).update(destroyed_at=timezone.now())
