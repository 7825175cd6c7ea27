"""Issuing a batch: all of it, with a print file that only the printer reads, or nothing."""

import logging
import os
import resource
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError, OperationalError
from django.utils import timezone
from django.views.debug import ExceptionReporter

from redemption import code_rows, issuing
from redemption.code_format import CodePattern
from redemption.digests import digester
from redemption.issuing import (
    AlreadyIssuedError,
    IssuingError,
    NoPrinterKeyError,
    SerialsUnavailableError,
    issue_batch,
)
from redemption.models import (
    FIRST_SERIAL,
    LAST_SERIAL,
    Batch,
    BatchStatus,
    BatchTally,
    CardEvent,
    CardEventKind,
    Code,
    CodeStatus,
    PrintFile,
    PrintFileDownload,
)
from redemption.print_files import folder, path_of
from redemption.roles import Role
from tests import factories
from tests.redemption.batch_world import draft, manager, printed, printer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(issuing, "CHUNK", 4)


@pytest.fixture
def identity_and_key():
    return printer()


def codes_of(print_file, identity, pattern):
    return {serial: pattern.read(code).code for serial, code in printed(print_file, identity)}


def nothing_happened(batch):
    batch.refresh_from_db()
    assert batch.status == BatchStatus.DRAFT
    assert not Code.objects.filter(batch=batch).exists()
    assert not CardEvent.objects.filter(batch=batch).exists()
    assert not BatchTally.objects.filter(batch=batch).exists()
    assert not PrintFile.objects.filter(batch=batch).exists()
    assert not folder().exists() or list(folder().iterdir()) == []


# --- What is made


def test_every_printed_code_is_found_by_its_digest(identity_and_key, small_chunks):
    identity, key = identity_and_key
    batch = draft(quantity=10, printer_key=key)
    print_file = issue_batch(batch=batch, by=manager())
    pattern = batch.code_format.pattern
    digests = digester(batch.product.program.digest_name)
    codes = codes_of(print_file, identity, pattern)
    assert list(codes) == list(range(batch.first_serial, batch.last_serial + 1))
    assert len(set(codes.values())) == 10
    for serial, code in codes.items():
        assert pattern.holds(code)
        row = Code.objects.get(digest=digests.current(code))
        assert (row.serial, row.batch_id, row.last_four) == (serial, batch.pk, code[-4:])
        assert (row.status, row.key_version, row.activated_at) == (CodeStatus.INACTIVE, digests.version, None)


def test_codes_are_printed_as_on_a_card(identity_and_key):
    identity, key = identity_and_key
    batch = draft(quantity=1, printer_key=key)
    [(serial, text)] = printed(issue_batch(batch=batch, by=manager()), identity)
    assert serial == batch.first_serial
    prefix, *groups = text.split("-")
    assert prefix == "SPOTIFY"
    assert [len(group) for group in groups] == [4, 4, 4]


def test_a_batch_freezes_what_its_cards_are_worth():
    batch = draft(quantity=2)
    by = manager()
    issue_batch(batch=batch, by=by)
    assert (batch.status, batch.value, batch.currency) == (BatchStatus.ISSUED, 3000, "GBP")
    event = CardEvent.objects.get(batch=batch)
    assert (event.kind, event.by, event.count) == (CardEventKind.ISSUED, by, 2)
    assert (event.first_serial, event.last_serial) == (batch.first_serial, batch.last_serial)
    assert BatchTally.objects.get(batch=batch).issued == 2
    batch.product.value = 5000
    with pytest.raises(IntegrityError, match="cards are out"), transaction.atomic():
        batch.product.save()


def test_progress_is_told_chunk_by_chunk(small_chunks):
    told = []
    issue_batch(batch=draft(quantity=10), by=manager(), progress=told.append)
    assert told == [4, 8, 10]


def test_a_named_recipient_reads_the_file_and_the_programs_printer_does_not(identity_and_key):
    identity, key = identity_and_key
    batch = draft(quantity=1)
    print_file = issue_batch(batch=batch, by=manager(), recipient=key)
    assert print_file.recipient == key
    assert len(printed(print_file, identity)) == 1
    with pytest.raises(Exception, match="No matching keys found"):
        printed(print_file, printer()[0])


