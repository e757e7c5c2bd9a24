"""Plackett-Luce: the likelihood of a row's whole order (DPO's ranking form, Rafailov et al., arXiv 2305.18290)."""

from __future__ import annotations

from pydantic import Field

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_core.settings import Settings as BaseSettings


class PlackettLuce:
    """Listwise along rows: the mean over choices of `-r_k + log Σ_{j: R_j ≤ R_k} exp r_j`, with `r = β (s − s⁰)`.

    The photos j are those of k's band whose reward R is no better than its own. Two photos a row make it DPO over
    rows. Photos of different bands are not compared: what keeps relevance is the pre-training loss.
    """

    class Settings(BaseSettings):
        """The scale of the implicit reward.

        Attributes:
            beta: β: larger keeps the policy nearer to the reference for the same loss.
        """

        beta: float = Field(1.0, gt=0)

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "plackett_luce"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all rows of all grids of a batch; 0, with a graph, if no row has two different rewards."""
        from aesalign_prefrl.losses import plackett_luce

        return plackett_luce(batch, beta=self.settings.beta)
