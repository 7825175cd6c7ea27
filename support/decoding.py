"""Opens one hostile file in a process of its own, and writes pictures of our own making.

Run as a script, by support.uploads only: `decoding.py FORMAT MEGABYTES SECONDS PIXELS PAGES`, in an empty folder that
holds the file as `original`. Leaves `1.jpg`, `1-small.jpg`, … and `result.json` there: pages (width, height) and looks,
or why not. It knows nothing of Django, our database or our secrets, and is killed when it takes too long.
"""

import json
import math
import resource
import sys
import warnings
from collections.abc import Iterator
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# A telephone's photo of twelve megapixels stays as it is; a page of A4 gets some 190 dots an inch.
_MOST_KEPT = 12_000_000
_PAGE_PIXELS = 3_500_000
# JPEG ends at 65,535; a roll of receipt or a long screenshot stays legible below this.
_LONGEST_SIDE = 16_000
_SMALL = (320, 320)
_LARGEST_FILE = 32 * 1024 * 1024

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
# How much of a file says what it is.
HEAD = 1024


def format_of(head: bytes) -> str | None:
    """What a file's first bytes say that it is, of what we take. Its name and its sender's word say nothing."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC:
        return "HEIF"
    # Readers of PDF forgive what stands before its head; so do scanners that save a letter-head there.
    if b"%PDF-" in head[:HEAD]:
        return "PDF"
    return None


class RefusedError(Exception):
    """Why there will be no picture: the name of a Refusal."""


def main(kind: str, megabytes: int, seconds: int, pixels: int, pages: int) -> None:
    # Before any library that reads the file is loaded.
    for limit, most in [
        (resource.RLIMIT_AS, megabytes * 1024 * 1024),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ]:
        resource.setrlimit(limit, (most, most))
    result: dict[str, Any]
    try:
        made = _pages(pages) if kind == "PDF" else _picture(kind, pixels)
        result = {"pages": []}
        for number, image in enumerate(made, start=1):
            if number == 1:
                result["looks"] = looks_of(image)
            image.save(f"{number}.jpg", "JPEG", quality=88, subsampling=0, optimize=False)
            result["pages"].append(image.size)
            image.thumbnail(_SMALL)
            image.save(f"{number}-small.jpg", "JPEG", quality=80)
    except RefusedError as refused:
        result = {"refused": str(refused)}
    except MemoryError:
        result = {"refused": "TOO_HEAVY"}
    # Whatever a library raises over a hostile file says that we cannot read it.
    except Exception:
        result = {"refused": "DAMAGED"}
    Path("result.json").write_text(json.dumps(result))


def _picture(kind: str, pixels: int) -> Iterator["Image"]:
    from PIL import Image, ImageOps

    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    Image.MAX_IMAGE_PIXELS = pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open("original", formats=(kind,))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise RefusedError("TOO_MANY_PIXELS") from None
    with image:
        size = _at_most(image.size, _MOST_KEPT)
        # Lets the decoder of JPEG skip what would be thrown away.
        image.draft("RGB", size)
        image.load()
        # Before it is turned, which takes its size once more.
        smaller = image.resize(size, reducing_gap=2.0) if image.size != size else image
        yield _on_white(ImageOps.exif_transpose(smaller))


def _on_white(image: "Image") -> "Image":
    """A new picture of nothing but its pixels: no EXIF, no colour profile, no text chunks, no second frame."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    white = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white.paste(image, mask=image.getchannel("A"))
    else:
        white.paste(image.convert("RGB"))
    return white


def _pages(most: int) -> Iterator["Image"]:
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(Path("original"))
    except pypdfium2.PdfiumError as error:
        locked = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise RefusedError("ENCRYPTED" if locked else "DAMAGED") from None
    if len(document) > most:
        raise RefusedError("TOO_MANY_PAGES")
    if not len(document):
        raise RefusedError("DAMAGED")
    for number in range(len(document)):
        page = document[number]
        width, height = page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise RefusedError("DAMAGED")
        scale = min(4.0, math.sqrt(_PAGE_PIXELS / (width * height)), _LONGEST_SIDE / max(width, height))
        yield page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
        page.close()


def _at_most(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, math.sqrt(pixels / (width * height)), _LONGEST_SIDE / max(size))
    return max(1, int(width * scale)), max(1, int(height * scale))


def looks_of(image: "Image") -> tuple[int, str] | None:
    """How a picture looks: which of its 64 lowest frequencies lie above their median, as a signed number, and the same
    of 1,024, in hexadecimal. The same paper, made smaller, paler or of coarser JPEG, differs in few bits; another
    receipt of the same shop may look the same in the 64, but not in all. None where there is nothing to see."""
    grey = image.convert("L").resize((64, 64))
    low, high = grey.getextrema()
    assert isinstance(low, int)
    assert isinstance(high, int)
    if high - low < 16:
        return None
    dots = [float(dot) for dot in grey.tobytes()]
    waves = [[math.cos(math.pi * wave * (2 * at + 1) / 128) for at in range(64)] for wave in range(32)]
    rows = [[sum(map(mul, wave, dots[row : row + 64])) for wave in waves] for row in range(0, 4096, 64)]
    columns = list(zip(*rows, strict=True))
    strengths = [[sum(map(mul, wave, column)) for column in columns] for wave in waves]
    looks = _above_median([strength for row in strengths[:8] for strength in row[:8]])
    # Signed, as the database's column is.
    looks -= looks >> 63 << 64
    return looks, f"{_above_median([strength for row in strengths for strength in row]):0256x}"


def _above_median(strengths: list[float]) -> int:
    # The first is the brightness, which no median should follow.
    median = sorted(strengths[1:])[len(strengths) // 2 - 1]
    return sum(1 << place for place, strength in enumerate(strengths) if strength > median)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
