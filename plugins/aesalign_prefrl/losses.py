"""The mathematics of the objectives, on whole batches of grids; no loop over grids or pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch


def pair_mask(batch: PreferenceBatch, *, rows_only: bool, margin: float) -> Tensor:
    """Which photos of each grid are preferred to which.

    Args:
        batch: b grids of n photos.
        rows_only: Only pairs within one band, not the whole dominance order.
        margin: Least reward of the preferred photo above the other, in standard deviations.

    Returns:
        (b, n, n) bool, True at [g, w, l] if w is preferred to l in grid g; never where either is padding.
    """
    above = _differences(batch.rewards)
    lower = -_differences(batch.bands)  # how many bands l is below w
    nearer = lower == 0 if rows_only else lower >= 0
    preferred = nearer & (above >= margin) & ((lower > 0) | (above > 0))
    both = batch.valid.unsqueeze(2) & batch.valid.unsqueeze(1)
    return preferred & both


def ranked_dpo(batch: PreferenceBatch, pairs: Tensor, *, beta: float, label_smoothing: float) -> ObjectiveOutput:
    """DPO averaged over pairs, outside the log-sigmoid.

    With the implicit reward r = β (s − s⁰) of each photo, the logit of a pair is r_w − r_l.

    Args:
        batch: b grids of n photos.
        pairs: (b, n, n) bool, see `pair_mask`.
        beta: β.
        label_smoothing: ε of `-(1 − ε) log σ(x) − ε log σ(−x)`.
    """
    precise = torch.promote_types(batch.policy.dtype, torch.float32)
    shift = batch.policy.to(precise) - batch.reference.to(precise)
    # Padding may hold anything, even NaN, and must not reach the gradient.
    logits = beta * _differences(torch.where(batch.valid, shift, torch.zeros_like(shift)))
    losses = -(1 - label_smoothing) * logsigmoid(logits)
    if label_smoothing:
        losses = losses - label_smoothing * logsigmoid(-logits)
    count = pairs.sum()
    weight = pairs.to(precise) / count.clamp(min=1)
    with torch.no_grad():
        accuracy = (pairs & (logits > 0)).sum() / count.clamp(min=1)
        margin = (logits * weight).sum()
    return ObjectiveOutput(loss=(losses * weight).sum(), accuracy=accuracy, margin=margin, pairs=count)


def _differences(values: Tensor) -> Tensor:
    """(b, n) → (b, n, n): [g, i, j] is value i minus value j."""
    return values.unsqueeze(2) - values.unsqueeze(1)
