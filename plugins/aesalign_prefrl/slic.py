"""SLiC: a hinge on pairs (Zhao et al., arXiv 2305.10425), against the reference (Liu et al., arXiv 2309.06657)."""

from __future__ import annotations

import functools

from pydantic import Field

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.settings import PairwiseSettings


class SLiC:
    """The mean over pairs (w, l) of `max(0, δ − β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`.

    A pair that is δ apart already pulls no more. The first paper's regulariser is the recipe's pre-training loss.
    """

    class Settings(PairwiseSettings):
        """Which pairs, and how far apart they are to be.

        Attributes:
            delta: δ.
        """

        delta: float = Field(1.0, gt=0)

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "slic"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.grids import pair_mask
        from aesalign_prefrl.losses import hinge_loss, over_pairs

        given = self.settings
        pairs = pair_mask(batch, rows_only=given.pairs == "rows", margin=given.margin)
        return over_pairs(batch, pairs, functools.partial(hinge_loss, delta=given.delta), beta=given.beta)
