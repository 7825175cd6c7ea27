"""Lists of serial numbers as they come: typed, scanned, CSV, Excel; and what is no list."""

import tracemalloc
import zipfile
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from redemption.models import FIRST_SERIAL, LAST_SERIAL
from support import reported_lines
from support.models import Problem
from support.reported_lines import MOST_CARDS, Line, LinesError, file_lines, typed_lines, typed_problems
from tests import factories

pytestmark = pytest.mark.django_db
S = 1_000_000_000
P = Problem


def typed(text):
    return [(line.number, line.serial or line.problem) for line in typed_lines(text)]


def read(contents):
    return [(line.number, line.serial or line.problem) for line in file_lines(BytesIO(contents))]


def book(*rows, **sheets):
    made = Workbook()
    for row in rows:
        made.active.append(list(row))
    for name, more in sheets.items():
        sheet = made.create_sheet(name)
        for row in more:
            sheet.append(list(row))
    file = BytesIO()
    made.save(file)
    return file.getvalue()


FULL_WIDTH = "1000000001".translate({digit: digit + 0xFEE0 for digit in range(0x30, 0x3A)})


# --- Typed


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n \r\n\t\n", []),
        ("1000000000", [(1, S)]),
        ("\n1000000000\r\n\n1000000001\n", [(2, S), (4, S + 1)]),
        ("100 000 0000", [(1, S)]),
        ("1000-0000-00", [(1, S)]),
        (FULL_WIDTH, [(1, S + 1)]),
        ("١٠٠٠٠٠٠٠٠٢", [(1, S + 2)]),
        ("\ufeff1000000000\u200b", [(1, S)]),
        ("'1000000000", [(1, S)]),
        ('"1000000000"', [(1, S)]),
        ("1000000000 1000000001", [(1, S), (1, S + 1)]),
        ("1000000000, 1000000001;1000000002", [(1, S), (1, S + 1), (1, S + 2)]),
        ("1000000000,", [(1, S)]),
        ("1000000000–1000000002", [(1, S), (1, S + 1), (1, S + 2)]),
        ("1000000000 - 1000000001", [(1, S), (1, S + 1)]),
        ("1000000000 to 1000000001", [(1, S), (1, S + 1)]),
        ("1000000000 BIS 1000000001", [(1, S), (1, S + 1)]),
        ("1000000000..1000000001", [(1, S), (1, S + 1)]),
        ("1000000000…1000000001", [(1, S), (1, S + 1)]),
        ("1000000000-1000000001, 1000000005", [(1, S), (1, S + 1), (1, S + 5)]),
        ("1000000000-1000000000", [(1, S)]),
        ("1000000001-1000000000", [(1, P.NOT_A_SERIAL)]),
        ("1000000000\n1000000000", [(1, S), (2, P.TWICE)]),
        ("1000000000-1000000002\n1000000001", [(1, S), (1, S + 1), (1, S + 2), (2, P.TWICE)]),
        ("100000000", [(1, P.NOT_A_SERIAL)]),
        ("10000000000", [(1, P.NOT_A_SERIAL)]),
        ("0000000001", [(1, P.NOT_A_SERIAL)]),
        ("0999999999-1000000001", [(1, P.NOT_A_SERIAL)]),
        ("9999999999", [(1, LAST_SERIAL)]),
        ("1000000000 x", [(1, P.NOT_A_SERIAL)]),
        ("1000000000, x", [(1, P.NOT_A_SERIAL)]),
        ("1000000000-", [(1, S)]),
        ("²000000000", [(1, 2 * S)]),
        ("1000000000\0", [(1, S)]),
        ("1" * 100_000, [(1, P.NOT_A_SERIAL)]),
    ],
)
def test_a_field_is_read_as_people_write_it(text, lines):
    assert typed(text) == lines


def test_a_range_is_lines_of_one_number_and_at_most_a_hundred_thousand():
    lines = list(typed_lines(f"{S}-{S + MOST_CARDS - 1}"))
    assert [lines[0], lines[-1], len(lines)] == [Line(1, S), Line(1, S + MOST_CARDS - 1), MOST_CARDS]
    for text in (f"{S}-{S + MOST_CARDS}", f"{FIRST_SERIAL}-{LAST_SERIAL}", f"{S}-{S + MOST_CARDS - 1}\n{2 * S}"):
        with pytest.raises(LinesError, match="at most 100,000 cards"):
            list(typed_lines(text))


