"""Files that nobody should have to open, made here so that none lies about: name, contents, and what becomes of each.

`PICTURE` where one of our own making may come of it; else the refusals that are right for it.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw

from support.uploads import Refusal

pillow_heif.register_heif_opener()

PICTURE = None
R = Refusal


@dataclass(frozen=True)
class Hostile:
    name: str
    make: Callable[[], bytes]
    becomes: set[Refusal | None]
    sent_as: str = ""

    @property
    def file_name(self) -> str:
        return self.sent_as or self.name


def photo(width: int = 240, height: int = 180, seed: int = 0) -> Image.Image:
    """Not flat, so that it has looks."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for number in range(6):
        left, top = (seed * 53 + number * 71) % width, (seed * 29 + number * 37) % height
        draw.rectangle([left, top, left + width // 5, top + height // 7], fill=(number * 40, 200 - number * 30, 90))
    return image


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = BytesIO()
    (image or photo()).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes, data: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pdf(*objects: str | bytes, trailer: str = "") -> bytes:
    """Objects numbered from 1; the first is the catalogue."""
    file, places = BytesIO(), []
    file.write(b"%PDF-1.7\n")
    for number, body in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body if isinstance(body, bytes) else body.encode()))
    start = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        file.write(b"%010d 00000 n \n" % place)
    trailer = f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF"
    return file.getvalue() + trailer.encode()


CATALOGUE, ONE_PAGE = "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>"


def stream(body: bytes, more: str = "") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (more.encode(), len(body), body)


def page(box: str = "0 0 300 400", more: str = "/Contents 4 0 R") -> str:
    return f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]{more}>>"


def drawn(body: bytes, *others: bytes, box: str = "0 0 300 400", more: str = "") -> bytes:
    return pdf(CATALOGUE, ONE_PAGE, page(box, "/Contents 4 0 R" + more), stream(body), *others)


def endless_pdf() -> bytes:
    """Forms within forms, twenty times each: some ten thousand million drawings of a page."""
    forms = [
        stream(
            b"/F Do " * 20,
            f"/Type/XObject/Subtype/Form/BBox[0 0 300 400]/Resources<</XObject<</F {number + 1} 0 R>>>>",
        )
        for number in range(5, 13)
    ]
    last = stream(b"0 0 300 400 re f " * 20, "/Type/XObject/Subtype/Form/BBox[0 0 300 400]")
    return drawn(b"/F Do", *forms, last, more="/Resources<</XObject<</F 5 0 R>>>>")


def huge_image_pdf() -> bytes:
    """A picture of 60,000 pixels square within a page: ten gigabytes of zeros, packed."""
    row = zlib.compress(bytes(1 << 20), 9)
    image = stream(
        row,
        "/Type/XObject/Subtype/Image/Width 60000/Height 60000/ColorSpace/DeviceRGB/BitsPerComponent 8"
        "/Filter/FlateDecode",
    )
    return drawn(b"q 300 0 0 400 0 0 cm /I Do Q", image, more="/Resources<</XObject<</I 5 0 R>>>>")


def packed_twice_pdf() -> bytes:
    """A content stream of a gigabyte of spaces, packed three times."""
    body = zlib.compress(zlib.compress(b"0 0 9 9 re f " * (20 << 20), 1), 9)
    return pdf(CATALOGUE, ONE_PAGE, page(), stream(body, "/Filter[/FlateDecode/FlateDecode]"))


def encrypted_pdf() -> bytes:
    """With a password that nobody has (standard handler, 40 bits)."""
    encrypt = "<</Filter/Standard/V 1/R 2/O<" + "41" * 32 + ">/U<" + "42" * 32 + ">/P -4>>"
    ids = "/Encrypt 5 0 R/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"
    return pdf(CATALOGUE, ONE_PAGE, page(), stream(b""), encrypt, trailer=ids)


def many_pages_pdf(count: int = 10_000) -> bytes:
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + count))
    pages = [page(more="") for _ in range(count)]
    return pdf(CATALOGUE, f"<</Type/Pages/Kids[{kids}]/Count {count}>>", *pages)


