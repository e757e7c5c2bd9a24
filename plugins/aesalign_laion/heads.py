"""LAION's aesthetic heads as affine maps of normalised CLIP embeddings.

This is the project's only loader of pickles. It reads a file once, compares its sha256 with the published one, and
only then hands the very same bytes to `torch.load(weights_only=True)`, which builds tensors and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from aesalign_core.errors import ModelError, SpaceMismatchError
from aesalign_core.messages import describe
from aesalign_core.types import Scores, Vectors
from aesalign_laion.fetch import MAX_BYTES, fetch
from aesalign_laion.published import HEADS, HeadName, Published


@dataclass(frozen=True, slots=True)
class AffineHead:
    """score = w · e/‖e‖ + b.

    Attributes:
        weight: w, (d,) float64.
        bias: b.
    """

    weight: NDArray[np.float64]
    bias: float

    def score(self, embeddings: Vectors) -> Scores:
        """Scores embeddings of the head's own encoder, of any length: (n, d) → (n,) float32, about 1 to 10.

        Raises:
            SpaceMismatchError: They are of another width, so of another encoder.
        """
        vectors = np.asarray(embeddings, dtype=np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != len(self.weight):
            raise SpaceMismatchError(
                f"the head reads vectors of {len(self.weight)} numbers, not an array of shape {vectors.shape}",
                hint="score embeddings of the head's own encoder",
            )
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(np.float64).tiny)
        scores: NDArray[np.float64] = (vectors @ self.weight) / lengths + self.bias
        return scores.astype(np.float32)


def load_head(name: HeadName, path: Path | None = None) -> AffineHead:
    """Loads a published head.

    Args:
        name: Which one.
        path: A local copy; None: the cache, filled from the published place on first use.

    Raises:
        ModelError: The file is missing, is not the published one, or cannot be fetched.
    """
    head = HEADS[name]
    data = _cached(head) if path is None else _read(path, head)
    return fold(read_state(data))


def read_state(data: bytes) -> dict[str, NDArray[np.float64]]:
    """Tensors of a PyTorch file, by name, as float64. Builds nothing but tensors.

    Raises:
        ModelError: The file holds anything else.
    """
    import torch

    try:
        state: Any = torch.load(BytesIO(data), weights_only=True, map_location="cpu")
        return {str(key): value.double().numpy() for key, value in state.items()}
    except Exception as error:
        raise ModelError(f"the head's file holds more than tensors: {describe(error)[:200]}") from error


def fold(state: Mapping[str, NDArray[np.float64]]) -> AffineHead:
    """A chain of linear layers as one affine map.

    V1 is one layer. V2 is five with dropout between them and no activation, so its inference is affine too:
    W₅(…W₂(W₁e + b₁) + b₂…) + b₅ = w·e + b. Computed in float64, from the last layer to the first.

    Args:
        state: `weight` and `bias` of one layer, or of several as `layers.<i>.weight`, `layers.<i>.bias`.

    Raises:
        ModelError: The layers do not fit each other or do not end in one number.
    """
    prefixes = {key.rpartition(".")[0] for key in state}
    ordered = sorted(prefixes, key=lambda p: int(p.rpartition(".")[2] or 0), reverse=True)
    names = [f"{p}." if p else "" for p in ordered]
    try:
        weight, bias = np.ones(1), 0.0
        for name in names:
            bias += float(weight @ state[f"{name}bias"])
            weight = weight @ state[f"{name}weight"]
    except (KeyError, ValueError) as error:
        raise ModelError(f"the head's layers do not form a chain: {describe(error)}") from error
    return AffineHead(weight, bias)


def _read(path: Path, head: Published) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read the head {path}: {error.strerror}", hint="check the path") from None
    if hashlib.sha256(data).hexdigest() != head.sha256:
        raise ModelError(
            f"{path} is not the published {head.file}: its sha256 is another", hint=f"fetch it from {head.url}"
        )
    return data


def _cached(head: Published) -> bytes:
    target = user_cache_path("aesalign") / "laion" / head.file
    try:
        return _read(target, head)
    except ModelError:
        # Missing, or damaged on the disk: the checked download replaces it.
        return fetch(head.url, target, sha256=head.sha256)
