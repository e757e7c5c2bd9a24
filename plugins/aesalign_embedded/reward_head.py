"""The trained part of the embedded reward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from aesalign_embedded.towers import TOP

if TYPE_CHECKING:
    from collections.abc import Mapping


class RewardHead(nn.Module):
    """Kernel ridge regression of an aesthetic score, less a penalty for flaws: (n, f), (n, d) → (n,).

    The score is `offset + Σᵢ dualᵢ · exp(−gamma · ‖z − centreᵢ‖²)`. z joins what a photo shows (its embedding) and
    what it looks like (mean and spread of the tower's earlier stages), each standardised and brought to equal weight.
    Far from every rated photo the score is their mean: no odd picture may run away with it.

    The penalty is `weight · σ(flaw − threshold)`, by a detector with one hidden layer: next to nothing for a photo
    without flaws, so that it leaves the order of good photos alone, and at most `weight` for an evident flaw. It
    reads the earlier stages only: what a photo shows is no flaw.

    Args:
        features: f, more than `TOP`.
        dim: d, of the embedding.
        centres: How many rated photos it rests on.
        hidden: Width of the detector's hidden layer.
        dropout: Share of hidden units dropped in training; half of it is dropped from the features.
    """

    _NUMBERS = ("offset", "gamma", "weight", "threshold")
    offset: torch.Tensor
    gamma: torch.Tensor
    weight: torch.Tensor
    threshold: torch.Tensor

    def __init__(self, features: int, dim: int, *, centres: int, hidden: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.features = _Standard(features)
        self.embedding = _Standard(dim)
        self.centres: torch.Tensor
        self.dual: torch.Tensor
        self.register_buffer("centres", torch.zeros(centres, features - TOP + dim))
        self.register_buffer("dual", torch.zeros(centres))
        for name in self._NUMBERS:
            self.register_buffer(name, torch.zeros(()))
        self.inner = nn.Linear(features - TOP, hidden)
        self.outer = nn.Linear(hidden, 1)
        self.drop_features, self.drop_hidden = nn.Dropout(dropout / 2), nn.Dropout(dropout)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """(n, f) features and (n, d) embeddings → (n,)."""
        score: torch.Tensor = self.beauty(self.place(features, embedding)) - self.penalty(self.flaw(features))
        return score

    def place(self, features: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """z: (n, f − `TOP` + d); the squared length of each half is about 1."""
        look = self.features(features)[:, TOP:]
        shown = self.embedding(embedding)
        return torch.cat([look / look.shape[1] ** 0.5, shown / shown.shape[1] ** 0.5], 1)

    def beauty(self, z: torch.Tensor) -> torch.Tensor:
        """(n, k) places → (n,), on LAION's scale."""
        # Distances term by term: through a matrix product a score would depend a little on its batch.
        near = torch.cdist(z, self.centres, compute_mode="donot_use_mm_for_euclid_dist").square()
        return self.offset + (-self.gamma * near).exp() @ self.dual

    def penalty(self, flaw: torch.Tensor) -> torch.Tensor:
        """(n,) logits → (n,), on the scale of the scores."""
        return self.weight * torch.sigmoid(flaw - self.threshold)

    def flaw(self, features: torch.Tensor) -> torch.Tensor:
        """Logit of "something is wrong with it": (n, f) → (n,)."""
        x = self.drop_features(self.features(features)[:, TOP:].clamp(-3, 3))
        logit: torch.Tensor = self.outer(self.drop_hidden(nn.functional.gelu(self.inner(x)))).squeeze(-1)
        return logit


class _Standard(nn.Module):
    """Standardises columns and cuts at 8 standard deviations."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, rows: torch.Tensor) -> None:
        """From (m, width) training rows; constant columns are left alone."""
        std, mean = torch.std_mean(rows, 0)
        self.mean.copy_(mean)
        self.scale.copy_(1.0 / std.clamp(min=1e-3))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(n, width) → (n, width)."""
        return ((rows - self.mean) * self.scale).clamp(-8, 8)


def reward_from(state: Mapping[str, torch.Tensor]) -> RewardHead:
    """A reward head of the shape and weights of a state dict, in eval mode.

    Raises:
        RuntimeError, KeyError: The state is not one of a `RewardHead`.
    """
    (features,), (dim,) = state["features.mean"].shape, state["embedding.mean"].shape
    head = RewardHead(features, dim, centres=len(state["dual"]), hidden=len(state["inner.weight"]))
    head.load_state_dict(dict(state))
    return head.eval()
