"""What texts mean, before alignment and after it, from one pass of the text tower."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from aesalign_core.encoder_names import run_of
from aesalign_core.types import Vectors

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder, TrainableEncoder


class Towers(Protocol):
    """Text towers as the service uses them.

    Attributes:
        dim: d, the width of an embedding.
        is_aligned: Whether strengths other than 0 mean anything.
        strength: What is meant where a request names none.
        name: Of the encoder, for people; of a RUN, its folder's name only.
    """

    dim: int
    is_aligned: bool
    strength: float
    name: str

    def means(self, texts: Sequence[str]) -> Vectors:
        """(n, 2·d) float32 with alignment, else (n, d): what `at` makes embeddings of."""
        ...


class OneTower:
    """An encoder as it is; implements `Towers`."""

    is_aligned = False
    strength = 0.0

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.dim = encoder.dim
        self.name = short_name(encoder.name)

    def means(self, texts: Sequence[str]) -> Vectors:
        """(n, d): its embeddings."""
        return self._encoder.encode_texts(texts)


class AlignedTower:
    """A RUN's text head beside the head that it was aligned from, on the same frozen features; implements `Towers`.

    Args:
        base: The encoder before alignment.
        aligned: The encoder at strength 1. It shares the frozen part, which is most of the work, with `base`.
        strength: What is meant where a request names none.
    """

    is_aligned = True

    def __init__(self, base: TrainableEncoder, aligned: TrainableEncoder, strength: float) -> None:
        self._base, self._heads = base, (base.text_head(), aligned.text_head())
        self.dim, self.strength = base.dim, strength
        self.name = short_name(aligned.name)

    def means(self, texts: Sequence[str]) -> Vectors:
        """(n, 2·d): what both heads give, before it is brought to unit length."""
        import torch

        features = torch.from_numpy(self._base.text_features(texts)).to(self._base.device)
        with torch.inference_mode():
            both = torch.cat([head(features).float() for head in self._heads], dim=1)
        found: Vectors = both.cpu().numpy()
        return found


def at(means: Vectors, strength: float, dim: int) -> Vectors:
    """Embeddings at a strength: (n, d) unit rows, from what `Towers.means` gave.

    The outputs of the two heads are interpolated, not their weights as RUN@STRENGTH does: a slider then needs no pass
    of a model. Both are the same at 0 and at 1, and, for heads that are linear maps, everywhere.
    """
    base, rest = means[:, :dim], means[:, dim:]
    mixed = base if rest.shape[1] == 0 else (1 - strength) * base + strength * rest
    length = np.linalg.norm(mixed, axis=1, keepdims=True)
    return np.ascontiguousarray(mixed / np.maximum(length, 1e-12), dtype=np.float32)


def towers_of(gallery: Gallery, build: Builder, encoder: str | None) -> Towers:
    """The towers that can search a gallery: both of a RUN whose base filled it, else the encoder's own.

    Args:
        gallery: What is searched.
        build: Builds encoders.
        encoder: As the user named it; None: the one that filled the gallery.

    Raises:
        SpaceMismatchError: The gallery belongs to another encoder.
    """
    built = build.encoder(encoder or gallery.encoder_name)
    gallery.check_encoder(built)
    run = run_of(built.name) if encoder else None
    if run is None:
        return OneTower(built)
    folder, strength = run
    base = build.base(folder)
    if base.spaces.image != gallery.space:
        return OneTower(built)  # the image tower was tuned: what was before alignment cannot search this gallery
    whole = build.encoder(str(folder))
    return AlignedTower(base, whole, strength)  # type: ignore[arg-type]


def short_name(name: str) -> str:
    """An encoder's name without the folders of this machine."""
    run = run_of(name)
    if run is None:
        return name if not Path(name).is_absolute() else Path(name).name
    return run[0].name + ("" if run[1] == 1 else f"@{run[1]:g}")
