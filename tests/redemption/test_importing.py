"""Importing suppliers' codes: any file that they send, all of it or the good lines, and a report that tells no code."""

import io
import tracemalloc
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from redemption import code_lists, importing, locks
from redemption.code_lists import MAX_LINE, Reason
from redemption.digests import digester
from redemption.importing import ImportingError, import_codes
from redemption.issuing import issue_batch
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
)
from redemption.roles import Role
from redemption.rotation import rotate
from tests import factories
from tests.redemption.batch_world import draft, manager, pins, printed, printer

pytestmark = pytest.mark.django_db


@pytest.fixture
def product():
    return factories.product(factories.pin_program())


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 4)


def imported(content, product, **options):
    """The report of importing a file of this content, text or bytes."""
    options = {"by": manager(), "retailer": factories.retailer()} | options
    source = io.BytesIO(content.encode() if isinstance(content, str) else content)
    report = import_codes(product=product, source=source, **options)
    assert not source.closed
    return report


def stored(product):
    """The program's codes by serial number, as version 1 digests."""
    return dict(Code.objects.filter(batch__product__program=product.program).values_list("serial", "digest"))


def expected(codes, product, first=FIRST_SERIAL):
    digests = digester(product.program.digest_name)
    return {first + place: digests.current(code) for place, code in enumerate(codes)}


def problems(report):
    return [(problem.line, problem.reason) for problem in report.problems]


# --- What is stored


def test_codes_are_stored_in_the_files_order(product, small_chunks):
    codes = pins(10)
    by = manager()
    report = imported("\n".join(codes), product, by=by)
    batch = report.batch
    assert stored(product) == expected(codes, product)
    assert (report.lines, report.codes, report.problem_count) == (10, 10, 0)
    assert (batch.status, batch.quantity, batch.value, batch.currency) == (BatchStatus.ISSUED, 10, 3000, "GBP")
    assert (batch.first_serial, batch.last_serial) == (FIRST_SERIAL, FIRST_SERIAL + 9)
    event = CardEvent.objects.get(batch=batch)
    assert (event.kind, event.by, event.first_serial, event.last_serial) == (
        CardEventKind.IMPORTED,
        by,
        batch.first_serial,
        batch.last_serial,
    )
    assert BatchTally.objects.get(batch=batch).issued == 10
    row = Code.objects.get(serial=FIRST_SERIAL)
    assert (row.status, row.last_four, row.activated_at) == (CodeStatus.INACTIVE, codes[0][-4:], None)


def test_the_next_batch_gets_the_numbers_that_the_file_could_have_needed(product):
    imported("a much longer heading than any code\n" + "\n".join(pins(3)), product)
    second = imported("\n".join(pins(2, start=3)), product)
    assert second.batch.first_serial == FIRST_SERIAL + 3


def test_an_active_batch_comes_about_at_once(product):
    report = imported(pins(1)[0], product, active=True)
    assert report.batch.status == BatchStatus.ACTIVE
    assert CardEvent.objects.filter(batch=report.batch).count() == 2


def test_progress_is_told_in_lines(product, small_chunks):
    told = []
    imported("\n".join(pins(10)), product, progress=told.append)
    assert told == [4, 8, 10]


# --- Files as they come


CODES = pins(3)


FORMS = {
    "no end of the last line": "\n".join(CODES),
    "lines": "\n".join(CODES) + "\n",
    "lines of DOS": "\r\n".join(CODES) + "\r\n",
    "lines of an old Mac": "\r".join(CODES),
    "blank lines": "\n\n" + "\n\n  \n".join(CODES) + "\n\n",
    "heading": "code\n" + "\n".join(CODES),
    "blank lines and heading": "\n\nGift card code\n" + "\n".join(CODES),
    "quotes": '"' + '"\n"'.join(CODES) + '"',
    "semicolons": "no;pin\n" + "\n".join(f"{place};{code}" for place, code in enumerate(CODES)),
    "tabs": "\n".join(f"{code}\tfilm\t2027" for code in CODES),
    "delimiters in quotes": "no,code,name\n" + "".join(f'1,"{code}","Card, of 30"\n' for code in CODES),
    "other columns in another encoding": "\n".join(f"{code},é" for code in CODES).encode("latin-1"),
    "groups": "\n".join(" - ".join([code[:4], code[4:8], code[8:]]) for code in CODES),
    "full width": "\n".join(CODES).translate(dict(zip(range(48, 58), range(0xFF10, 0xFF1A), strict=True))),
    "UTF-8 with mark": b"\xef\xbb\xbf" + "\n".join(CODES).encode(),
    "UTF-8 with mark and heading": b"\xef\xbb\xbfcode\n" + "\n".join(CODES).encode(),
    "UTF-16": "\n".join(CODES).encode("utf-16"),
    "UTF-16, big end first": "\ufeffcode,name\r\n".encode("utf-16-be")
    + "".join(f"{code},é\r\n" for code in CODES).encode("utf-16-be"),
    "UTF-32": "\n".join(CODES).encode("utf-32"),
    "codes in one column and numbers in another": f"pin,value\n{CODES[0]},1\n{CODES[1]},\n{CODES[2]}",
}


