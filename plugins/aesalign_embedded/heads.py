"""The trained parts: small maps on frozen features."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProjectionHead(nn.Module):
    """A linear map plus a one-hidden-layer map, on standardised features: (n, f) → (n, d), not normalised.

    Args:
        features: f.
        dim: d.
        hidden: Width of the hidden layer.
        dropout: Share of hidden units dropped in training; half of it is dropped from the features.
    """

    def __init__(self, features: int, dim: int, *, hidden: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.linear = nn.Linear(features, dim)
        self.inner = nn.Linear(features, hidden)
        self.outer = nn.Linear(hidden, dim)
        self.drop_features, self.drop_hidden = nn.Dropout(dropout / 2), nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, f) → (n, d)."""
        x = self.drop_features((features - self.mean) * self.scale)
        hidden = self.drop_hidden(nn.functional.gelu(self.inner(x)))
        projected: torch.Tensor = self.linear(x) + self.outer(hidden)
        return projected

    def standardise(self, features: torch.Tensor) -> None:
        """Sets mean and scale from (m, f) training features; constant columns are left alone."""
        std, mean = torch.std_mean(features, 0)
        self.mean.copy_(mean)
        self.scale.copy_(1.0 / std.clamp(min=1e-3))


def projection_from(state: Mapping[str, torch.Tensor]) -> ProjectionHead:
    """A head of the shape and weights of a state dict, in eval mode.

    Raises:
        RuntimeError, KeyError: The state is not one of a `ProjectionHead`.
    """
    dim, features = state["linear.weight"].shape
    head = ProjectionHead(features, dim, hidden=state["inner.weight"].shape[0])
    head.load_state_dict(dict(state))
    return head.eval()


def digest(head: nn.Module) -> str:
    """sha256, in hex, of a module's weights, whatever device they are on."""
    found = hashlib.sha256()
    for name, tensor in sorted(head.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


class RewardHead(nn.Module):
    """An affine map to LAION's scale, less a penalty for flaws: (n, f) → (n,).

    The penalty is `weight · σ(inner map)`: next to nothing for a photo without flaws, so that it leaves the order of
    good photos alone, and at most `weight` for an evident flaw.

    Args:
        features: f.
        hidden: Width of the flaw detector's hidden layer.
        dropout: Share of hidden units dropped in training; half of it is dropped from the features.
    """

    def __init__(self, features: int, *, hidden: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.weight: torch.Tensor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("weight", torch.ones(()))
        self.beauty = nn.Linear(features, 1)
        self.inner = nn.Linear(features, hidden)
        self.outer = nn.Linear(hidden, 1)
        self.drop_features, self.drop_hidden = nn.Dropout(dropout / 2), nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, f) → (n,)."""
        x = self.standardised(features)
        score: torch.Tensor = self.beauty(x).squeeze(-1) - self.weight * torch.sigmoid(self.flaw(x))
        return score

    def standardised(self, features: torch.Tensor) -> torch.Tensor:
        """(n, f) → (n, f), cut at 8 standard deviations: no odd picture may run away with a score."""
        return ((features - self.mean) * self.scale).clamp(-8, 8)

    def flaw(self, x: torch.Tensor) -> torch.Tensor:
        """Logit of "something is wrong with it": (n, f) standardised → (n,)."""
        hidden = self.drop_hidden(nn.functional.gelu(self.inner(self.drop_features(x))))
        logit: torch.Tensor = self.outer(hidden).squeeze(-1)
        return logit


def reward_from(state: Mapping[str, torch.Tensor]) -> RewardHead:
    """A reward head of the shape and weights of a state dict, in eval mode.

    Raises:
        RuntimeError, KeyError: The state is not one of a `RewardHead`.
    """
    hidden, features = state["inner.weight"].shape
    head = RewardHead(features, hidden=hidden)
    head.load_state_dict(dict(state))
    return head.eval()
