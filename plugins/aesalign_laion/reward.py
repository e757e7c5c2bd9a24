"""LAION's aesthetic predictors as a reward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from aesalign_core.errors import ModelError, SpaceMismatchError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Scores, Vectors
from aesalign_laion.published import HEADS, HeadName, Published

if TYPE_CHECKING:
    from PIL.Image import Image


class LaionSettings(Settings):
    """Which head, and where it and its encoder come from.

    Attributes:
        name: The gallery's column.
        head: V1 (4,000 rated pictures) on ViT-B/32, B/16 or L/14, or V2 (three larger sets) on L/14.
        weights: A local copy of the published file; None: fetched once into the cache.
        encoder: Where the head's own encoder comes from: None, or a local copy of its OpenAI weights
            (`ViT-B-32-quickgelu/path/to/openai.safetensors`).
    """

    name: str = Field("laion", pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    head: HeadName = "v1-vit-b-32"
    weights: Path | None = None
    encoder: str | None = None


class LaionReward:
    """How much people would like a picture, about 1 to 10, by a head on OpenAI's CLIP embeddings.

    Embeddings are normalised first. A gallery filled by the head's own encoder is scored from its vectors;
    otherwise the photos are embedded once more, with that encoder. No other vectors are ever scored.

    Attributes:
        name: The gallery's column.
        fingerprint: Of the head's file and its encoder's image space.
        space: The image space of the head's own encoder.
    """

    Settings = LaionSettings

    def __init__(self, settings: LaionSettings, context: BuildContext) -> None:
        from aesalign_laion.heads import load_head

        published = HEADS[settings.head]
        self._head = load_head(settings.head, settings.weights)
        self._encoder = context.encoder(own_encoder(settings.head, settings.encoder))
        if self._encoder.dim != published.dim:
            raise ModelError(
                f"{self._encoder.name} gives {self._encoder.dim} numbers; {settings.head} reads {published.dim}"
            )
        self.name = settings.name
        self.space: str | None = self._encoder.spaces.image
        self.fingerprint = fingerprint("laion", published.sha256, self.space)

    def preprocess(self, image: Image) -> Pixels:
        """What the head's own encoder reads."""
        return self._encoder.preprocess(image)

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """Embeds photos with the head's own encoder and scores them: (n,) float32."""
        return self._head.score(self._encoder.encode_pixels(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Scores (n, d) vectors of `space`. Raises SpaceMismatchError for vectors of another width."""
        return self._head.score(vectors)


def own_encoder(head: HeadName, asked: str | None) -> str:
    """The encoder that a head may be applied to.

    Args:
        head: The head.
        asked: What the user named instead of the published one.

    Raises:
        SpaceMismatchError: It is another model, whose embeddings the head was not trained on.
    """
    published: Published = HEADS[head]
    arch = published.arch
    if asked is None:
        return published.encoder
    if asked in (published.encoder, f"{arch}-quickgelu/openai"):
        return asked
    # OpenAI's weights are wrong without QuickGELU, and a local file does not say what it was trained with.
    if asked.startswith(f"{arch}-quickgelu/") and asked.endswith(".safetensors"):
        return asked
    raise SpaceMismatchError(
        f"the head {head} was trained on embeddings of {published.encoder}, not of {asked}",
        hint=f"leave `encoder` out, or name a local copy: {arch}-quickgelu/path/to/openai.safetensors",
    )
