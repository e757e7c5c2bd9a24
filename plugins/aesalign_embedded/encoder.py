"""The embedded encoder: two frozen towers under two trained heads. No network, no key, no GPU needed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Spaces, Tower, Vectors

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from aesalign_embedded.heads import ProjectionHead


class EmbeddedSettings(Settings):
    """How it is run.

    Attributes:
        batch_size: Photos or texts per forward pass. It changes the speed, not the result.
    """

    batch_size: int = Field(32, ge=1, le=4096)


class EmbeddedEncoder:
    """EfficientNet-Lite2 and all-MiniLM-L6-v2, joined by two heads that were trained on captioned photographs.

    Attributes:
        name: `embedded`.
        dim: d.
        temperature: 1 / the logit scale that the heads were trained with.
        spaces: Fingerprints over architecture, preprocessing, weights and heads.
        device: Where it computes.
        export_formats: What `export` can write.
    """

    Settings = EmbeddedSettings
    export_formats = ("onnx",)

    def __init__(self, settings: EmbeddedSettings, context: BuildContext) -> None:
        from aesalign_embedded import towers, weights

        heads = weights.own(weights.PROJECTIONS)
        self.name = "embedded"
        self.device = context.device
        self.temperature = 1.0 / heads.number("logit_scale")
        self._image = towers.image_tower(self.device, settings.batch_size)
        self._text = towers.text_tower(self.device, settings.batch_size)
        self._heads: dict[Tower, ProjectionHead] = {
            "image": self._built("image", heads.part("image")),
            "text": self._built("text", heads.part("text")),
        }
        self.dim = self._heads["image"].linear.out_features
        self.spaces = self._spaces()

    def preprocess(self, image: Image) -> Pixels:
        """The whole photo squeezed to a square: (260, 260, 3) uint8."""
        from aesalign_embedded.towers import squeeze

        return squeeze(image)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, d) float32, rows of unit length."""
        return self._embed("image", self.pixel_features(pixels))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32, rows of unit length; texts are cut after 128 tokens."""
        return self._embed("text", self.text_features(texts))

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, 2816) float32: the pooled last layer, and mean and spread of six earlier stages."""
        return self._image.features(pixels)

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32: the mean of the last layer over the tokens."""
        return self._text.features(texts)

    def image_head(self) -> ProjectionHead:
        """A copy of the image head: (n, 2816) → (n, d)."""
        return copy.deepcopy(self._heads["image"])

    def text_head(self) -> ProjectionHead:
        """A copy of the text head: (n, 384) → (n, d)."""
        return copy.deepcopy(self._heads["text"])

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> EmbeddedEncoder:
        """An encoder that shares these towers and has other heads.

        Raises:
            ModelError: A state dict of other names or shapes, or with numbers that are not finite.
        """
        other = copy.copy(self)
        other.name, other._heads = name, dict(self._heads)
        given: tuple[tuple[Tower, Mapping[str, torch.Tensor] | None], ...] = (("image", image), ("text", text))
        for tower, state in given:
            if state is not None:
                self._check(tower, state)
                other._heads[tower] = self._built(tower, state)
        other.spaces = other._spaces()
        return other

    def export(self, to: str, folder: Path) -> None:
        """Writes both towers with these heads.

        Raises:
            ExportError: The extra `export` is not installed.
        """
        from aesalign_embedded import graphs

        graphs.write(folder, self._heads["image"], self._heads["text"], self.name)

    def _check(self, tower: Tower, state: Mapping[str, torch.Tensor]) -> None:
        ours = {key: tuple(value.shape) for key, value in self._heads[tower].state_dict().items()}
        theirs = {key: tuple(value.shape) for key, value in state.items()}
        if ours != theirs:
            odd = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
            raise ModelError(f"this is no {tower} head of {self.name}: {', '.join(odd)} do not fit")
        if not all(bool(value.isfinite().all()) for value in state.values()):
            raise ModelError(f"the {tower} head for {self.name} holds numbers that are not finite")

    def _built(self, tower: Tower, state: Mapping[str, torch.Tensor]) -> ProjectionHead:
        from aesalign_embedded.heads import projection_from

        try:
            return projection_from({key: value.detach() for key, value in state.items()}).to(self.device)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"the embedded weights hold no {tower} head: {error}", hint="reinstall aesalign"
            ) from None

    def _spaces(self) -> Spaces:
        from aesalign_embedded.heads import digest

        image = fingerprint(self._image.fingerprint, digest(self._heads["image"]))
        text = fingerprint(self._text.fingerprint, digest(self._heads["text"]))
        return Spaces(image, text, image_features=self._image.fingerprint, text_features=self._text.fingerprint)

    def _embed(self, tower: Tower, features: Vectors) -> Vectors:
        import torch

        from aesalign_embedded.heads import embed

        unit: Vectors = embed(self._heads[tower], torch.from_numpy(features).to(self.device)).cpu().numpy()
        return np.ascontiguousarray(unit, dtype=np.float32)
