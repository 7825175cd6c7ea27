"""CSV and XLSX: what a spreadsheet makes of them, and that it runs nothing."""

import csv
import io
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exports.files import Column, Kind, harmless, writer
from support.models import ExportFormat

COLUMNS = [
    Column("Text"),
    Column("Amount", Kind.AMOUNT),
    Column("Serial", Kind.NUMBER),
    Column("Day", Kind.DAY),
    Column("At (UTC)", Kind.MOMENT),
]
AT = datetime(2026, 3, 1, 1, 30, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
ROW = ["Ada, “A” Lovelace\r\nLtd", Decimal("-12.50"), 1_000_000_123, date(2026, 2, 28), AT]
_NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def made(form, tmp_path, rows, columns=COLUMNS):
    path = tmp_path / "made"
    file = writer(form, path, columns, title="Rows")
    for row in rows:
        file.add(row)
    file.close()
    return path


def cells(path):
    """{cell: (type, number format, text)} of the sheet's XML itself, so that nobody's reading is in between."""
    with zipfile.ZipFile(path) as book:
        styles = ElementTree.fromstring(book.read("xl/styles.xml"))  # noqa: S314 - ours, a moment old
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314
        names = book.namelist()
    codes = {found.get("numFmtId"): found.get("formatCode") for found in styles.iterfind(".//m:numFmt", _NS)}
    formats = [found.get("numFmtId") for found in styles.iterfind("m:cellXfs/m:xf", _NS)]
    found = {
        cell.get("r"): (
            cell.get("t", "n"),
            codes.get(formats[int(cell.get("s", 0))], formats[int(cell.get("s", 0))]),
            "".join(cell.itertext()),
        )
        for cell in sheet.iterfind(".//m:c", _NS)
    }
    assert sheet.find(".//m:f", _NS) is None
    assert not any("vba" in name.lower() or "external" in name.lower() for name in names)
    return found


def test_csv_is_as_rfc_4180_says_with_the_mark_that_excel_knows(tmp_path):
    raw = made(ExportFormat.CSV, tmp_path, [ROW, [None, None, None, None, None]]).read_bytes()
    assert (
        raw
        == (
            "\ufeffText,Amount,Serial,Day,At (UTC)\r\n"
            '"Ada, “A” Lovelace\r\nLtd",-12.50,1000000123,2026-02-28,2026-02-28 23:30:05\r\n'
            ",,,,\r\n"
        ).encode()
    )


def test_xlsx_has_typed_numbers_and_dates_and_no_formula(tmp_path):
    found = cells(made(ExportFormat.XLSX, tmp_path, [ROW, ["", Decimal("1500"), None, None, None]]))
    assert [found[f"{letter}1"][2] for letter in "ABCDE"] == [column.title for column in COLUMNS]
    assert found["A2"][0] == "inlineStr"
    assert found["A2"][2].replace("_x000D_", "\r") in {"Ada, “A” Lovelace\r\nLtd", "Ada, “A” Lovelace\n\nLtd"}
    assert found["B2"] == ("n", "#,##0.00", "-12.5")
    assert found["C2"] == ("n", "0", "1000000123")
    day = (date(2026, 2, 28) - date(1899, 12, 30)).days
    assert found["D2"] == ("n", "yyyy-mm-dd", str(day))
    kind, shown, value = found["E2"]
    assert (kind, shown) == ("n", "yyyy-mm-dd hh:mm:ss")
    seconds = (datetime(2026, 2, 28, 23, 30, 5, tzinfo=UTC) - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds()
    assert float(value) * 86_400 == pytest.approx(seconds, abs=0.5)
    # Yen have no decimals, and an empty cell is none.
    assert found["B3"] == ("n", "#,##0", "1500")
    assert "A3" not in found


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=x",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}SUM(A1)",
    "\N{SMALL HYPHEN-MINUS}1",
    " =1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\x00=1+1",
    '=cmd|" /C calc"!A0',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_begins_like_a_formula_is_only_text(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ada", "1-2", "a=b", "'=1", "\N{MINUS SIGN}5", "  ", "£-5", "(=1)", "12.50"])
def test_other_text_is_left_as_it_is(text):
    assert harmless(text) == text


@pytest.mark.parametrize("form", ExportFormat)
def test_negative_numbers_stay_numbers_beside_text_that_looks_like_one(form, tmp_path):
    path = made(form, tmp_path, [["-12.50", Decimal("-12.50"), -3, None, None]])
    if form == ExportFormat.XLSX:
        found = cells(path)
        assert [found[name][::2] for name in ("A2", "B2", "C2")] == [
            ("inlineStr", "'-12.50"), ("n", "-12.5"), ("n", "-3"),
        ]  # fmt: skip
    else:
        assert path.read_text("utf-8-sig").splitlines()[1] == "'-12.50,-12.50,-3,,"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=4))
def test_whatever_is_written_is_read_again_with_at_most_an_apostrophe(tmp_path_factory, texts):
    path = made(ExportFormat.CSV, tmp_path_factory.mktemp("csv"), [texts], [Column(str(n)) for n in range(len(texts))])
    _, *rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
    assert rows == [[harmless(text) for text in texts]] or texts == [""]
    path = made(
        ExportFormat.XLSX, tmp_path_factory.mktemp("xlsx"), [texts], [Column(str(n)) for n in range(len(texts))]
    )
    assert all(kind == "inlineStr" for kind, _, _ in cells(path).values())


def test_a_text_longer_than_a_cell_of_excel_is_cut_and_the_rest_stays(tmp_path):
    path = made(ExportFormat.XLSX, tmp_path, [["=" + "x" * 40_000, Decimal("1.00"), None, None, None]])
    found = cells(path)
    assert len(found["A2"][2]) == 32_767
    assert found["B2"][2] == "1"


@pytest.mark.parametrize("form", ExportFormat)
def test_memory_does_not_grow_with_the_rows(form, tmp_path):
    def peak(name, count):
        folder = tmp_path / name
        folder.mkdir()
        tracemalloc.start()
        made(form, folder, ([f"Text number {number}", *ROW[1:]] for number in range(count)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak("warm", 10)
    assert peak("many", 8_000) < 1.5 * peak("few", 800)