@pytest.mark.parametrize("form", ["{}", "code {}", "1000000000, {}", "{},1000000000", "(“{}”)"])
def test_a_code_is_named_and_never_repeated(form):
    card = factories.card()
    for text in (card.text, card.text.lower(), card.text.replace("-", " ")):
        lines = list(typed_lines(form.format(text)))
        assert lines == [Line(1, None, P.A_CODE)]
        assert card.code[:4] not in repr(lines)


def test_problems_of_typed_lines_are_told_without_their_text():
    card = factories.card()
    text = f"1000000000\n\nsix\n{card.text}\n1000000000-1999999999\n1000000000"
    assert typed_problems(text) == {3: P.NOT_A_SERIAL, 4: P.A_CODE}


numbers = st.integers(FIRST_SERIAL, LAST_SERIAL)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(numbers, max_size=30), st.sampled_from(["\n", "\r\n", ", ", ";", " ", "\t", " ;\n"]))
def test_whatever_parts_them_each_number_is_found_once(serials, joint):
    lines = list(typed_lines(joint.join(map(str, serials))))
    assert [line.serial for line in lines if line.serial] == list(dict.fromkeys(serials))
    assert {line.problem for line in lines} <= {"", P.TWICE}
    assert len(lines) == len(serials)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_is_read_or_has_its_problem(text):
    for line in typed_lines(text):
        assert (line.serial is None) == bool(line.problem)
        assert line.serial is None or FIRST_SERIAL <= line.serial <= LAST_SERIAL
        assert 1 <= line.number <= len(text.splitlines())


# --- CSV and text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_in_any_encoding(encoding, end):
    text = end.join(["Seriennummer;Größe", f"{S};30", "", f'"{S + 1}";30', f"{S};30", ""])
    assert read(text.encode(encoding)) == [(2, S), (4, S + 1), (5, P.TWICE)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1000000000", [(1, S)]),
        ("serial\n1000000000-1000000001", [(2, S), (2, S + 1)]),
        ("a,1000000000\nb", [(1, S), (2, P.TOO_FEW_COLUMNS)]),
        ("a,1000000000\nb,\nc,x", [(1, S), (2, P.NOT_A_SERIAL), (3, P.NOT_A_SERIAL)]),
        ("a\tSerial\n1\t1000000000", [(2, S)]),
        ('"a;b";"1000000000"\n"c";"1000000001"', [(1, S), (2, S + 1)]),
        ("1000000000\n" + "x" * 5_000 + "\n1000000001", [(1, S), (2, P.UNREADABLE), (3, S + 1)]),
        ("1000000000\n10000\x000000\n1000000001", [(1, S), (2, P.UNREADABLE), (3, S + 1)]),
        ('1000000000\n\'1000000001\n="1000000002"', [(1, S), (2, S + 1), (3, S + 2)]),
    ],
)
def test_rows_of_a_file_have_their_number_or_their_reason(text, lines):
    assert read(text.encode()) == lines


def test_bytes_of_another_encoding_spoil_their_own_line():
    assert read(b"1000000000\n100000\xff0001\n1000000002") == [(1, S), (2, P.UNREADABLE), (3, S + 2)]


@pytest.mark.parametrize("contents", [b"", b"\n\n", b"name;shop\nx;y\n", b"1000000000;1000000001\n"])
def test_a_file_without_one_column_of_serial_numbers_is_refused(contents):
    with pytest.raises(LinesError, match="one column, ten digits each"):
        read(contents)


def test_a_column_of_codes_is_never_read():
    cards = factories.cards(3)
    rows = "\n".join(f"{card.text};{card.serial}" for card in cards)
    assert read(f"Code;Serial\n{rows}".encode()) == [(n, card.serial) for n, card in enumerate(cards, start=2)]
    only = "\n".join(card.text for card in cards)
    assert read(only.encode()) == [(n, P.A_CODE) for n in (1, 2, 3)]


def test_a_hundred_thousand_cards_and_one_more():
    rows = b"\n".join(b"%d" % (S + number) for number in range(MOST_CARDS))
    lines = list(file_lines(BytesIO(rows)))
    assert [len(lines), lines[899], lines[-1]] == [MOST_CARDS, Line(900, S + 899), Line(MOST_CARDS, S + MOST_CARDS - 1)]
    with pytest.raises(LinesError, match="at most 100,000 cards"):
        list(file_lines(BytesIO(rows + b"\n9000000000")))


@pytest.mark.parametrize("row", [b"nothing of that\n", b"1000000000\n"])
def test_millions_of_lines_that_name_no_card_end_it(row, monkeypatch):
    monkeypatch.setattr(reported_lines, "_MOST_BAD", 1_000)
    lines = []
    with pytest.raises(LinesError, match="no list of serial numbers"):
        lines.extend(file_lines(BytesIO(row * 50_000)))
    assert len(lines) <= 1_002


