"""SLiC: a hinge on pairs (Zhao et al., arXiv 2305.10425), against the reference (Liu et al., arXiv 2309.06657)."""

from __future__ import annotations

import functools

from pydantic import Field

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.pairwise import Pairwise, PairwiseSettings


class SLiCSettings(PairwiseSettings):
    """Which pairs, and how far apart they are to be.

    Attributes:
        delta: δ.
    """

    delta: float = Field(1.0, gt=0)


class SLiC(Pairwise[SLiCSettings]):
    """The mean over pairs (w, l) of `max(0, δ − β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`.

    A pair that is δ apart already pulls no more. The first paper's regulariser is the recipe's pre-training loss.
    """

    Settings = SLiCSettings
    name = "slic"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.losses import hinge_loss, over_pairs

        given = self.settings
        return over_pairs(batch, self.pairs(batch), functools.partial(hinge_loss, delta=given.delta), beta=given.beta)