@pytest.mark.parametrize("block", [1, 13, 1 << 18])
@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_file_in_any_usual_form_is_read(product, content, block, monkeypatch):
    monkeypatch.setattr(code_lists, "_BLOCK", block)
    report = imported(content, product)
    assert problems(report) == []
    assert stored(product) == expected(CODES, product)


def test_an_unclosed_quote_spoils_its_own_line_only(product):
    content = f'a,{CODES[0]}\n"b,{CODES[1]}\nc,{CODES[2]}\n'
    assert problems(imported(content, product)) == [(2, Reason.TOO_FEW_COLUMNS)]


@pytest.mark.parametrize(("encoding", "column"), [("utf-16-le", "code"), ("utf-16-le", "2"), ("cp037", "CODE")])
def test_encoding_and_column_can_be_told(product, encoding, column):
    content = "".join(f"{line}\n" for line in ["other,Code", *(f"{code[::-1]},{code}" for code in CODES)])
    imported(content.encode(encoding), product, encoding=encoding, column=column)
    assert stored(product) == expected(CODES, product)


def test_our_own_format_is_imported_with_its_check_symbol():
    product = factories.product()
    pattern = product.program.current_format().pattern
    texts = [pattern.display(code.decode()) for code in pattern.generate(5)]
    wrong = texts[2][:-1] + ("0" if texts[2][-1] != "0" else "1")
    report = imported("\n".join([*texts[:2], wrong, *texts[3:]]), product, skip_bad=True)
    assert problems(report) == [(3, Reason.SLIP)]
    assert report.batch.quantity == 4


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("", {}, "The file is empty."),
        ("\n \n\n", {}, "The file is empty."),
        ("code\n\n", {}, "There is no code in the file."),
        ("a,b\nc,d\n", {}, "No column looks like the program's codes: name theirs."),
        (f"{CODES[0]},{CODES[1]}\n", {}, "Several columns look like the program's codes: name the right one."),
        (CODES[0], {"encoding": "klingon"}, "There is no encoding “klingon”"),
        (CODES[0], {"encoding": "rot13"}, "There is no encoding “rot13”"),
        (CODES[0], {"encoding": "utf\0"}, "There is no encoding"),
        (CODES[0], {"encoding": "utf-16"}, "is not UTF-16"),
        (CODES[0], {"column": "code"}, "Not exactly one column has the heading “code”."),
        (f"code,CODE\n1,{CODES[0]}", {"column": "code"}, "Not exactly one column has the heading “code”."),
        (CODES[0], {"column": "2"}, "The file has 1 columns: there is none numbered 2."),
        (CODES[0], {"column": "0"}, "there is none numbered 0."),
        (CODES[0], {"column": "9" * 100}, "there is none numbered"),
    ],
    ids=ascii,
)
def test_a_file_that_is_no_list_gets_a_sentence(product, content, options, sentence):
    with pytest.raises(ImportingError) as refused:
        imported(content, product, **options)
    assert sentence in str(refused.value)
    assert not Batch.objects.exists()


# --- Bad lines


