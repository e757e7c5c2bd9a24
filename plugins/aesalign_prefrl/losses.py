"""The mathematics of the objectives, on whole batches of grids.

Pairwise losses read the logit of a pair (w, l), `x = r_w − r_l` with the implicit reward `r = β (s − s⁰)`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.grids import both_valid, differences, dominated, implicit_rewards, ranks


def over_pairs(
    batch: PreferenceBatch,
    pairs: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    beta: float,
    weights: Tensor | None = None,
) -> ObjectiveOutput:
    """The mean of a loss over all pairs of all grids.

    Args:
        batch: b grids of n photos.
        pairs: (b, n, n) bool, see `grids.pair_mask`.
        loss: Logits (b, n, n) to losses (b, n, n), element by element.
        beta: β.
        weights: (b, n, n), not negative; the mean is weighted by them. Accuracy and margin are not.
    """
    logits = differences(implicit_rewards(batch, beta))
    count = pairs.sum()
    given = pairs.to(logits.dtype) if weights is None else pairs * weights.to(logits.dtype)
    total = given.sum()
    share = given / torch.where(total > 0, total, torch.ones_like(total))
    return _output((loss(logits) * share).sum(), logits, pairs, count)


def sigmoid_loss(x: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """`-(1 − ε) log σ(x) − ε log σ(−x)`."""
    losses = -(1 - label_smoothing) * logsigmoid(x)
    return losses - label_smoothing * logsigmoid(-x) if label_smoothing else losses


def hinge_loss(x: Tensor, *, delta: float) -> Tensor:
    """`max(0, δ − x)`."""
    return (delta - x).clamp(min=0)


def squared_loss(x: Tensor, target: Tensor | float) -> Tensor:
    """`(x − target)²`."""
    return (x - target).square()


def ndcg_changes(batch: PreferenceBatch) -> Tensor:
    """How much NDCG would change if two photos of a grid changed places in the policy's ranking: (b, n, n).

    `|G_i − G_j| · |1/log₂(1 + rank_i) − 1/log₂(1 + rank_j)| / DCG of the best ranking`, with the gain `G = 2ˡ − 1` of
    the label l, the share of its grid that a photo is preferred to.
    """
    with torch.no_grad():
        gains = torch.where(batch.valid, torch.exp2(dominated(batch)) - 1, 0.0)
        discounts = torch.log2(1 + ranks(batch.policy.float(), batch.valid)).reciprocal()
        best = gains.sort(descending=True, dim=1).values
        ideal = (best / torch.log2(2 + torch.arange(best.shape[1], device=best.device))).sum(1)
        changes = differences(gains).abs() * differences(discounts).abs()
        return changes / torch.where(ideal > 0, ideal, 1.0)[:, None, None] * both_valid(batch)


def plackett_luce(batch: PreferenceBatch, *, beta: float) -> ObjectiveOutput:
    """Minus the log-likelihood of each row's order by reward, per choice made.

    A row is drawn from the best photo on; each choice among m ≥ 2 photos is one term,
    `-r_k + log Σ_{j not yet drawn} exp r_j`. Photos of equal reward remain in each other's sums (Breslow's rule for
    ties), so that the order in which they are listed does not matter, and a photo that nothing is worse than
    is no choice.
    """
    rewards = implicit_rewards(batch, beta)
    row = (differences(batch.bands) == 0) & both_valid(batch)
    above = differences(batch.rewards)
    worse = row & (above > 0)
    left = row & (above >= 0)  # [g, k, j]: j is not drawn before k; k itself is among them
    chosen = worse.any(2)
    # Rows without a choice are given one finite entry, so that no gradient is NaN.
    spread = rewards.unsqueeze(1).expand_as(above).masked_fill(~(left | ~chosen.unsqueeze(2)), -torch.inf)
    terms = torch.where(chosen, spread.logsumexp(2) - rewards, torch.zeros_like(rewards))
    loss = terms.sum() / chosen.sum().clamp(min=1)
    return _output(loss, differences(rewards), worse, worse.sum())


def _output(loss: Tensor, logits: Tensor, pairs: Tensor, count: Tensor) -> ObjectiveOutput:
    with torch.no_grad():
        right = (logits > 0) + 0.5 * (logits == 0)  # a tie is half right
        accuracy = (pairs * right).sum() / count.clamp(min=1)
        margin = (logits * pairs).sum() / count.clamp(min=1)
    return ObjectiveOutput(loss=loss, accuracy=accuracy, margin=margin, pairs=count)