def test_memory_does_not_grow_with_the_file():
    def needed(rows):
        contents = BytesIO(b"".join(b"%d;%s\n" % (S + n % 50, b"x" * 200) for n in range(50)) + b"\n" * rows)
        tracemalloc.start()
        assert len(list(file_lines(contents))) == 50
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    needed(10)
    assert needed(3_000_000) < needed(600_000) + 1_000_000


# --- Excel


def test_a_workbook_is_read_by_its_first_sheet_and_its_column_of_numbers():
    contents = book(
        ("Shop", "Serial", "Price"),
        ("Saturn", S, 30),
        ("Saturn", str(S + 1), 30.5),
        (),
        ("Saturn", float(S + 2), None),
        ("Saturn", f"{S + 3}–{S + 4}", None),
        ("Saturn", "x", None),
        ("Saturn", S, None),
        ("Saturn",),
        more=[("Serial", 9_000_000_000)],
    )
    assert read(contents) == [
        (2, S),
        (3, S + 1),
        (5, S + 2),
        (6, S + 3),
        (6, S + 4),
        (7, P.NOT_A_SERIAL),
        (8, P.TWICE),
    ]


def test_a_workbook_without_a_heading():
    assert read(book((S,), (S + 1,))) == [(1, S), (2, S + 1)]


X = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def test_a_workbook_of_another_maker_with_prefixes_and_without_places():
    cells = f'<x:c t="inlineStr"><x:is><x:t>shop</x:t></x:is></x:c><x:c><x:v>{S}.0</x:v></x:c>'
    more = f'<x:c/><x:c t="str"><x:f>A1</x:f><x:v>{S + 1}</x:v></x:c>'
    sheet = f'<x:worksheet xmlns:x="{X}"><x:sheetData><x:row>{cells}</x:row><x:row r="7">{more}</x:row></x:sheetData>'
    assert read(changed(WHOLE, sheet1=f"{sheet}</x:worksheet>")) == [(1, S), (7, S + 1)]


def test_rows_beyond_a_sheets_end_are_not_waited_for():
    row = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c></row>'
    rows = row.format(1, S) + row.format(99_999_999_999, S + 1)
    sheet = f'<worksheet xmlns="{X}"><sheetData>{rows}</sheetData></worksheet>'
    assert read(changed(WHOLE, sheet1=sheet)) == [(1, S)]


def test_codes_in_a_workbook_are_named():
    card = factories.card()
    assert read(book((card.serial,), (card.text,))) == [(1, card.serial), (2, P.A_CODE)]


def test_formulas_dates_and_booleans_are_no_serial_numbers():
    assert read(book((S,), ("=1000000000+1",), (True,), (1e300,), (float("inf"),)))[0] == (1, S)


def changed(contents, **parts):
    """The workbook with parts replaced, or left out."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(contents)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            name = info.filename.rpartition("/")[2].partition(".")[0]
            if name not in parts:
                new.writestr(info.filename, old.read(info))
            elif parts[name] is not None:
                new.writestr(info.filename, parts[name])
        if "sharedStrings" in parts:
            new.writestr("xl/sharedStrings.xml", parts["sharedStrings"])
    return file.getvalue()


WHOLE = book((S,), (S + 1,))
ENTITY = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "1000000000">]>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>&a;</t></is></c></row></sheetData></worksheet>'
)


@pytest.mark.parametrize(
    "contents",
    [
        b"PK\x03\x04",
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-100],
        changed(WHOLE, workbook=None),
        changed(WHOLE, sheet1=None),
        changed(WHOLE, sheet1="<worksheet"),
        changed(WHOLE, sheet1=ENTITY),
        changed(WHOLE, workbook="not xml"),
    ],
    ids=["head", "half", "cut", "no book", "no sheet", "open tag", "entity", "no xml"],
)
def test_a_spoilt_workbook_is_refused_with_a_sentence(contents):
    with pytest.raises(LinesError, match="This Excel file cannot be read: save it again, or as CSV"):
        read(contents)


def test_an_encrypted_or_an_old_workbook_says_what_to_do():
    with pytest.raises(LinesError, match="without a password"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096))


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = changed(WHOLE, sheet1=b" " * 210_000_000)
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    with pytest.raises(LinesError, match="too large"):
        read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(place, damage):
    with suppress(LinesError):
        found = read(WHOLE[:place] + damage + WHOLE[place + len(damage) :])
        assert sum(isinstance(serial, int) for _, serial in found) <= 2


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_and_nothing_else(contents):
    with suppress(LinesError):
        assert all((line.serial is None) == bool(line.problem) for line in file_lines(BytesIO(contents)))