GOOD, OTHER = pins(2)
BAD_LINES = {
    "123": Reason.NOT_THE_FORMAT,
    GOOD + "1": Reason.NOT_THE_FORMAT,
    "12345A78901": Reason.NOT_THE_FORMAT,
    GOOD[:5] + "\0" + GOOD[5:]: Reason.NUL,
    GOOD[:5] + "\0" + GOOD[6:]: Reason.NUL,
    "1" * 301: Reason.NOT_THE_FORMAT,
    "1" * (MAX_LINE + 1): Reason.LINE_TOO_LONG,
    "1" * 600_000: Reason.LINE_TOO_LONG,
    "\u202e" + "\u0661" * 10: Reason.NOT_THE_FORMAT,
    "spotify:track:1": Reason.NOT_THE_FORMAT,
    "—": Reason.NO_CODE,
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_line_is_reported_with_its_number_and_nothing_is_stored(product, line, reason):
    report = imported(f"{GOOD}\n\n{line}\n{OTHER}\n", product)
    assert problems(report) == [(3, reason)]
    assert (report.batch, report.codes, report.problem_count, report.lines) == (None, 2, 1, 4)
    assert not Batch.objects.exists()
    assert not Code.objects.exists()


def test_bytes_of_another_encoding_are_reported(product):
    content = f"{GOOD}\n".encode() + b"1234567\xe9901\n" + f"{OTHER}\n".encode()
    report = imported(content, product)
    assert problems(report) == [(2, Reason.UNDECODABLE)]


def test_a_truncated_last_line_is_reported(product):
    assert problems(imported(f"{GOOD}\n{OTHER[:-3]}", product)) == [(2, Reason.NOT_THE_FORMAT)]
    cut_off = f"{GOOD}\n{OTHER}\n".encode("utf-16")[:-3]
    assert problems(imported(cut_off, product)) == [(2, Reason.UNDECODABLE)]
    assert problems(imported(f"a,{GOOD}\nb", product)) == [(2, Reason.TOO_FEW_COLUMNS)]
    assert problems(imported(f"a,{GOOD}\nb,", product)) == [(2, Reason.NO_CODE)]


def test_a_line_without_end_takes_little_memory(product):
    content = b"1" * 20_000_000 + f"\n{GOOD}\n".encode()
    tracemalloc.start()
    try:
        report = imported(content, product)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problems(report) == [(1, Reason.LINE_TOO_LONG)]
    assert peak < 4_000_000


def test_a_mistyped_first_code_is_no_heading():
    product = factories.product()
    pattern = product.program.current_format().pattern
    good = [code.decode() for code in pattern.generate(2)]
    slipped = good[0][:-1] + ("A" if good[0][-1] != "A" else "B")
    assert problems(imported(f"{slipped}\n{good[1]}\n", product)) == [(1, Reason.SLIP)]
    assert problems(imported(f"{good[0][:-1]}1234567\n{good[1]}\n", product)) == [(1, Reason.NOT_THE_FORMAT)]


def test_a_bad_row_900_does_not_hide_a_bad_row_1900(product, monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 500)
    lines = pins(2000)
    lines[899] = "oops"
    lines[1899] = lines[10]
    report = imported("\n".join(lines), product)
    assert problems(report) == [(900, Reason.NOT_THE_FORMAT), (1900, Reason.TWICE_IN_FILE)]
    assert (report.codes, report.batch) == (1998, None)


def test_skipping_bad_lines_stores_the_good_ones_without_a_gap(product, small_chunks):
    codes = pins(9)
    lines = [codes[0], "bad", *codes[1:4], codes[0], "", codes[4], codes[4], *codes[5:]]
    report = imported("\n".join(lines), product, skip_bad=True)
    assert problems(report) == [
        (2, Reason.NOT_THE_FORMAT),
        (6, Reason.TWICE_IN_FILE),
        (9, Reason.TWICE_IN_FILE),
    ]
    assert report.reasons == {Reason.NOT_THE_FORMAT: 1, Reason.TWICE_IN_FILE: 2}
    assert stored(product) == expected(codes, product)
    assert (report.batch.quantity, report.batch.last_serial) == (9, FIRST_SERIAL + 8)
    assert BatchTally.objects.get(batch=report.batch).issued == 9


def test_a_file_without_one_good_line_makes_no_batch(product):
    report = imported("1\n2\n3\n", product, skip_bad=True)
    assert (report.batch, report.codes, report.problem_count) == (None, 0, 3)
    assert not Batch.objects.exists()


def test_a_report_holds_a_thousand_lines_and_counts_the_others(product):
    report = imported("\n".join([GOOD, *["1"] * 1_500]), product, skip_bad=True)
    assert len(report.problems) == 1_000
    assert report.problem_count == report.reasons[Reason.NOT_THE_FORMAT] == 1_500


# --- Duplicates


@pytest.mark.parametrize("chunk", [2, 50_000])
def test_the_same_code_in_another_spelling_is_a_duplicate(monkeypatch, chunk):
    monkeypatch.setattr(importing, "CHUNK", chunk)
    product = factories.product()
    pattern = product.program.current_format().pattern
    code = next(code.decode() for code in pattern.generate(1000) if b"0" in code and b"1" in code)
    spellings = [
        pattern.display(code),
        code.lower(),
        code.replace("0", "o").replace("1", "l"),
        f" spotify {code[:6]}\u2013{code[6:]} ",
        code.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"}),
    ]
    report = imported("\n".join(spellings), product, skip_bad=True)
    assert problems(report) == [(line, Reason.TWICE_IN_FILE) for line in (2, 3, 4, 5)]
    assert report.batch.quantity == 1


def test_case_tells_a_case_sensitive_suppliers_codes_apart():
    program = factories.pin_program()
    program.formats.create(
        version=2, alphabet="abcdefABCDEF", length=8, has_check_symbol=False, case_sensitive=True, group_size=8
    )
    report = imported("abcdefab\nABCDEFAB\nabcdefab", factories.product(program))
    assert problems(report) == [(3, Reason.TWICE_IN_FILE)]


def test_a_code_that_the_program_has_is_a_duplicate(product, small_chunks):
    imported("\n".join(pins(5)), product)
    content = "\n".join(pins(5, start=4))
    report = imported(content, product)
    assert problems(report) == [(1, Reason.KNOWN)]
    assert (report.batch, report.codes) == (None, 4)
    assert imported(content, product, skip_bad=True).batch.quantity == 4


def test_the_same_code_of_another_program_is_another_code(product):
    imported(GOOD, product)
    assert imported(GOOD, factories.product(factories.pin_program())).batch


def test_an_issued_code_is_known(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    identity, key = printer()
    product = factories.product(factories.program(printer_key=key))
    [(_, text)] = printed(issue_batch(batch=draft(quantity=1, product=product), by=manager()), identity)
    assert problems(imported(text, product)) == [(1, Reason.KNOWN)]


@pytest.mark.parametrize("versions", [2, 3])
def test_a_code_under_an_older_key_is_known(product, settings, small_chunks, versions):
    keys = {version: bytes([version]) * 32 for version in range(1, versions + 1)}
    settings.CODE_KEYS = {1: keys[1]}
    imported("\n".join(pins(3)), product)
    settings.CODE_KEYS = keys
    content = "\n".join(pins(7, start=1))
    assert problems(imported(content, product)) == [(1, Reason.KNOWN), (2, Reason.KNOWN)]
    report = imported(content, product, skip_bad=True)
    assert report.batch.quantity == 5
    assert set(Code.objects.filter(batch=report.batch).values_list("key_version", flat=True)) == {versions}
    # All of them can be moved on: no two have the same digest in the end.
    assert rotate(program=product.program) == 3 * (versions - 1)


def test_an_import_waits_for_a_rotation(product):
    imported(GOOD, product)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
            "AND classid = %s AND objid = %s",
            [locks.PROGRAM_CODES, product.program_id],
        )
        assert cursor.fetchone() == (1,)


# --- Dry runs


def test_a_dry_run_reports_everything_and_stores_nothing(product, small_chunks):
    imported(pins(1)[0], product)
    before = stored(product)
    lines = [*pins(6), "bad", pins(3)[2]]
    report = imported("\n".join(lines), product, dry_run=True)
    assert problems(report) == [(1, Reason.KNOWN), (7, Reason.NOT_THE_FORMAT), (8, Reason.TWICE_IN_FILE)]
    assert (report.batch, report.codes) == (None, 5)
    assert stored(product) == before
    assert Batch.objects.count() == 1
    assert imported("\n".join(pins(5, start=1)), product).batch.first_serial == FIRST_SERIAL + 1


def test_a_dry_run_of_a_good_file_stores_nothing_either(product):
    report = imported("\n".join(pins(3)), product, dry_run=True)
    assert (report.codes, report.batch) == (3, None)
    assert not Batch.objects.exists()


# --- What is refused beforehand


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.RETAILER, Role.CUSTOMER])
def test_other_roles_do_not_import(product, role):
    with pytest.raises(ImportingError, match="Your role"):
        imported(GOOD, product, by=factories.user(role))


