"""Draws a statement on A4: black on white, in letters that most names are written in.

The font holds the Latin, Cyrillic, Greek, Arabic, Hebrew, Thai, Georgian and Devanagari scripts. A letter of another
one, such as Chinese, is shown as “?”, and the paper says so; Arabic letters stand apart and are read in the order in
which they are stored.
"""

import unicodedata
from functools import cache
from html import escape
from io import BytesIO
from typing import Any

import pymupdf_fonts
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from support.printed_report import ALWAYS, Statement

_PLAIN, _BOLD = "FiraGO", "FiraGO-Bold"
_MISSING = "?"
_MARGIN = 18 * mm
# What the library keeps free within the margins, in points.
_FRAME = 6
_LINE = ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.black)
_TIGHT = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
]


@cache
def _letters() -> frozenset[int]:
    """Registers the fonts, once a process; what the plain one can write."""
    plain = TTFont(_PLAIN, BytesIO(pymupdf_fonts.myfont("figo")))
    pdfmetrics.registerFont(plain)
    pdfmetrics.registerFont(TTFont(_BOLD, BytesIO(pymupdf_fonts.myfont("figbo"))))
    return frozenset(plain.face.charToGlyph)


def printable(text: str) -> str:
    """On one line, with nothing in it that cannot be written: never fails, whatever somebody is called."""
    letters = _letters()
    kept = (
        " " if letter.isspace() else letter if ord(letter) in letters else _MISSING
        for letter in unicodedata.normalize("NFC", text)
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf")
    )
    return " ".join("".join(kept).split())


class _Numbered(Canvas):
    """Knows how many pages there are before it writes the foot of the first."""

    def __init__(self, *args: Any, foot: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._foot = foot
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        for number, page in enumerate(pages := self._pages, start=1):
            self.__dict__.update(page)
            self.setFont(_PLAIN, 8)
            self.drawString(_MARGIN, 10 * mm, self._foot)
            self.drawRightString(A4[0] - _MARGIN, 10 * mm, f"Page {number} of {len(pages)}")
            super().showPage()
        super().save()


def draw(paper: Statement) -> bytes:
    """The PDF; of the same statement always the same bytes."""
    _letters()
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN - _FRAME,
        rightMargin=_MARGIN - _FRAME,
        topMargin=16 * mm,
        bottomMargin=20 * mm,
        title=printable(f"{paper.title} {paper.reference}"),
        author=printable(paper.signed),
        lang="en-GB",
        invariant=1,
    )
    foot = printable(f"{paper.reference}. {paper.printed}")
    document.build(_story(paper), canvasmaker=lambda *args, **kwargs: _Numbered(*args, foot=foot, **kwargs))
    return file.getvalue()


def _story(paper: Statement) -> list[Flowable]:
    story: list[Flowable] = [
        _text(paper.signed, size=9),
        _text(paper.title, bold=True, size=17, before=2),
        Spacer(1, 4 * mm),
        _pairs(paper.facts, widths=(38, 136)),
        _heading("How many cards"),
        _pairs(paper.counts, widths=(84, 90)),
    ]
    if paper.sayings:
        story += [_heading("What you may tell the customer"), _pairs(paper.sayings, widths=(62, 112))]
    story += [_text(f"• {line}", before=1) for line in ALWAYS]
    if paper.rows:
        story += [_heading("The cards"), *_notes(paper), _cards(paper)]
    if _has_gaps(paper):
        story.append(
            _text("Letters that cannot be printed here are shown as “?”; the report’s page has them.", before=4)
        )
    return story


def _notes(paper: Statement) -> list[Flowable]:
    notes = []
    if paper.is_by_run:
        notes.append("Many cards: each line is a run of serial numbers without a gap that are alike.")
    if paper.unlisted:
        notes.append(f"{paper.unlisted:,} more cards are not listed here: the report’s page has every one.")
    return [_text(note, after=2) for note in notes]


def _cards(paper: Statement) -> Table:
    heads = ["Serial number", "Cards", "What was found", "What came of it"]
    cells = [[_text(head, bold=True, size=9) for head in heads]]
    cells += [
        [
            _text(row.serials, size=9),
            _text(f"{row.count:,}", size=9),
            _text(f"{row.found}\n{row.found_at}", size=9),
            _text(f"{row.came or '–'}\n{row.came_at}", size=9),
        ]
        for row in paper.rows
    ]
    return Table(
        cells, colWidths=[44 * mm, 16 * mm, 57 * mm, 57 * mm], repeatRows=1, hAlign="LEFT", style=[*_TIGHT, _LINE]
    )


def _pairs(pairs: tuple[tuple[str, str], ...], *, widths: tuple[int, int]) -> Table:
    cells = [[_text(name, bold=True), _text(value)] for name, value in pairs]
    return Table(cells, colWidths=[width * mm for width in widths], hAlign="LEFT", style=[*_TIGHT, _LINE])


def _heading(text: str) -> Paragraph:
    return _text(text, bold=True, size=12, before=12, after=4)


def _text(text: str, *, bold: bool = False, size: float = 10, before: float = 0, after: float = 0) -> Paragraph:
    style = ParagraphStyle(
        "", fontName=_BOLD if bold else _PLAIN, fontSize=size, leading=size * 1.3, spaceBefore=before, spaceAfter=after
    )
    lines = (escape(printable(line)) for line in text.split("\n"))
    return Paragraph("<br/>".join(line for line in lines if line), style)


def _has_gaps(paper: Statement) -> bool:
    """Whether a letter of what people wrote could not be printed."""
    return any(printable(value).count(_MISSING) > value.count(_MISSING) for _, value in paper.facts)
