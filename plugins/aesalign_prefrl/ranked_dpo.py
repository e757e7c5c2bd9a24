"""Ranked DPO: direct preference optimisation over all pairs of preference grids (arXiv 2406.09397)."""

from __future__ import annotations

import functools

from pydantic import Field

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.pairwise import Pairwise, PairwiseSettings


class RankedDPOSettings(PairwiseSettings):
    """Which pairs, and how hard they pull.

    Attributes:
        label_smoothing: ε, the share of pairs that are thought to be labelled the wrong way round.
    """

    label_smoothing: float = Field(0.0, ge=0, lt=0.5)


class RankedDPO(Pairwise[RankedDPOSettings]):
    """The mean over pairs (w, l) of `-log σ(β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`; implements `protocols.Objective`.

    s and s⁰ are similarities of policy and reference, ÷ τ. Both photos of a pair share the query, so that the
    partition functions of policy and reference cancel.
    """

    Settings = RankedDPOSettings
    name = "ranked_dpo"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.losses import over_pairs, sigmoid_loss

        given = self.settings
        loss = functools.partial(sigmoid_loss, label_smoothing=given.label_smoothing)
        return over_pairs(batch, self.pairs(batch), loss, beta=given.beta)
