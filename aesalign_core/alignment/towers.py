"""One tower over a run's texts or photos, what its head makes of them, and similarities between two."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from aesalign_core.alignment.matrix_files import Matrix


@dataclass
class Tower:
    """One tower over a run's texts or photos.

    Attributes:
        reference: (n, d) unit rows: the frozen model's embeddings.
        features: (n, f) what the head reads; None if the tower is not trained.
        head: The head being trained; None if the tower is not trained.
    """

    reference: Tensor
    features: Matrix | None = None
    head: nn.Module | None = None


def embed(head: nn.Module, features: Tensor, *, half: bool = False) -> Tensor:
    """(n, f) features → (n, d) unit rows, float32.

    Args:
        head: What is trained of the tower.
        features: What it reads.
        half: Whether the head computes in bfloat16, its weights staying float32. Nothing scales the loss then, as
            bfloat16 has float32's range.
    """
    with torch.autocast(features.device.type, dtype=torch.bfloat16, enabled=half):
        found = head(features)
    return normalize(found.float(), dim=1)


def similarities(text: Tensor, image: Tensor, temperature: float) -> Tensor:
    """Similarities of b texts with n photos each, ÷ τ.

    Args:
        text: (b, d).
        image: (b·n, d), the photos of the first text first.
        temperature: τ.

    Returns:
        (b, n).
    """
    by_text = image.view(len(text), -1, text.shape[1])
    return torch.bmm(by_text, text.unsqueeze(2)).squeeze(2) / temperature
