"""Rows of photos as what an LMM is shown: bytes in the message, never an address that a provider would fetch."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import DRAFT_SIDE, decode
from aesalign_core.types import Row

Part = Mapping[str, Any]
_GAP, _GREY, _INK = 6, (235, 235, 235), (20, 20, 20)
_QUALITY = 88
_KEPT_BYTES = 64_000_000


class Album:
    """Makes pictures of rows. Any thread may use it.

    Each photo is read once while it is among the latest: both orders of a comparison show the same photos, and the
    rows of two systems share many.

    Args:
        side: Of the square that each photo is fitted into, in pixels.
        compose: One picture of all rows, or photo by photo.
    """

    def __init__(self, *, side: int, compose: bool) -> None:
        self._side, self._compose = side, compose
        kept = max(_KEPT_BYTES // (3 * side * side), 32)
        self._photo = lru_cache(maxsize=kept)(self._read)
        self._encoded = lru_cache(maxsize=kept)(lambda path: _part(self._read(path)))

    def parts(self, rows: Mapping[str, Row]) -> Sequence[Part]:
        """Labelled rows, as one picture or photo by photo, best photo first.

        Raises:
            ImageError: A photo cannot be read; the error names it.
        """
        if self._compose:
            return [_part(self._sheet(rows))]
        return [
            part for name, row in rows.items() for part in (text(f"{name}:"), *[self._encoded(path) for path in row])
        ]

    def _read(self, path: str) -> Image.Image:
        """A photo, safely decoded, that fits the square."""
        try:
            if Path(path).is_dir():
                raise ImageError("is a folder")
            image = decode(Path(path), draft=min(2 * self._side, DRAFT_SIDE))
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from None
        image.thumbnail((self._side, self._side))
        return image

    def _sheet(self, rows: Mapping[str, Row]) -> Image.Image:
        """One picture of labelled rows."""
        side = self._side
        font = ImageFont.load_default(size=max(14, side // 10))
        label = font.getbbox("Row 2")[3] + 2 * _GAP
        longest, height = max(len(row) for row in rows.values()), int(label) + side + _GAP
        sheet = Image.new("RGB", (longest * (side + _GAP) + _GAP, len(rows) * height), _GREY)
        draw = ImageDraw.Draw(sheet)
        for number, (name, row) in enumerate(rows.items()):
            top = number * height
            draw.text((_GAP, top + _GAP), name, fill=_INK, font=font)
            for column, path in enumerate(row):
                image = self._photo(path)
                left = _GAP + column * (side + _GAP) + (side - image.width) // 2
                sheet.paste(image, (left, top + int(label) + (side - image.height) // 2))
        return sheet


def blank(rows: Mapping[str, Row], *, compose: bool) -> Sequence[Part]:
    """As many parts as `Album.parts` makes, without photos: for counting."""
    pictures = 1 if compose else sum(map(len, rows.values()))
    return [*[text(f"{name}:") for name in rows if not compose], *[_url("")] * pictures]


def _part(image: Image.Image) -> Part:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    data = base64.b64encode(stream.getvalue()).decode()
    return _url(data)


def _url(data: str) -> Part:
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}


def text(words: str) -> Part:
    """A part of words."""
    return {"type": "text", "text": words}