def jpeg_of(width: int, height: int) -> bytes:
    """Says that it is larger than it is."""
    data = bytearray(saved("JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def heic_of(size: int) -> bytes:
    data = saved("HEIF")
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", size, size) + data[place + 8 :]


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = 6, "Maker", "a comment"
    exif.get_ifd(0x8825)[2] = (59.0, 20.0, 3.0)
    return saved("JPEG", exif=exif)


def endless_chunks() -> bytes:
    """A PNG whose text is packed a thousandfold, sixty times."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(4 << 20), 9))
    return png(10, 10, *[text] * 60, data=zlib.compress(bytes(310)))


JPEG, PNG, WEBP, HEIC = (
    (lambda: saved("JPEG")),
    (lambda: saved("PNG")),
    (lambda: saved("WEBP")),
    (lambda: saved("HEIF")),
)
HTML = b"<!doctype html><html><body><script>alert(document.domain)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9" height="9"/></svg>'

_D, _N = {R.DAMAGED}, {R.NOT_TAKEN}
# What a library may find damaged, or merely expensive.
_STOPPED = {R.DAMAGED, R.TOO_SLOW, R.TOO_HEAVY}

HOSTILE = [
    Hostile("nothing.jpg", lambda: b"", {R.EMPTY}),
    Hostile("one byte.png", lambda: b"\x89", _N),
    Hostile("zeros.heic", lambda: bytes(5000), _N),
    Hostile("text.pdf", lambda: b"a text that nobody called a PDF", _N),
    Hostile("surrogates.txt", lambda: "\ud800".encode(errors="surrogatepass") * 99, _N),
    # Pixels that are not there, or that nobody has memory for.
    Hostile("bomb of 14,000 squared.png", lambda: saved("PNG", Image.new("1", (14_000, 14_000))), {R.TOO_MANY_PIXELS}),
    Hostile("says a million million pixels.png", lambda: png(1_000_000, 1_000_000), {R.TOO_MANY_PIXELS}),
    Hostile("says 2³¹ pixels wide.png", lambda: png(2**31 - 1, 2**31 - 1), {R.TOO_MANY_PIXELS, R.DAMAGED}),
    Hostile("says 65,535 squared.jpg", lambda: jpeg_of(65_535, 65_535), {R.TOO_MANY_PIXELS}),
    Hostile("says 50,000 squared.heic", lambda: heic_of(50_000), {R.TOO_MANY_PIXELS, R.DAMAGED}),
    Hostile("fewer rows than it says.png", lambda: png(5000, 5000, data=zlib.compress(bytes(99))), _D),
    Hostile("more data than pixels.png", lambda: png(2, 2, data=zlib.compress(bytes(64 << 20), 9)), {PICTURE, *_D}),
    Hostile("nought wide.png", lambda: png(0, 9, data=zlib.compress(b"")), _D),
    Hostile("texts packed a thousandfold.png", endless_chunks, _D),
    Hostile(
        "a profile packed a thousandfold.png",
        lambda: png(
            4, 4, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(80 << 20), 9)), data=zlib.compress(bytes(52))
        ),
        {PICTURE, *_D},
    ),
    Hostile("one pixel high.png", lambda: saved("PNG", Image.new("RGB", (40_000, 1))), {PICTURE}),
    # Broken off.
    Hostile("truncated.jpg", lambda: JPEG()[:900], _D),
    Hostile("truncated.png", lambda: PNG()[:900], _D),
    Hostile("truncated.webp", lambda: WEBP()[:200], _D),
    Hostile("truncated.heic", lambda: HEIC()[:400], _D),
    Hostile("truncated.pdf", lambda: saved("PDF")[:400], _STOPPED),
    Hostile("only a head.jpg", lambda: b"\xff\xd8\xff", _D),
    Hostile("only a head.png", lambda: b"\x89PNG\r\n\x1a\n", _D),
    Hostile("only a head.webp", lambda: b"RIFF\xff\xff\xff\xffWEBP", _D),
    Hostile("only a head.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", _D),
    Hostile("only a head.pdf", lambda: b"%PDF-1.7\n", _D),
    Hostile("a wrong sum.png", lambda: PNG().replace(b"IDAT", b"IDAT\xff", 1), _D),
    Hostile("noise after the head.jpg", lambda: b"\xff\xd8\xff" + bytes(range(256)) * 20, _D),
    Hostile("boxes that overlap.heic", lambda: HEIC().replace(b"meta", b"ftyp", 1), _D),
    # Something else, or two things at once.
    Hostile("HTML called JPEG.jpg", lambda: HTML, _N),
    Hostile("SVG.svg", lambda: SVG, _N),
    Hostile("SVG called PNG.png", lambda: SVG, _N),
    Hostile("GIF.gif", lambda: saved("GIF"), _N),
    Hostile("TIFF.tif", lambda: saved("TIFF"), _N),
    Hostile("PostScript.jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n", _N),
    Hostile("a program.jpg", lambda: b"MZ\x90\0" + bytes(400), _N),
    Hostile("an archive.png", lambda: b"PK\x03\x04" + bytes(400), _N),
    Hostile("JPEG and HTML.jpg.html", lambda: JPEG() + HTML, {PICTURE}),
    Hostile("JPEG with HTML as comment.jpg", lambda: saved("JPEG", comment=HTML), {PICTURE}),
    Hostile("PNG and PHP.jpg.php", lambda: PNG() + b"<?php system($_GET['c']); ?>", {PICTURE}),
    Hostile("JPEG and PDF.pdf", lambda: JPEG() + drawn(b"0 0 9 9 re f"), {PICTURE}),
    Hostile("PDF behind HTML.pdf", lambda: HTML + drawn(b"0 0 9 9 re f"), {PICTURE, *_D}),
    Hostile("place and camera.jpg", with_exif, {PICTURE}),
    Hostile("PNG called JPEG.jpg", PNG, {PICTURE}),
    # PDFs.
    Hostile("encrypted.pdf", encrypted_pdf, {R.ENCRYPTED}),
    Hostile("endless.pdf", endless_pdf, {R.TOO_SLOW}),
    Hostile("a form that draws itself.pdf", lambda: drawn(
        b"/F Do", stream(b"/F Do /F Do", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"),
        more="/Resources<</XObject<</F 5 0 R>>>>",
    ), {PICTURE, *_STOPPED}),
    Hostile("pages that hold themselves.pdf", lambda: pdf(
        CATALOGUE, "<</Type/Pages/Kids[2 0 R 2 0 R]/Count 5/Parent 2 0 R>>"
    ), _STOPPED),
    Hostile("no pages.pdf", lambda: pdf(CATALOGUE, "<</Type/Pages/Kids[]/Count 0>>"), _D),
    Hostile("ten thousand pages.pdf", many_pages_pdf, {R.TOO_MANY_PAGES}),
    Hostile("says 2³¹ pages.pdf", lambda: pdf(
        CATALOGUE, "<</Type/Pages/Kids[3 0 R]/Count 2147483647>>", page(more="")
    ), {PICTURE, R.TOO_MANY_PAGES, *_D}),
    Hostile("a page of a thousand miles.pdf", lambda: drawn(b"0 0 9 9 re f", box="0 0 5e9 5e9"), {PICTURE, *_STOPPED}),
    Hostile("a page without extent.pdf", lambda: drawn(b"0 0 9 9 re f", box="0 0 0 0"), {PICTURE, *_D}),
    Hostile("a picture of ten gigabytes.pdf", huge_image_pdf, {PICTURE, *_STOPPED}),
    Hostile("packed twice.pdf", packed_twice_pdf, {PICTURE, *_STOPPED}),
    Hostile("with a script.pdf", lambda: pdf(
        "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(while(1){})>>>>", ONE_PAGE, page(), stream(b"")
    ), {PICTURE}),
    # Names.
    Hostile("300 characters", PNG, {PICTURE}, sent_as="receipt " * 37 + ".png"),
    Hostile("a path", JPEG, {PICTURE}, sent_as="../../../../etc/cron.d/receipt.jpg"),
    Hostile("a path of Windows", JPEG, {PICTURE}, sent_as="C:\\Windows\\System32\\receipt.jpg"),
    Hostile("a script as name", PNG, {PICTURE}, sent_as="<img src=x onerror=alert(1)>.png"),
    Hostile("turned round", PNG, {PICTURE}, sent_as="receipt\u202egnp.exe"),
    Hostile("lines in it", PNG, {PICTURE}, sent_as="receipt\r\nSet-Cookie: a=b\r\n.png"),
    Hostile("dots alone", PNG, {PICTURE}, sent_as=".."),
]  # fmt: skip
