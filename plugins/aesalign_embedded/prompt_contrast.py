"""A reward for any value that words can express: nearer to the good prompts than to the bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from aesalign_core.errors import SpaceMismatchError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Scores, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]

GOOD: tuple[Prompt, ...] = (
    "a beautiful photo",
    "a sharp photo with good light",
    "a well composed professional photograph",
)
BAD: tuple[Prompt, ...] = (
    "an ugly photo",
    "a blurry photo with bad light",
    "a careless snapshot",
)


class PromptContrastSettings(Settings):
    """Which words.

    Attributes:
        name: The gallery's column; give each value its own.
        good: Texts that photos should be near to.
        bad: Texts that they should be far from. Best results come from pairs that differ in the value alone.
        encoder: Whose two towers compare them; None: the recipe's own, so that a gallery needs no second pass.
    """

    name: str = Field("prompt_contrast", pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    good: tuple[Prompt, ...] = Field(GOOD, min_length=1, max_length=1000)
    bad: tuple[Prompt, ...] = Field(BAD, min_length=1, max_length=1000)
    encoder: str | None = None


class PromptContrastReward:
    """Mean cosine to the good prompts minus mean cosine to the bad ones, in [-2, 2].

    With unit embeddings both means are inner products, so the score is e · (ḡ - b̄). The idea is that of CLIP-IQA
    (arXiv 2207.12396), which compares two antonyms by a softmax; without it the score is not squashed, and it ranks
    a single pair in the same order.

    Attributes:
        name: The gallery's column.
        fingerprint: Of the prompts and of both towers.
        space: The encoder's image space.
    """

    Settings = PromptContrastSettings

    def __init__(self, settings: PromptContrastSettings, context: BuildContext) -> None:
        self._settings = settings
        self._encoder = context.encoder(settings.encoder)
        spaces = self._encoder.spaces
        self.name = settings.name
        self.space: str | None = spaces.image
        self.fingerprint = fingerprint(
            "prompt_contrast", list(settings.good), list(settings.bad), spaces.image, spaces.text
        )

    def preprocess(self, image: Image) -> Pixels:
        """What the encoder's image tower reads."""
        return self._encoder.preprocess(image)

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """Embeds photos and scores them: (n,) float32."""
        return self.score_vectors(self._encoder.encode_pixels(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Scores (n, d) image embeddings. Raises SpaceMismatchError for vectors of another width."""
        if vectors.ndim != 2 or vectors.shape[1] != self._encoder.dim:
            raise SpaceMismatchError(
                f"{self.name} reads embeddings of {self._encoder.name}, {self._encoder.dim} numbers each,"
                f" not an array of shape {vectors.shape}"
            )
        scores: NDArray[np.float64] = vectors.astype(np.float64) @ self._direction
        return scores.astype(np.float32)

    @cached_property
    def _direction(self) -> NDArray[np.float64]:
        """ḡ - b̄: (d,). The prompts are embedded once, when the first photo is scored."""
        good, bad = self._settings.good, self._settings.bad
        texts = self._encoder.encode_texts([*good, *bad]).astype(np.float64)
        direction: NDArray[np.float64] = texts[: len(good)].mean(axis=0) - texts[len(good) :].mean(axis=0)
        return direction
