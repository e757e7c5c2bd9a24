"""IPO: preferences pulled to a fixed margin rather than as far as they go (Azar et al., arXiv 2310.12036)."""

from __future__ import annotations

from aesalign_core.protocols import ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.pairwise import Pairwise, PairwiseSettings


class IPO(Pairwise[PairwiseSettings]):
    """The mean over pairs (w, l) of `(h − 1/(2β))²`, where `h = (s_w − s_l) − (s⁰_w − s⁰_l)`.

    β is the paper's τ, which here is the temperature's name. Where DPO drives the margin of a pair that is never
    contradicted to infinity, this stops at 1/(2β).
    """

    Settings = PairwiseSettings
    name = "ipo"

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.losses import over_pairs, squared_loss

        beta = self.settings.beta
        # (h − 1/(2β))² with the logit x = β h.
        return over_pairs(batch, self.pairs(batch), lambda x: squared_loss(x / beta, 0.5 / beta), beta=beta)
