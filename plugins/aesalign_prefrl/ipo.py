"""IPO: preferences pulled to a fixed margin rather than as far as they go (Azar et al., arXiv 2310.12036)."""

from __future__ import annotations

from aesalign_core.protocols import BuildContext, ObjectiveOutput, PreferenceBatch
from aesalign_prefrl.settings import PairwiseSettings


class IPO:
    """The mean over pairs (w, l) of `(h − 1/(2β))²`, where `h = (s_w − s_l) − (s⁰_w − s⁰_l)`.

    β is the paper's τ, which here is the temperature's name. Where DPO drives the margin of a pair that is never
    contradicted to infinity, this stops at 1/(2β).
    """

    class Settings(PairwiseSettings):
        """Which pairs, and β."""

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.name = "ipo"
        self.settings = settings

    def __call__(self, batch: PreferenceBatch) -> ObjectiveOutput:
        """The loss of all pairs of all grids of a batch; 0, with a graph, if there is no pair."""
        from aesalign_prefrl.grids import pair_mask
        from aesalign_prefrl.losses import over_pairs, squared_loss

        given = self.settings
        pairs = pair_mask(batch, rows_only=given.pairs == "rows", margin=given.margin)
        # (h − 1/(2β))² with the logit x = β h.
        return over_pairs(batch, pairs, lambda x: squared_loss(x / given.beta, 0.5 / given.beta), beta=given.beta)
