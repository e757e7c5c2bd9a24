"""What a set of preference grids is made from and what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field

from aesalign_core.preferences.grids import dominance
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.settings import Settings
from aesalign_core.types import PreferenceGrid, Rephrasing


class PairsHeader(Settings):
    """What grids were made from; kept in the schema metadata of their Parquet file.

    Attributes:
        format: Of the file.
        settings: How the grids were cut.
        reward: The gallery column they are ordered by.
        mean: Of that reward over the gallery.
        std: Likewise; what rewards are standardised by.
        rephraser: The component that rephrased.
        encoder: Whose rankings were cut, as the user called it.
        space: The fingerprint of its image space, which is the gallery's.
        text_space: The fingerprint of its text space.
        photos: How many the gallery held.
        key: Equal for equal queries, gallery contents, settings, encoder and rephraser.
    """

    format: Literal["aesalign pairs 1"] = "aesalign pairs 1"
    settings: PairSettings
    reward: str
    mean: float
    std: float = Field(gt=0)
    rephraser: str
    encoder: str
    space: str
    text_space: str
    photos: int = Field(ge=0)
    key: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A query that gave no grid, and why."""

    query: str
    reason: str


@dataclass(frozen=True)
class PairsResult:
    """Preference grids.

    Attributes:
        header: What they were made from.
        grids: One per query, all of the shape that `header.settings` says.
        dropped: The queries without one.
        fallbacks: The rephrasings that fell back to the user's own words.
        reused: Whether they come from a file made from the very same earlier.
    """

    header: PairsHeader
    grids: tuple[PreferenceGrid, ...]
    dropped: tuple[Dropped, ...] = ()
    fallbacks: tuple[Rephrasing, ...] = field(default=())
    reused: bool = False

    @property
    def example(self) -> PreferenceGrid | None:
        """The grid with the widest rewards, to show; None if there is none."""
        return max(self.grids, key=lambda g: float(np.ptp(g.rewards, axis=1).mean()), default=None)

    def statistics(self) -> dict[str, float]:
        """Counts, and means over the grids.

        Returns:
            `queries`, `grids`, `dropped`, `fallbacks`; `photos` (distinct); `pairs` by dominance and `pairs_in_rows`,
            the part of them within rows; `reward_spread` (best minus worst of a row, in standard deviations of the
            gallery) and `similarity_spread` (first row's mean minus last row's, cosine), means over the grids.
        """
        grids = self.grids
        return {
            "queries": len(grids) + len(self.dropped),
            "grids": len(grids),
            "dropped": len(self.dropped),
            "fallbacks": len(self.fallbacks),
            "photos": len({name for grid in grids for row in grid.ids for name in row}),
            "pairs": sum(count_pairs(grid)[0] for grid in grids),
            "pairs_in_rows": sum(count_pairs(grid)[1] for grid in grids),
            "reward_spread": _mean([float(np.ptp(g.rewards, axis=1).mean()) / self.header.std for g in grids]),
            "similarity_spread": _mean([float(g.similarities[0].mean() - g.similarities[-1].mean()) for g in grids]),
        }

    def as_dict(self) -> dict[str, Any]:
        """What it was made from, its statistics and what was dropped, as plain JSON types; not the grids."""
        return {
            "made_from": self.header.model_dump(mode="json"),
            "statistics": self.statistics(),
            "dropped": [{"query": d.query, "reason": d.reason} for d in self.dropped],
            "fallbacks": [r.as_dict() for r in self.fallbacks],
            "reused": self.reused,
        }


def bands(grid: PreferenceGrid) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(u·v,) the row number of each photo of a grid, row by row."""
    rows, columns = grid.shape
    return np.repeat(np.arange(rows, dtype=np.int64), columns)


def count_pairs(grid: PreferenceGrid) -> tuple[int, int]:
    """Preference pairs of a grid by dominance, and how many of them are within its rows."""
    pairs = _pairs(grid)
    return int(pairs.sum()), int((pairs & _same_row(grid)).sum())


def _pairs(grid: PreferenceGrid) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return dominance(bands(grid), grid.rewards.reshape(-1))


def _same_row(grid: PreferenceGrid) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(np.equal.outer(bands(grid), bands(grid)), dtype=np.bool_)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
