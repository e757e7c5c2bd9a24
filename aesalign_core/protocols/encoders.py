"""Models that embed images and texts in one space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aesalign_core.types import Pixels, Spaces, Vectors

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


@runtime_checkable
class Encoder(Protocol):
    """Two towers that embed images and texts in one space.

    It may be asked in another thread than the one that built it, as `aesalign serve` does, but for one thing at a
    time; only `preprocess` is called from several threads at once.

    Attributes:
        name: What the user calls it (`embedded`, `open_clip:ViT-B-32/openai`, a RUN folder).
        dim: d, the width of an embedding.
        temperature: τ, by which cosines are divided in the model's own contrastive loss.
        spaces: The fingerprints of its spaces.
        device: Where it computes, as torch names it.
    """

    name: str
    dim: int
    temperature: float
    spaces: Spaces
    device: str

    def preprocess(self, image: Image) -> Pixels:
        """Turns an upright RGB image into what the image tower reads. Thread-safe: loaders call it in workers."""
        ...

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """Embeds n preprocessed images: (n, d) float32, rows of unit length; (0, d) for none."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeds n texts: (n, d) float32, rows of unit length; over-long texts are truncated by the tokenizer."""
        ...


@runtime_checkable
class Exportable(Protocol):
    """An encoder that can be written, with the heads that it has, for other libraries to load.

    Every encoder of a RUN can be asked for; what `aesalign export` writes of it must give its very embeddings there.

    Attributes:
        export_formats: What `--to` can name, such as `onnx`.
    """

    export_formats: Sequence[str]

    def export(self, to: str, folder: Path) -> None:
        """Writes files into an empty folder.

        Args:
            to: One of `export_formats`.
            folder: Is removed again if this fails.

        Raises:
            ExportError: This encoder, of this architecture and with these heads, cannot be written so.
        """
        ...


@runtime_checkable
class TrainableEncoder(Encoder, Protocol):
    """An encoder whose towers split into frozen features and a trainable head.

    For each tower, `embedding = normalise(head(features))`. Features are computed once and can be kept; the
    heads are what alignment trains and what a RUN stores.
    """

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """Frozen features of n preprocessed images: (n, f_image) float32."""
        ...

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """Frozen features of n texts: (n, f_text) float32."""
        ...

    def image_head(self) -> torch.nn.Module:
        """A fresh copy of the image head: (n, f_image) → (n, d), not normalised, in eval mode, on `device`."""
        ...

    def text_head(self) -> torch.nn.Module:
        """A fresh copy of the text head: (n, f_text) → (n, d), not normalised, in eval mode, on `device`."""
        ...

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> TrainableEncoder:
        """The same encoder with other head weights (state dicts); fingerprints of replaced heads change."""
        ...
