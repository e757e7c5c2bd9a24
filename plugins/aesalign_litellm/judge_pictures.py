"""Rows of photos as what an LMM is shown: bytes in the message, never an address that a provider would fetch."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode
from aesalign_core.types import Row

Part = Mapping[str, Any]
_GAP, _GREY, _INK = 6, (235, 235, 235), (20, 20, 20)
_QUALITY = 88


def photo(path: str, side: int) -> Image.Image:
    """A photo, safely decoded, that fits a square of so many pixels.

    Raises:
        ImageError: It cannot be read.
    """
    if Path(path).is_dir():
        raise ImageError("is a folder")
    image = decode(Path(path))
    image.thumbnail((side, side))
    return image


def separate(row: Row, *, side: int) -> list[Part]:
    """One part per photo of a row.

    Raises:
        ImageError: A photo cannot be read; the error names it.
    """
    return [_part(_read(path, side)) for path in row]


def composed(rows: Mapping[str, Row], *, side: int) -> Part:
    """One picture of labelled rows, best photo left.

    Args:
        rows: By label.
        side: Of the square that each photo is fitted into, in pixels.

    Raises:
        ImageError: A photo cannot be read; the error names it.
    """
    font = ImageFont.load_default(size=max(14, side // 10))
    label = font.getbbox("Row 2")[3] + 2 * _GAP
    longest, height = max(len(row) for row in rows.values()), int(label) + side + _GAP
    sheet = Image.new("RGB", (longest * (side + _GAP) + _GAP, len(rows) * height), _GREY)
    draw = ImageDraw.Draw(sheet)
    for number, (name, row) in enumerate(rows.items()):
        top = number * height
        draw.text((_GAP, top + _GAP), name, fill=_INK, font=font)
        for column, path in enumerate(row):
            image = _read(path, side)
            left = _GAP + column * (side + _GAP) + (side - image.width) // 2
            sheet.paste(image, (left, top + int(label) + (side - image.height) // 2))
    return _part(sheet)


def _read(path: str, side: int) -> Image.Image:
    try:
        return photo(path, side)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def _part(image: Image.Image) -> Part:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    data = base64.b64encode(stream.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def text(words: str) -> Part:
    """A part of words."""
    return {"type": "text", "text": words}


def rows_as_parts(rows: Mapping[str, Row], *, side: int, compose: bool) -> Sequence[Part]:
    """Labelled rows, as one picture or photo by photo.

    Raises:
        ImageError: A photo cannot be read; the error names it.
    """
    if compose:
        return [composed(rows, side=side)]
    return [part for name, row in rows.items() for part in (text(f"{name}:"), *separate(row, side=side))]
