"""DPO whose pairs weigh what their order changes in NDCG (LiPO-λ, Liu et al., arXiv 2402.01878)."""

from __future__ import annotations

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.pairwise import Pairwise, PairwiseSettings


class LambdaDPO(Pairwise[PairwiseSettings]):
    """The weighted mean over pairs (w, l) of `-log σ(β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`.

    A pair's weight is `|G_w − G_l| · |1/log₂(1 + rank_w) − 1/log₂(1 + rank_l)|`, over the best DCG of its grid: ranks
    are those of the policy within the grid, and the gain is `G = 2ˡ − 1`, where the label l is the share of the grid
    that a photo is preferred to. Weights carry no gradient. The paper takes labels from a reward model, and sums
    where this averages.
    """

    Settings = PairwiseSettings
    name = "lambda_dpo"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.losses import ndcg_changes, over_pairs, sigmoid_loss

        weights = ndcg_changes(batch)
        return over_pairs(batch, self.pairs(batch), sigmoid_loss, beta=self.settings.beta, weights=weights)