def test_an_expiry_before_the_import_is_refused(product):
    yesterday = product.program.today() - timedelta(days=1)
    with pytest.raises(ImportingError, match="before the issue"):
        imported(GOOD, product, expires_on=yesterday)
    assert imported(GOOD, product, expires_on=product.program.today()).batch


def test_a_retailer_that_gets_no_new_batches_gets_none(product):
    with pytest.raises(ImportingError, match="gets no new batches"):
        imported(GOOD, product, retailer=factories.retailer(is_active=False))


def test_serial_numbers_can_be_used_up(product, monkeypatch):
    monkeypatch.setattr("redemption.serials.FIRST_SERIAL", LAST_SERIAL)
    with pytest.raises(ImportingError, match="serial numbers of ten digits"):
        imported("\n".join(pins(3)), product)


def test_a_batch_has_a_most(product, monkeypatch):
    monkeypatch.setattr(importing, "MOST_CODES", 3)
    assert imported("\n".join(pins(3)), product).batch
    with pytest.raises(ImportingError, match="at most 3 codes"):
        imported("\n".join(pins(4, start=10)), product)


# --- The command, and what it never says


@pytest.fixture
def options(product):
    return {"product": product.sku, "retailer": factories.retailer().slug, "by": manager().email}


def run(path, options, **more):
    out = StringIO()
    call_command("import_batch", str(path), **options, **more, stdout=out)
    return out.getvalue()


