"""What customers photograph for the demo's tickets: receipts, and the backs of cards. Drawn here; nobody took them."""

import random
from collections.abc import Callable
from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from support.demo.receipts import receipt
from support.demo.world import World
from support.models import AttachmentKind


def photo(name: str, world: World) -> tuple["UploadedFile[bytes]", AttachmentKind]:
    """The file of this name, and of which kind it is."""
    draw, kind = _PHOTOS[name]
    return SimpleUploadedFile(f"{name.replace(' ', '-')}.jpg", draw(world), content_type="image/jpeg"), kind


def _bought(
    shop: str, what: str, price: str, days: float, number: str, *more: tuple[str, str], total: str = ""
) -> Callable[[World], bytes]:
    def draw(world: World) -> bytes:
        at = f"{world.ago(days):%d.%m.%Y} 17:42"
        return receipt(
            shop, [(what, price), *more], total=total or price, at=at, number=number, seed=sum(number.encode())
        )

    return draw


def _card(batch: str, place: int, spoiled: bool) -> Callable[[World], bytes]:
    return lambda world: _back_of_card(world.cards[batch][place].serial, spoiled=spoiled)


def _back_of_card(serial: int, *, spoiled: bool) -> bytes:
    """The code is covered, or scratched until nobody can read it: no photo of ours holds one."""
    chance = random.Random(serial)  # noqa: S311 - scratches are no secret
    card = Image.new("RGB", (860, 540), (24, 92, 66))
    draw = ImageDraw.Draw(card)
    draw.text((50, 40), "GIFT CARD", fill=(240, 240, 230), font=ImageFont.load_default(46))
    draw.rectangle([50, 190, 810, 290], fill=(188, 190, 192))
    draw.text((64, 150), "Scratch gently, then enter the code", fill=(220, 230, 220), font=ImageFont.load_default(24))
    for _ in range(90 if spoiled else 12):
        left, top = chance.randrange(56, 760), chance.randrange(192, 284)
        shade = chance.choice([(150, 152, 154), (120, 122, 120), (24, 92, 66)])
        draw.line([left, top, left + chance.randrange(14, 60), top + chance.randrange(-24, 24)], fill=shade, width=5)
    draw.text((50, 420), f"Serial number {serial}", fill=(240, 240, 230), font=ImageFont.load_default(34))
    table = Image.new("RGB", (1060, 760), (148, 140, 128))
    angle = chance.uniform(-6, 6)
    mask = Image.new("L", card.size, 255).rotate(angle, expand=True)
    table.paste(card.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC), (90, 90), mask)
    return _jpeg(table)


def _auction(world: World) -> bytes:
    page = Image.new("RGB", (900, 560), (252, 252, 252))
    draw = ImageDraw.Draw(page)
    draw.rectangle([0, 0, 900, 64], fill=(40, 60, 120))
    lines = ("Premium 12 Monate, Code per E-Mail", "Sofort-Kauf 49,00 EUR statt 109,90 EUR", "Verkäufer: codes4less_77",
             "Dieser Verkäufer ist nicht mehr aktiv.")  # fmt: skip
    for row, text in enumerate(lines):
        draw.text((40, 110 + 80 * row), text, fill=(30, 30, 34), font=ImageFont.load_default(34))
    return _jpeg(page)


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.7)).save(file, "JPEG", quality=84)
    return file.getvalue()


_RECEIPT, _CARD = AttachmentKind.RECEIPT, AttachmentKind.CARD_PHOTO
_PHOTOS: dict[str, tuple[Callable[[World], bytes], AttachmentKind]] = {
    "receipt of the american card": (
        _bought("MAPLE & MAIN, CHICAGO", "Gift card 30 USD", "30.00", 24, "0071-118", ("Wrapping paper", "4.50"),
                ("Ribbon", "2.25"), ("Postcard", "3.95"), ("Candles", "7.00"), total="47.70"),
        _RECEIPT,
    ),
    "photo of the american card": (_card("us credit", 4, False), _CARD),
    "receipt of the stolen card": (_bought("MAPLE & MAIN", "Gift card 30 USD", "30.00", 13, "0071-342"), _RECEIPT),
    "photo of the stolen card": (_card("us credit", 6, False), _CARD),
    "receipt of the damaged card": (
        _bought("KAUFHAUS LINDNER", "Geschenkkarte", "30,00", 7, "4-20931", ("Socken", "7,95"), total="37,95"),
        _RECEIPT,
    ),
    "photo of the damaged card": (_card("de credit", 2, True), _CARD),
    "receipt of the frozen card": (
        _bought("FENNEL LANE NEWS", "Premium 1 month", "11.99", 12, "88-1204", ("Newspaper", "2.20"), total="14.19"),
        _RECEIPT,
    ),
    "receipt of petrol": (
        _bought("TOWPATH FUEL", "Card 25 GBP", "25.00", 1, "9910-7", ("Petrol", "48.10"), ("Coffee", "5.60"),
                total="78.70"),
        _RECEIPT,
    ),
    "screenshot of an auction": (_auction, AttachmentKind.SCREENSHOT),
}  # fmt: skip
