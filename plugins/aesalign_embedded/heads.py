"""The trained parts of the encoder: small maps on frozen features."""

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


def embed(head: ProjectionHead, features: torch.Tensor) -> torch.Tensor:
    """(n, f) → (n, d), rows of unit length; no gradients."""
    with torch.inference_mode():
        return nn.functional.normalize(head(features), dim=-1)


def digest(head: nn.Module) -> str:
    """sha256, in hex, of a module's weights, whatever device they are on."""
    found = hashlib.sha256()
    for name, tensor in sorted(head.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)} ".encode())
        found.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
