"""What the objectives over pairs have in common; no torch, as recipes are validated without it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aesalign_core.settings import Settings


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
