"""Any encoder with a small map on its text embeddings: what `--tune adapter` trains, of embeddings alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.types import Pixels, Spaces, Vectors

if TYPE_CHECKING:
    from PIL.Image import Image

    from aesalign_core.protocols import Encoder


class AdaptedEncoder:
    """An encoder whose text head is an affine map, the identity at first, on the base's text embeddings.

    Nothing of the base needs to be trainable, nor even at hand: texts are embedded by it, and the map follows. Images
    are embedded as they were.

    Args:
        base: Any encoder.
    """

    def __init__(self, base: Encoder) -> None:
        self.base = base
        self.name, self.dim, self.temperature, self.device = base.name, base.dim, base.temperature, base.device
        self.precision = str(getattr(base, "precision", ""))
        self._head = nn.Linear(self.dim, self.dim, device=self.device)
        nn.init.eye_(self._head.weight)
        nn.init.zeros_(self._head.bias)
        self._head.eval()
        self._changed = False
        self.spaces = self._spaces()

    def preprocess(self, image: Image) -> Pixels:
        """The base's."""
        return self.base.preprocess(image)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """The base's: (n, d) float32, rows of unit length."""
        return self.base.encode_pixels(pixels)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32, rows of unit length: to the bit the base's where the map is the identity."""
        embedded = self.base.encode_texts(texts)
        if not self._changed:
            return embedded
        with torch.inference_mode():
            mapped = self._head(torch.from_numpy(embedded).to(self.device))
            found: Vectors = nn.functional.normalize(mapped, dim=1).cpu().numpy()
        return found

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """The base's embeddings: (n, d) float32."""
        return self.base.encode_pixels(pixels)

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """The base's embeddings: (n, d) float32, rows of unit length."""
        return self.base.encode_texts(texts)

    def image_head(self) -> nn.Module:
        """The identity: there is nothing to train."""
        return nn.Identity()

    def text_head(self) -> nn.Module:
        """A copy of the map: (n, d) → (n, d), not normalised."""
        return copy.deepcopy(self._head)

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> AdaptedEncoder:
        """The same encoder with another map.

        Raises:
            ModelError: An image head, a map of another shape, or numbers that are not finite.
        """
        other = copy.copy(self)
        other.name = name
        if image:
            raise ModelError(f"{self.name} with an adapter has no image head to replace")
        if text is not None:
            shapes = {key: tuple(value.shape) for key, value in text.items()}
            if shapes != {"weight": (self.dim, self.dim), "bias": (self.dim,)}:
                raise ModelError(f"this is no adapter on {self.dim} numbers: {shapes}")
            if not all(bool(value.isfinite().all()) for value in text.values()):
                raise ModelError(f"the adapter for {self.name} holds numbers that are not finite")
            other._head = copy.deepcopy(self._head)
            other._head.load_state_dict(dict(text))
            other._changed = not _is_identity(other._head)
        other.spaces = other._spaces()
        return other

    def _spaces(self) -> Spaces:
        """The image space is the base's, so that its galleries are searched; so is the text space at first."""
        text = self.base.spaces.text
        if self._changed:
            weights = (value.detach().cpu().float().numpy().tobytes() for value in self._head.state_dict().values())
            text = fingerprint("adapter", text, *weights)
        return Spaces(self.base.spaces.image, text, None, fingerprint("embeddings", self.base.spaces.text))


def _is_identity(head: nn.Linear) -> bool:
    return torch.equal(head.weight, torch.eye(len(head.weight), device=head.weight.device)) and not head.bias.any()
