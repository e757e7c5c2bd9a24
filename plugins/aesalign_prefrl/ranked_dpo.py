"""Ranked DPO: direct preference optimisation over all pairs of preference grids (arXiv 2406.09397)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_core.settings import Settings as BaseSettings


class RankedDPO:
    """The mean over pairs (w, l) of `-log σ(β · [(s_w − s_l) − (s⁰_w − s⁰_l)])`; implements `protocols.Objective`.

    s and s⁰ are similarities of policy and reference, ÷ τ. Both photos of a pair share the query, so that the
    partition functions of policy and reference cancel.
    """

    class Settings(BaseSettings):
        """Which pairs, and how hard they pull.

        Attributes:
            beta: β: larger keeps the policy nearer to the reference for the same loss.
            pairs: `dominance`: a is preferred to b if its band is no lower and its reward is no less, and one of the
                two is better. `rows`: only photos of one band, by reward.
            margin: Least reward of a above b, in standard deviations of the gallery's reward.
            label_smoothing: ε, the share of pairs that are thought to be labelled the wrong way round.
        """

        beta: float = Field(1.0, gt=0)
        pairs: Literal["dominance", "rows"] = "dominance"
        margin: float = Field(0.0, ge=0)
        label_smoothing: float = Field(0.0, ge=0, lt=0.5)

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "ranked_dpo"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.losses import pair_mask, ranked_dpo

        return ranked_dpo(
            batch,
            pair_mask(batch, rows_only=self.settings.pairs == "rows", margin=self.settings.margin),
            beta=self.settings.beta,
            label_smoothing=self.settings.label_smoothing,
        )
