"""A map on query embeddings, applied with NumPy alone: alignment for embeddings of a model that one cannot retrain.

`QueryAdapter` needs no torch, so that it can live in the service that asks an embedding API.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aesalign_core.encoder_names import MAX_STRENGTH
from aesalign_core.errors import ModelError, SettingsError
from aesalign_core.files import read_text, replacing, write_text

if TYPE_CHECKING:
    from aesalign_core.types import Vectors

WEIGHTS, ABOUT = "adapter.safetensors", "adapter.json"
FORMAT = "aesalign query adapter 1"
_MAX_ABOUT = 1_000_000


@dataclass(frozen=True, eq=False)
class QueryAdapter:
    """An affine map on the embeddings of queries; photos' embeddings, and so every index, stay as they are.

    Attributes:
        weight: (d, d) float32.
        bias: (d,) float32.
        encoder: Whose embeddings it reads and what they are searched among, as the user of the alignment called it.
        space: Fingerprint of that encoder's text embeddings.
    """

    weight: Vectors
    bias: Vectors
    encoder: str = ""
    space: str = ""

    @property
    def dim(self) -> int:
        """D."""
        return len(self.bias)

    def __call__(self, vectors: Vectors, *, strength: float = 1.0) -> Vectors:
        """Aligned embeddings of queries.

        Args:
            vectors: (n, d), or (d,) for one query; they are brought to unit length.
            strength: 0 leaves them as they are, 1 is the map, up to 4 goes on in its direction.

        Returns:
            As many rows of unit length, float32.

        Raises:
            SettingsError: The strength is no number from 0 to 4.
            ModelError: The vectors have another width than d, or are not finite.
        """
        if not 0 <= strength <= MAX_STRENGTH:
            raise SettingsError(f"the strength {strength} is no number from 0 to {MAX_STRENGTH:g}")
        given = np.asarray(vectors, dtype=np.float32)
        if given.ndim not in (1, 2) or given.shape[-1] != self.dim:
            raise ModelError(
                f"the adapter maps embeddings of {self.dim} numbers, not arrays of shape {given.shape}",
                hint=f"give it what {self.encoder or 'the encoder that it was trained for'} makes of texts",
            )
        if not np.isfinite(given).all():
            raise ModelError("the embeddings hold numbers that are not finite")
        given = _unit(given)
        if strength == 0:
            return given
        return _unit((1 - strength) * given + strength * (given @ self.weight.T + self.bias))

    @classmethod
    def load(cls, folder: str | Path) -> QueryAdapter:
        """Reads what `aesalign export RUN --to adapter` wrote.

        Raises:
            ModelError: The folder holds none, or a damaged one.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            about = json.loads(read_text(folder / ABOUT, limit=_MAX_ABOUT))
            if not isinstance(about, dict) or about.get("format") != FORMAT:
                raise ValueError(f"{ABOUT} is not of the format {FORMAT!r}")
            tensors = load_file(folder / WEIGHTS)
            return cls(*_checked(tensors), str(about.get("encoder", "")), str(about.get("space", "")))
        except (OSError, ValueError, SafetensorError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder} holds no adapter: {reason}", hint="aesalign export RUN --to adapter makes one")

    def save(self, folder: Path, **about: Any) -> None:
        """Writes it, with more about it for people to read."""
        from safetensors.numpy import save

        with replacing(folder / WEIGHTS) as temporary:
            temporary.write_bytes(save({"weight": self.weight, "bias": self.bias}))
        document = {"format": FORMAT, "dim": self.dim, "encoder": self.encoder, "space": self.space, **about}
        write_text(folder / ABOUT, json.dumps(document, indent=2) + "\n")


def _unit(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


def _checked(tensors: dict[str, Any]) -> tuple[Vectors, Vectors]:
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or bias.ndim != 1 or weight.shape != (len(bias), len(bias)):
        raise ValueError(f"{WEIGHTS} holds no square weight and bias")
    weight, bias = weight.astype(np.float32), bias.astype(np.float32)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError(f"{WEIGHTS} holds numbers that are not finite")
    return weight, bias
