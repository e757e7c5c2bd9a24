"""Everything the models say of a batch of photos, with no forward pass run twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.promises import embedded_photos, scores_of
from aesalign_core.protocols import Encoder, Reward, TrainableEncoder
from aesalign_core.types import Pixels, Scores, Vectors

if TYPE_CHECKING:
    from aesalign_core.images.loading import Prepare


class OnePass:
    """Embeds and scores batches.

    A reward that reads a space which the encoder computes anyway (its embeddings, or the frozen features under its
    head) is scored from those vectors; any other prepares and reads the pictures itself.

    Args:
        encoder: Who embeds.
        rewards: Who scores.
        embed: Whether embeddings are wanted; if not, the encoder runs only for rewards that read its vectors.
    """

    def __init__(self, encoder: Encoder, rewards: Sequence[Reward], *, embed: bool = True) -> None:
        self._encoder = encoder
        self._spaces = {encoder.spaces.image}
        self._head = None
        if isinstance(encoder, TrainableEncoder) and encoder.spaces.image_features:
            self._head = encoder.image_head()
            self._spaces.add(encoder.spaces.image_features)
        self._shared = [r for r in rewards if r.space in self._spaces]
        self._own = [r for r in rewards if r.space not in self._spaces]
        self._encodes = embed or bool(self._shared)
        self.prepare: list[Prepare] = [encoder.preprocess] if self._encodes else []
        self.prepare += [r.preprocess for r in self._own]

    def __call__(self, outputs: Sequence[tuple[Pixels, ...]]) -> tuple[Vectors, dict[str, Scores]]:
        """Embeds and scores n photos.

        Args:
            outputs: For each photo what each of `prepare` made of it.

        Returns:
            (n, d) embeddings (n rows of width 0 if none were wanted), and (n,) scores by the reward's name.

        Raises:
            ModelError: A reward gave something else than one score per photo, or the encoder than one row.
        """
        columns = [list(column) for column in zip(*outputs, strict=True)]
        vectors: Vectors = np.empty((len(outputs), 0), dtype=np.float32)
        scores: dict[str, Scores] = {}
        if self._encodes:
            spaces = self._encode(columns.pop(0))
            vectors = spaces[self._encoder.spaces.image]
            scores = {
                r.name: scores_of(r, r.score_vectors(spaces[r.space or ""]), len(outputs)) for r in self._shared
            }
        for reward, pixels in zip(self._own, columns, strict=True):
            scores[reward.name] = scores_of(reward, reward.score_pixels(pixels), len(outputs))
        return vectors, scores

    def _encode(self, pixels: list[Pixels]) -> dict[str, Vectors]:
        """Vectors of every space that the encoder computes, by fingerprint."""
        encoder = self._encoder
        if self._head is None or not isinstance(encoder, TrainableEncoder):
            return {encoder.spaces.image: embedded_photos(encoder, pixels)}
        import torch

        features = encoder.pixel_features(pixels)
        with torch.inference_mode():
            embedded = self._head(torch.from_numpy(features).to(encoder.device)).float()
            vectors = torch.nn.functional.normalize(embedded, dim=1).cpu().numpy()
        return {encoder.spaces.image: vectors, encoder.spaces.image_features or "": features}
