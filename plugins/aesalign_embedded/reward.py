"""The embedded reward: how LAION's predictor would score a photo, less what is technically wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Scores, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image


class EmbeddedRewardSettings(Settings):
    """What is scored.

    Attributes:
        name: The gallery's column.
        batch_size: Photos per forward pass. It changes the speed, not the scores.
    """

    name: str = Field("embedded", pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    batch_size: int = Field(32, ge=1, le=4096)


class EmbeddedReward:
    """Roughly on the scale of LAION's predictor V1 (photographs: mean 5.5, standard deviation 0.7), lower for flaws.

    It reads the frozen features under the embedded encoder's image head, and the embedding that the head that ships
    makes of them, so that a gallery of that encoder, aligned or not, is scored without a second forward pass.

    Attributes:
        name: The gallery's column.
        fingerprint: Of tower and heads.
        space: Of the image features.
    """

    Settings = EmbeddedRewardSettings

    def __init__(self, settings: EmbeddedRewardSettings, context: BuildContext) -> None:
        from aesalign_embedded import towers, weights
        from aesalign_embedded.heads import digest, projection_from
        from aesalign_embedded.reward_head import reward_from

        self.name = settings.name
        self._tower = towers.image_tower(context.device, settings.batch_size)
        try:
            image = weights.own(weights.PROJECTIONS).part("image")
            self._projection = projection_from(image).to(self._tower.device)
            self._head = reward_from(weights.own(weights.REWARD).tensors).to(self._tower.device)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"the embedded weights hold no reward head: {error}", hint="reinstall aesalign"
            ) from None
        self.space: str | None = self._tower.fingerprint
        self.fingerprint = fingerprint(self._tower.fingerprint, digest(self._projection), digest(self._head))

    def preprocess(self, image: Image) -> Pixels:
        """The whole photo squeezed to a square: (260, 260, 3) uint8."""
        from aesalign_embedded.towers import squeeze

        return squeeze(image)

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """Scores n preprocessed photos: (n,) float32."""
        return self.score_vectors(self._tower.features(pixels))

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Scores (n, 2816) image features: (n,) float32.

        Raises:
            ModelError: Vectors of another width.
        """
        import torch

        from aesalign_embedded.heads import embed

        width = self._projection.mean.shape[0]
        if vectors.ndim != 2 or vectors.shape[1] != width:
            raise ModelError(f"reward {self.name} reads (n, {width}) features, not {vectors.shape}")
        given = torch.from_numpy(np.ascontiguousarray(vectors, np.float32)).to(self._tower.device)
        with torch.inference_mode():
            scores: Scores = self._head(given, embed(self._projection, given)).cpu().numpy()
        return scores
