"""What all objectives read off a batch of grids; no loop over grids or pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from aesalign_core.protocols import PreferenceBatch


def differences(values: Tensor) -> Tensor:
    """(b, n) → (b, n, n): [g, i, j] is value i minus value j."""
    return values.unsqueeze(2) - values.unsqueeze(1)


def implicit_rewards(batch: PreferenceBatch, beta: float) -> Tensor:
    """The implicit rewards r = β (s − s⁰): (b, n), in single precision at least; 0 for padding."""
    precise = torch.promote_types(batch.policy.dtype, torch.float32)
    shift = batch.policy.to(precise) - batch.reference.to(precise)
    # Padding may hold anything, even NaN, and must not reach the gradient.
    return beta * torch.where(batch.valid, shift, torch.zeros_like(shift))


def both_valid(batch: PreferenceBatch) -> Tensor:
    """(b, n, n) bool: neither photo is padding."""
    return batch.valid.unsqueeze(2) & batch.valid.unsqueeze(1)


def pair_mask(batch: PreferenceBatch, *, rows_only: bool, margin: float) -> Tensor:
    """Which photos of each grid are preferred to which.

    Args:
        batch: b grids of n photos.
        rows_only: Only pairs within one band, not the whole dominance order.
        margin: Least reward of the preferred photo above the other, in standard deviations.

    Returns:
        (b, n, n) bool, True at [g, w, l] if w is preferred to l in grid g; never where either is padding.
    """
    above = differences(batch.rewards)
    lower = -differences(batch.bands)  # how many bands l is below w
    nearer = lower == 0 if rows_only else lower >= 0
    preferred = nearer & (above >= margin) & ((lower > 0) | (above > 0))
    return preferred & both_valid(batch)


def dominated(batch: PreferenceBatch) -> Tensor:
    """The share of the other photos of its grid that each photo is preferred to: (b, n), in [0, 1].

    It agrees with the partial order: what is preferred to a photo is preferred to all that this one is preferred to.
    """
    others = (batch.valid.sum(1, keepdim=True) - 1).clamp(min=1)
    return pair_mask(batch, rows_only=False, margin=0.0).sum(2) / others


def ranks(scores: Tensor, valid: Tensor) -> Tensor:
    """Each photo's place in its grid by falling score, from 1: (b, n). Equals share the middle of their places."""
    known = torch.where(valid, scores, torch.full_like(scores, -torch.inf))
    ahead, equal = known.unsqueeze(1) > known.unsqueeze(2), known.unsqueeze(1) == known.unsqueeze(2)
    return ahead.sum(2) + (equal.sum(2) + 1) / 2
