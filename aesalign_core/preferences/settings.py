"""Settings of preference grids; a module of its own because recipes are validated without numpy."""

from __future__ import annotations

from pydantic import Field

from aesalign_core.settings import Settings
from aesalign_core.types import Strategy


class PairSettings(Settings):
    """How grids are cut from a ranking. `docs/paper.md` maps each setting to its quantity in the paper.

    Attributes:
        rows: u, semantic bands.
        columns: v, photos kept in each band.
        candidates: K, retrieved per query; a smaller gallery gives all it has.
        stride: Ranks apart, by reward within a band, of neighbouring photos of a row; None: as many as the band
            allows, so that a row spans its band from best to worst.
        margin: Least reward difference of neighbours in a row, in standard deviations of the gallery's reward.
        hard_negatives: Photos, ranked next after the candidates, of which the v with the highest rewards become one
            more band: beautiful, and not what was asked for. They count with the grid's lowest reward; 0: none.
        strategy: The rephrasing that candidates are retrieved with.
        reward: The gallery column to order by; None: the gallery's first.
    """

    rows: int = Field(5, ge=1, le=100)
    columns: int = Field(5, ge=1, le=100)
    candidates: int = Field(100, ge=2, le=10_000)
    stride: int | None = Field(None, ge=1, le=1000)
    margin: float = Field(0.0, ge=0.0, le=10.0)
    hard_negatives: int = Field(0, ge=0, le=10_000)
    strategy: Strategy = "k_list"
    reward: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Bands of a grid, with that of its hard negatives, and photos in each."""
        return self.rows + bool(self.hard_negatives), self.columns
