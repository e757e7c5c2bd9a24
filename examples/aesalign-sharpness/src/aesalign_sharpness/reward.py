"""Sharpness as a reward: the variance of the Laplacian (Pech-Pacheco et al., 2000)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from aesalign_core import BuildContext, Settings
from aesalign_core.errors import SpaceMismatchError
from aesalign_core.fingerprints import fingerprint

if TYPE_CHECKING:
    from PIL.Image import Image

    from aesalign_core.types import Pixels, Scores, Vectors


class SharpnessSettings(Settings):
    """Settings of the reward.

    Attributes:
        side: Photos are compared at this many pixels of their longer side, so that size alone wins nothing.
    """

    side: int = Field(256, ge=16, le=4096)


class SharpnessReward:
    """log(1 + variance of the Laplacian) of the grey image."""

    Settings = SharpnessSettings
    name = "sharpness"
    space = None  # it reads images, not embeddings

    def __init__(self, settings: SharpnessSettings, context: BuildContext) -> None:
        self.side = settings.side
        self.fingerprint = fingerprint("sharpness-1", settings.side)

    def preprocess(self, image: Image) -> Pixels:
        """The grey image, scaled: (h, w) float32 in [0, 1]."""
        small = image.convert("L")
        small.thumbnail((self.side, self.side))
        return np.asarray(small, dtype=np.float32) / 255

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """(n,) float32, about 0 (no edge at all) to 0.2."""
        from skimage.filters import laplace

        return np.array([np.log1p(laplace(p).var()) for p in pixels], dtype=np.float32)

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Not possible: sharpness cannot be read from an embedding."""
        raise SpaceMismatchError("sharpness reads images, not embeddings")
