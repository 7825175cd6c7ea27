"""Receipts that nobody printed: text on paper, drawn with what Pillow brings, lying as a telephone sees them."""

import random
from io import BytesIO

from PIL import Image, ImageDraw, ImageFilter, ImageFont

_WIDTH, _LINE, _MARGIN = 620, 34, 44


def receipt(shop: str, lines: list[tuple[str, str]], *, total: str, at: str, number: str, seed: int = 0) -> bytes:
    """A JPEG: the shop, what was bought with its prices, and the total. The same arguments make the same bytes."""
    chance = random.Random(seed)  # noqa: S311 - a crease in paper is no secret
    rows = [("Till 3", at), ("Receipt", number), ("", ""), *lines, ("", ""), ("TOTAL", total), ("CARD", total)]
    paper = Image.new("RGB", (_WIDTH, _MARGIN * 4 + _LINE * (len(rows) + 4)), (250, 249, 244))
    draw = ImageDraw.Draw(paper)
    font, large = ImageFont.load_default(24), ImageFont.load_default(40)
    draw.text((_WIDTH / 2, _MARGIN * 1.5), shop, fill=(30, 30, 34), font=large, anchor="mm")
    top = _MARGIN * 3
    for what, price in rows:
        draw.text((_MARGIN, top), what, fill=(45, 45, 50), font=font)
        draw.text((_WIDTH - _MARGIN, top), price, fill=(45, 45, 50), font=font, anchor="ra")
        top += _LINE
    for left in range(_MARGIN, _WIDTH - _MARGIN, 6):
        draw.rectangle([left, top + 20, left + chance.choice([1, 2, 4]), top + 84], fill=(30, 30, 34))
    table = Image.new("RGB", (_WIDTH + 220, paper.height + 200), (118 + chance.randrange(40), 92, 70))
    angle = chance.uniform(-3, 3)
    turned = paper.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    # Where the paper is, and not the black around it.
    table.paste(turned, (100, 90), Image.new("L", paper.size, 255).rotate(angle, expand=True))
    file = BytesIO()
    table.filter(ImageFilter.GaussianBlur(0.6)).save(file, "JPEG", quality=86)
    return file.getvalue()
