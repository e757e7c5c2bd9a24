"""Several photos as one picture, numbered, for terminals that show pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode

GAP = 6
_GROUND, _EMPTY, _INK = (0, 0, 0), (60, 60, 60), (255, 255, 255)


def sheet(rows: Sequence[Sequence[Path]], *, side: int = 240, first: int = 1) -> Image.Image:
    """Photos in rows of squares, numbered; one that cannot be read is an empty square.

    Args:
        rows: At least one, of at least one photo.
        side: Of a square, in pixels.
        first: Number of the first photo.
    """
    columns, step = max(map(len, rows)), side + GAP
    whole = Image.new("RGB", (columns * step - GAP, len(rows) * step - GAP), _GROUND)
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(max(12, side // 8))
    number = first - 1
    for y, row in enumerate(rows):
        for x, path in enumerate(row):
            number += 1
            tile = _tile(path, side)
            whole.paste(tile, (x * step + (side - tile.width) // 2, y * step + (side - tile.height) // 2))
            pen.text(
                (x * step + 5, y * step + 3), str(number), fill=_INK, font=font, stroke_width=2, stroke_fill=_GROUND
            )
    return whole


def _tile(path: Path, side: int) -> Image.Image:
    try:
        image = decode(path, draft=side)
    except ImageError:
        return Image.new("RGB", (side, side), _EMPTY)
    image.thumbnail((side, side))
    return image
