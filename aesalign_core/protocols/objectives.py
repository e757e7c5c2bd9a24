"""Preference-RL losses, and what they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class PreferenceBatch:
    """Grids of b queries, flattened to n photos each, as an objective reads them.

    Attributes:
        policy: (b, n) similarities of the model being trained, ÷ τ; carries gradients.
        reference: (b, n) similarities of the frozen model, ÷ τ.
        rewards: (b, n) rewards, standardised over the gallery.
        bands: (b, n) int64, the semantic band (row), 0 for the most similar.
        valid: (b, n) bool, False for padding.
    """

    policy: torch.Tensor
    reference: torch.Tensor
    rewards: torch.Tensor
    bands: torch.Tensor
    valid: torch.Tensor


@dataclass(frozen=True, slots=True)
class ObjectiveOutput:
    """What an objective says of one batch.

    Attributes:
        loss: Scalar with gradients, averaged over pairs.
        accuracy: Share of pairs whose implicit reward margin is positive, ties half, in [0, 1]; detached scalar.
        margin: Mean implicit reward margin, β-scaled; detached scalar.
        pairs: Number of pairs; detached scalar.
    """

    loss: torch.Tensor
    accuracy: torch.Tensor
    margin: torch.Tensor
    pairs: torch.Tensor


@runtime_checkable
class Objective(Protocol):
    """A preference-RL loss over grids."""

    name: str

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch."""
        ...
