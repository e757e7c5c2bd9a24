"""Encoders that break one promise each, made of the one that `aesalign plugins new` writes."""

from __future__ import annotations

from typing import Any

import numpy as np
from aesalign_plain_colours.encoder import PlainColoursEncoder

from aesalign_core import Component, hookimpl
from aesalign_core.types import Spaces


class NotANumber(PlainColoursEncoder):
    """Of a text without words, as a mean over none is."""

    def encode_texts(self, texts: Any) -> Any:
        found = super().encode_texts(texts).copy()
        found[[not text.strip() for text in texts]] = np.nan
        return found


class Long(PlainColoursEncoder):
    def encode_pixels(self, pixels: Any) -> Any:
        return super().encode_pixels(pixels) * np.float32(2)


class Double(PlainColoursEncoder):
    def encode_texts(self, texts: Any) -> Any:
        return super().encode_texts(texts).astype(np.float64)


class Reversed(PlainColoursEncoder):
    def encode_texts(self, texts: Any) -> Any:
        return super().encode_texts(texts)[::-1].copy()


class Stale(PlainColoursEncoder):
    """Its image space does not say to which side pictures are scaled."""

    def preprocess(self, image: Any) -> Any:
        return np.asarray(image.resize((self._settings.side, self._settings.side))) // np.uint8(self._settings.side)

    def _stamp(self) -> None:
        self.spaces = Spaces("image", "text", "image features", "text features")


BROKEN = {"nan": NotANumber, "long": Long, "double": Double, "reversed": Reversed, "stale": Stale}


@hookimpl
def aesalign_encoders() -> list[Component]:
    return [Component(name, f"broken_encoders:{made.__name__}", summary="Broken.") for name, made in BROKEN.items()]
