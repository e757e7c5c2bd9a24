"""Ranked DPO: direct preference optimisation over all pairs of preference grids (arXiv 2406.09397)."""

from __future__ import annotations

import functools

from pydantic import Field

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.settings import PairwiseSettings


class RankedDPO:
    """The mean over pairs (w, l) of `-log σ(β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`; implements `protocols.Objective`.

    s and s⁰ are similarities of policy and reference, ÷ τ. Both photos of a pair share the query, so that the
    partition functions of policy and reference cancel.
    """

    class Settings(PairwiseSettings):
        """Which pairs, and how hard they pull.

        Attributes:
            label_smoothing: ε, the share of pairs that are thought to be labelled the wrong way round.
        """

        label_smoothing: float = Field(0.0, ge=0, lt=0.5)

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "ranked_dpo"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.grids import pair_mask
        from aesalign_prefrl.losses import over_pairs, sigmoid_loss

        given = self.settings
        pairs = pair_mask(batch, rows_only=given.pairs == "rows", margin=given.margin)
        loss = functools.partial(sigmoid_loss, label_smoothing=given.label_smoothing)
        return over_pairs(batch, pairs, loss, beta=given.beta)