def test_cards_of_a_program_without_prefix_are_printed_without(identity_and_key):
    identity, key = identity_and_key
    product = factories.product(factories.program(prefix="", printer_key=key))
    [(_, text)] = printed(issue_batch(batch=draft(quantity=1, product=product), by=manager()), identity)
    assert [len(group) for group in text.split("-")] == [4, 4, 4]


# --- Serial numbers


def test_serial_numbers_follow_one_another():
    first, second = draft(quantity=5), draft(quantity=5)
    issue_batch(batch=first, by=manager())
    issue_batch(batch=second, by=manager())
    assert first.first_serial == FIRST_SERIAL
    assert second.first_serial == first.last_serial + 1


def test_a_gap_that_is_large_enough_is_used():
    issue_batch(batch=draft(quantity=5), by=manager(), first_serial=FIRST_SERIAL + 3)
    small, large = draft(quantity=3), draft(quantity=4)
    issue_batch(batch=large, by=manager())
    issue_batch(batch=small, by=manager())
    assert small.first_serial == FIRST_SERIAL
    assert large.first_serial == FIRST_SERIAL + 8


def test_a_drafts_own_range_is_used():
    batch = draft(quantity=3, serials=(2_000_000_000, 2_000_000_003))
    issue_batch(batch=Batch.objects.get(pk=batch.pk), by=manager())
    batch.refresh_from_db()
    assert (batch.first_serial, batch.last_serial) == (2_000_000_000, 2_000_000_002)


@pytest.mark.parametrize("first", [FIRST_SERIAL - 2, FIRST_SERIAL, FIRST_SERIAL + 4])
def test_an_overlapping_range_is_refused_with_the_other_batch_named(first):
    other = draft(quantity=5)
    issue_batch(batch=other, by=manager(), first_serial=FIRST_SERIAL)
    batch = draft(quantity=5)
    expected = "ten digits" if first < FIRST_SERIAL else f"Batch {other.reference}"
    with pytest.raises(SerialsUnavailableError, match=expected):
        issue_batch(batch=batch, by=manager(), first_serial=first)
    batch.refresh_from_db()
    assert batch.status == BatchStatus.DRAFT
    assert batch.serials is None


def test_a_range_beside_another_is_fine():
    issue_batch(batch=draft(quantity=5), by=manager(), first_serial=FIRST_SERIAL + 5)
    for first in (FIRST_SERIAL, FIRST_SERIAL + 10):
        issue_batch(batch=draft(quantity=5), by=manager(), first_serial=first)


@pytest.mark.parametrize("first", [-1, 0, 999_999_999, LAST_SERIAL - 1, 2**63, 10**30])
def test_serial_numbers_have_ten_digits(first):
    batch = draft(quantity=3)
    with pytest.raises(SerialsUnavailableError, match="ten digits"):
        issue_batch(batch=batch, by=manager(), first_serial=first)
    nothing_happened(batch)


def test_the_last_serial_number_can_be_had_and_then_a_long_run_is_gone(monkeypatch):
    issue_batch(batch=draft(quantity=3), by=manager(), first_serial=LAST_SERIAL - 2)
    batch = draft(quantity=10)
    monkeypatch.setattr("redemption.serials.FIRST_SERIAL", LAST_SERIAL - 5)
    with pytest.raises(SerialsUnavailableError, match="No 10 serial numbers"):
        issue_batch(batch=batch, by=manager())


# --- What is refused, and leaves a draft


def test_without_a_printers_key_nothing_happens():
    batch = draft(printer_key="")
    with pytest.raises(NoPrinterKeyError, match="has no printer's key"):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


def test_a_recipient_that_is_no_key_is_refused():
    batch = draft()
    with pytest.raises(IssuingError, match="no age public key"):
        issue_batch(batch=batch, by=manager(), recipient="age1nonsense")
    nothing_happened(batch)


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.RETAILER, Role.CUSTOMER])
def test_other_roles_do_not_issue(role):
    batch = draft()
    with pytest.raises(IssuingError, match="Your role"):
        issue_batch(batch=batch, by=factories.user(role))
    nothing_happened(batch)


def test_an_expiry_before_the_issue_is_refused():
    batch = draft()
    batch.expires_on = batch.product.program.today() - timedelta(days=1)
    batch.save()
    with pytest.raises(IssuingError, match="before the issue"):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