def test_the_command_imports_a_file(tmp_path, options):
    path = tmp_path / "codes.csv"
    path.write_text("code\n" + "\n".join(pins(3)))
    expires = timezone.now().date() + timedelta(days=30)
    said = run(path, options, expires=expires.isoformat(), active=True)
    batch = Batch.objects.get()
    assert (batch.status, batch.expires_on) == (BatchStatus.ACTIVE, expires)
    assert "Read as utf-8, codes in column 1, the first line is its heading." in said
    assert "4 lines, 3 good codes, 0 bad lines." in said
    assert f"Batch {batch}: serial numbers {batch.first_serial}–{batch.last_serial}." in said


def test_the_command_reports_bad_lines_and_fails(tmp_path, options):
    path = tmp_path / "codes.csv"
    path.write_text("\n".join([GOOD, "bad", OTHER, GOOD]))
    out = StringIO()
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_batch", str(path), **options, stdout=out)
    assert f"line 2: {Reason.NOT_THE_FORMAT}\nline 4: {Reason.TWICE_IN_FILE}\n" in out.getvalue()
    assert not Batch.objects.exists()
    assert "A dry run: nothing was stored." in run(path, options, dry_run=True)
    assert not Batch.objects.exists()
    assert "4 lines, 2 good codes, 2 bad lines." in run(path, options, skip_bad=True)
    assert Batch.objects.get().quantity == 2


def test_no_report_says_a_code(tmp_path, options, product, caplog):
    path = tmp_path / "codes.csv"
    secret = [*pins(3), "4242424242", "99999999999999", "12345X78901"]
    path.write_text("\n".join([*secret, secret[0]]))
    said = run(path, options, skip_bad=True)
    with path.open("rb") as source:
        report = import_codes(product=product, retailer=factories.retailer(), by=manager(), source=source)
    everything = said + caplog.text + repr(report)
    assert report.problem_count == 7
    assert not any(code in everything for code in secret)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"product": "NONE"}, "There is no product with the SKU NONE."),
        ({"expires": "2001-01-01"}, "The expiry lies before the issue"),
        ({"expires": "9999-99-99"}, "Write the expiry as YYYY-MM-DD"),
        ({"encoding": "klingon"}, "There is no encoding “klingon”"),
        ({"column": "pin"}, "Not exactly one column"),
    ],
    ids=ascii,
)
def test_the_command_answers_bad_input_with_a_sentence(tmp_path, options, changed, sentence):
    path = tmp_path / "codes.csv"
    path.write_text(GOOD)
    with pytest.raises(CommandError) as refused:
        call_command("import_batch", str(path), **(options | changed))
    assert sentence in str(refused.value)
    assert not Batch.objects.exists()


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path, options):
    for path, why in [(tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")]:
        with pytest.raises(CommandError, match=f"cannot be read: {why}"):
            run(path, options)
