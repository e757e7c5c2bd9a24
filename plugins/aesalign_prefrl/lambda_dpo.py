"""DPO whose pairs weigh what their order changes in NDCG (LiPO-λ, Liu et al., arXiv 2402.01878)."""

from __future__ import annotations

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.settings import PairwiseSettings


class LambdaDPO:
    """The weighted mean over pairs (w, l) of `-log σ(β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`.

    A pair's weight is `|G_w − G_l| · |1/log₂(1 + rank_w) − 1/log₂(1 + rank_l)|`, over the best DCG of its grid: ranks
    are those of the policy within the grid, and the gain is `G = 2ˡ − 1`, where the label l is the share of the grid
    that a photo is preferred to. Weights carry no gradient. The paper takes labels from a reward model, and sums
    where this averages.
    """

    class Settings(PairwiseSettings):
        """Which pairs, and β."""

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "lambda_dpo"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.grids import pair_mask
        from aesalign_prefrl.losses import ndcg_changes, over_pairs, sigmoid_loss

        given = self.settings
        pairs = pair_mask(batch, rows_only=given.pairs == "rows", margin=given.margin)
        return over_pairs(batch, pairs, sigmoid_loss, beta=given.beta, weights=ndcg_changes(batch))
