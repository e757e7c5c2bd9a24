"""Regressing the policy's margins on the reward's (Fisch et al., arXiv 2405.19316; REBEL, arXiv 2404.16767)."""

from __future__ import annotations

from pydantic import Field

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.pairwise import Pairwise, PairwiseSettings


class RewardDistillationSettings(PairwiseSettings):
    """Which pairs, and how much similarity a standard deviation of reward is worth.

    Attributes:
        target: Similarity ÷ τ per standard deviation of reward, for β = 1.
    """

    target: float = Field(1.0, gt=0)


class RewardDistillation(Pairwise[RewardDistillationSettings]):
    """The mean over pairs (w, l) of `(β · [(s_w − s_l) − (s⁰_w − s⁰_l)] − target · (R_w − R_l))²`.

    How much better a photo is counts, not only that it is, and the margin stops there: at its minimum the policy is
    the reference plus `target / β` times the reward, in standard deviations R, on the scale of similarity ÷ τ.
    """

    Settings = RewardDistillationSettings
    name = "reward_distillation"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.grids import differences
        from aesalign_prefrl.losses import over_pairs, squared_loss

        given = self.settings
        targets = given.target * differences(batch.rewards.masked_fill(~batch.valid, 0.0))
        return over_pairs(batch, self.pairs(batch), lambda x: squared_loss(x, targets), beta=given.beta)