def test_the_last_day_is_a_day_in_the_programs_time_zone():
    batch = draft()
    batch.expires_on = batch.product.program.today()
    batch.save()
    issue_batch(batch=batch, by=manager())


def test_a_suppliers_codes_are_not_made_here():
    program = factories.pin_program(printer_key=printer()[1])
    batch = draft(product=factories.product(program))
    with pytest.raises(IssuingError, match="imported, not issued"):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


def test_a_batch_is_issued_once():
    batch = draft()
    print_file = issue_batch(batch=batch, by=manager())
    with pytest.raises(AlreadyIssuedError):
        issue_batch(batch=batch, by=manager())
    assert Code.objects.filter(batch=batch).count() == 3
    assert path_of(print_file).exists()


# --- What breaks half-way


def test_a_failure_half_way_leaves_nothing(small_chunks, monkeypatch):
    batch = draft(quantity=12)
    loaded = []

    def load(rows):
        loaded.append(rows)
        if len(loaded) == 3:
            raise ZeroDivisionError
        code_rows.load(rows)

    monkeypatch.setattr(issuing, "load", load)
    with pytest.raises(ZeroDivisionError):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


def test_a_failure_after_the_print_file_leaves_no_file(monkeypatch):
    batch = draft()
    monkeypatch.setattr(issuing, "record_arrival", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


@pytest.mark.django_db(transaction=True)
def test_a_file_whose_commit_went_through_outlives_the_loss_of_the_answer(identity_and_key):
    identity, key = identity_and_key
    batch = draft(quantity=3, printer_key=key)

    def lost():
        raise OperationalError("the connection is lost")

    with pytest.raises(OperationalError):
        issue_batch(batch=batch, by=manager(), progress=lambda done: transaction.on_commit(lost))
    batch.refresh_from_db()
    assert batch.status == BatchStatus.ISSUED
    assert len(printed(PrintFile.objects.get(), identity)) == 3


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_the_server_refuses_leaves_no_file():
    batch = draft()
    by = manager()

    def of_no_file(done):
        # Foreign keys are looked at with the commit.
        PrintFileDownload.objects.create(print_file_id=0, by=by, at=timezone.now())

    with pytest.raises(IntegrityError):
        issue_batch(batch=batch, by=by, progress=of_no_file)
    nothing_happened(batch)


@pytest.mark.django_db(transaction=True)
def test_a_file_stays_while_nobody_can_say_whether_its_row_was_committed():
    batch = draft()
    other = connection.copy()

    def lost():
        # The transaction seems to be under way still: its batch is locked.
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT FROM redemption_batch WHERE id = %s FOR UPDATE", [batch.pk])
        raise OperationalError("the connection is lost")

    try:
        with pytest.raises(OperationalError):
            issue_batch(batch=batch, by=manager(), progress=lambda done: transaction.on_commit(lost))
    finally:
        other.close()
    assert [path.name for path in folder().iterdir()] == [PrintFile.objects.get().name]


@contextmanager
def files_of_at_most(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("quantity", [200, 5_000])
def test_a_print_file_that_cannot_grow_leaves_a_draft(quantity, monkeypatch):
    monkeypatch.setattr(issuing, "CHUNK", 1_000)
    batch = draft(quantity=quantity)
    # What is written first is a header of about two hundred bytes, then blocks of 64 KiB.
    with files_of_at_most(1_000), pytest.raises(IssuingError, match=r"could not be written \(file too large\)"):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)
    issue_batch(batch=batch, by=manager())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_disk_that_fills_while_the_print_file_is_written_leaves_a_draft(settings, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        settings.MEDIA_ROOT = disk
        batch = draft(quantity=5_000)
        with pytest.raises(IssuingError, match=r"could not be written \(no space left on device\)"):
            issue_batch(batch=batch, by=manager())
        nothing_happened(batch)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_cannot_be_made_leaves_a_draft(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.MEDIA_ROOT = tmp_path / "file"
    batch = draft()
    with pytest.raises(IssuingError, match=r"could not be written \(not a directory\)"):
        issue_batch(batch=batch, by=manager())
    batch.refresh_from_db()
    assert batch.status == BatchStatus.DRAFT


# --- Codes that turn up twice


def making(monkeypatch, *first):
    """Have the generator make these codes first."""
    generate, planned = CodePattern.generate, list(first)
    monkeypatch.setattr(
        CodePattern, "generate", lambda pattern, count: planned.pop(0) if planned else generate(pattern, count)
    )


def test_a_chunk_with_two_equal_codes_is_made_again(monkeypatch, small_chunks, identity_and_key):
    identity, key = identity_and_key
    batch = draft(quantity=6, printer_key=key)
    code = batch.code_format.pattern.generate(1)
    making(monkeypatch, code * 4)
    codes = codes_of(issue_batch(batch=batch, by=manager()), identity, batch.code_format.pattern)
    assert len(set(codes.values())) == Code.objects.filter(batch=batch).count() == 6
    assert code[0].decode() not in codes.values()


def test_a_code_that_exists_is_not_made_a_second_time(monkeypatch, identity_and_key):
    identity, key = identity_and_key
    product = factories.product(factories.program(printer_key=key))
    first, second = draft(product=product, quantity=1), draft(product=product, quantity=1)
    [(_, text)] = printed(issue_batch(batch=first, by=manager()), identity)
    code = first.code_format.pattern.read(text).code
    making(monkeypatch, [code.encode()])
    [(_, other)] = printed(issue_batch(batch=second, by=manager()), identity)
    assert other != text


def test_neither_is_one_that_exists_under_an_older_key(monkeypatch, settings, identity_and_key):
    identity, key = identity_and_key
    settings.CODE_KEYS = {1: b"1" * 32}
    product = factories.product(factories.program(printer_key=key))
    first, second = draft(product=product, quantity=1), draft(product=product, quantity=1)
    [(_, text)] = printed(issue_batch(batch=first, by=manager()), identity)
    settings.CODE_KEYS = {1: b"1" * 32, 2: b"2" * 32}
    making(monkeypatch, [first.code_format.pattern.read(text).code.encode()])
    [(_, other)] = printed(issue_batch(batch=second, by=manager()), identity)
    assert other != text
    assert Code.objects.get(batch=second).key_version == 2


def test_a_generator_that_repeats_itself_is_given_up(monkeypatch):
    batch = draft(quantity=2)
    code = batch.code_format.pattern.generate(1)[0]
    monkeypatch.setattr(CodePattern, "generate", lambda pattern, count: [code] * count)
    with pytest.raises(IssuingError, match="again and again"):
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)


# --- Secrets


def test_no_column_of_any_table_has_a_code(identity_and_key):
    identity, key = identity_and_key
    batch = draft(quantity=3, printer_key=key)
    texts = [code for _, code in printed(issue_batch(batch=batch, by=manager()), identity)]
    secret = {spelt for text in texts for spelt in (text, text.removeprefix("SPOTIFY-"), text.replace("-", "")[7:])}
    patterns = [f"%{spelt}%" for spelt in secret | {spelt.encode().hex() for spelt in secret}]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        assert "redemption_code" in tables
        assert "procrastinate_jobs" in tables
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text ILIKE ANY(%s)', [patterns])
            assert cursor.fetchone() == (0,), table


def test_the_file_has_no_code_in_the_clear(identity_and_key):
    identity, key = identity_and_key
    print_file = issue_batch(batch=draft(quantity=3, printer_key=key), by=manager())
    content = path_of(print_file).read_bytes()
    assert b"SPOTIFY" not in content
    assert not any(code[8:12].encode() in content for _, code in printed(print_file, identity))


@pytest.mark.parametrize("place", ["unnumbered_rows", "fill", "load"])
def test_a_crash_shows_no_code(monkeypatch, caplog, place):
    made = []
    generate = CodePattern.generate
    monkeypatch.setattr(
        CodePattern, "generate", lambda pattern, count: made.append(generate(pattern, count)) or made[-1]
    )
    monkeypatch.setattr(issuing, place, lambda *args, **options: 1 / 0)
    batch = draft(quantity=3)
    with caplog.at_level(logging.DEBUG), pytest.raises(ZeroDivisionError) as crash:
        issue_batch(batch=batch, by=manager())
    nothing_happened(batch)
    frames = crash.tb.tb_next
    # Without this test's own frames, which know the codes.
    report = ExceptionReporter(None, crash.type, crash.value, frames).get_traceback_html().split("1 / 0")[0]
    assert "_make_codes" in report
    [codes] = made
    display = batch.code_format.pattern.display
    spelt = [text for code in codes for text in (code.decode(), display(code.decode()))]
    assert not any(text in report + caplog.text for text in spelt)


def test_a_chunk_shows_no_code():
    batch = draft()
    pattern = batch.code_format.pattern
    chunk = issuing._make_chunk(1, pattern, digester("music"), [], FIRST_SERIAL, 2)
    assert bytes(chunk.lines).count(b"SPOTIFY") == 2
    assert "SPOTIFY" not in repr(chunk)
    assert repr(chunk) == f"_Chunk(first_serial={FIRST_SERIAL}, count=2)"


# --- The command


@pytest.fixture
def options():
    product = factories.product(factories.program(printer_key=printer()[1]))
    return {
        "product": product.sku,
        "retailer": factories.retailer().slug,
        "quantity": 3,
        "by": manager().email.upper(),
    }


def test_the_command_issues_a_batch(options):
    out = StringIO()
    expires = timezone.now().date() + timedelta(days=365)
    call_command(
        "issue_batch", **options, program="", first_serial=3_000_000_000, expires=expires.isoformat(), stdout=out
    )
    batch = Batch.objects.get()
    assert (batch.status, batch.quantity, batch.expires_on) == (BatchStatus.ISSUED, 3, expires)
    assert f"Batch {batch}: 3 codes, serial numbers 3000000000–3000000002." in out.getvalue()
    assert str(path_of(batch.print_file)) in out.getvalue()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"product": "NONE"}, "There is no product with the SKU NONE."),
        ({"product": "NUL\0"}, "There is no product with the SKU (unprintable)."),
        ({"retailer": "\udcff"}, "There is no retailer (unprintable)."),
        ({"retailer": "nobody"}, "There is no retailer nobody."),
        ({"program": "nothing"}, "There is no program nothing."),
        ({"by": "nobody@example.com"}, "There is no user nobody@example.com."),
        ({"quantity": 0}, "greater than or equal to 1"),
        ({"quantity": -5}, "greater than or equal to 1"),
        ({"quantity": 5_000_001}, "less than or equal to 5000000"),
        ({"quantity": 10**30}, "less than or equal to 5000000"),
        ({"first_serial": 10**30}, "Serial numbers have ten digits"),
        ({"first_serial": 5}, "Serial numbers have ten digits"),
        ({"expires": "2001-01-01"}, "The expiry lies before the issue"),
        ({"expires": "tomorrow"}, "Write the expiry as YYYY-MM-DD"),
        ({"expires": "2027-02-30"}, "Write the expiry as YYYY-MM-DD"),
        ({"expires": "\u0662\u0660\u0662\u0667-01-01"}, "Write the expiry as YYYY-MM-DD"),
        ({"recipient": "age1me"}, "That is no age public key"),
    ],
    ids=ascii,
)
def test_the_command_answers_bad_input_with_a_sentence(options, changed, sentence):
    with pytest.raises(CommandError) as refused:
        call_command("issue_batch", **(options | changed))
    assert sentence in str(refused.value)
    assert not Batch.objects.exists()


def test_the_command_refuses_an_overlapping_range(options):
    call_command("issue_batch", **options, first_serial=3_000_000_000, stdout=StringIO())
    with pytest.raises(CommandError, match="would overlap"):
        call_command("issue_batch", **options, first_serial=3_000_000_002)
    assert Batch.objects.count() == 1


def test_a_retailer_that_gets_no_new_batches_gets_none(options):
    options["retailer"] = factories.retailer(is_active=False).slug
    with pytest.raises(CommandError, match="gets no new batches"):
        call_command("issue_batch", **options)


def test_an_sku_of_two_programs_needs_the_program(options):
    other = factories.product(factories.program(printer_key=printer()[1]), sku=options["product"])
    with pytest.raises(CommandError, match="There are several: name one with --program"):
        call_command("issue_batch", **options)
    call_command("issue_batch", **options, program=other.program.slug, stdout=StringIO())
    assert Batch.objects.get().product == other


def test_an_agent_does_not_issue_from_the_command_line_either(options):
    options["by"] = factories.user(Role.AGENT).email
    with pytest.raises(CommandError, match="Your role may not issue"):
        call_command("issue_batch", **options)
    assert not Batch.objects.exists()
