"""What the objectives over pairs have in common; torch only when called, as recipes are validated without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from aesalign_core.protocols import BuildContext, PreferenceBatch
from aesalign_core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor


class PairwiseSettings(Settings):
    """Which pairs, and the scale of the implicit reward.

    Attributes:
        beta: β of the implicit reward `β (s − s⁰)`: larger keeps the policy nearer to the reference.
        pairs: `dominance`: a is preferred to b if its band is no lower and its reward is no less, and one of the
            two is better. `rows`: only photos of one band, by reward.
        margin: Least reward of a above b, in standard deviations of the gallery's reward.
    """

    beta: float = Field(1.0, gt=0)
    pairs: Literal["dominance", "rows"] = "dominance"
    margin: float = Field(0.0, ge=0)


S = TypeVar("S", bound=PairwiseSettings)


class Pairwise(Generic[S]):
    """Base of the objectives over pairs: their name, their settings, and which pairs those choose."""

    name: ClassVar[str]

    def __init__(self, settings: S, context: BuildContext) -> None:
        self.settings = settings

    def pairs(self, batch: PreferenceBatch) -> Tensor:
        """(b, n, n) bool, True at [g, w, l] if w is preferred to l in grid g."""
        from aesalign_prefrl.grids import pair_mask

        return pair_mask(batch, rows_only=self.settings.pairs == "rows", margin=self.settings.margin)
