"""Preference grids as pages show them: photos in their bands, and which of them is preferred to which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.preferences.grids import dominance
from aesalign_core.preferences.records import count_pairs
from aesalign_core.report.records import GridExample, Photo

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.preferences.records import PairsResult
    from aesalign_core.types import PreferenceGrid

SHOWN_ROWS, SHOWN_COLUMNS = 5, 6
"""Of a grid among other things; a page of its own has room for `WHOLE`."""
WHOLE = 12
SHOWN_GRIDS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A photo of a grid and its place in the order.

    Attributes:
        photo: It.
        number: Row by row, from 0.
        below: Numbers of the photos that it is preferred to.
        above: Numbers of the photos that are preferred to it.
    """

    photo: Photo
    number: int
    below: tuple[int, ...]
    above: tuple[int, ...]

    @property
    def explanation(self) -> str:
        """Its place in words."""
        return f"preferred to {len(self.below)} of the photos shown; {len(self.above)} are preferred to it"


def cells(example: GridExample) -> list[list[Cell]]:
    """Row by row, each photo with what it is preferred to among those shown; one without a reward to none."""
    flat = [(band, photo) for band, row in enumerate(example.rows) for photo in row]
    rewards = np.array([np.nan if p.reward is None else p.reward for _, p in flat], dtype=np.float32)
    better = dominance(np.array([band for band, _ in flat], dtype=np.int64), rewards)
    made = [
        Cell(photo, k, tuple(np.flatnonzero(better[k]).tolist()), tuple(np.flatnonzero(better[:, k]).tolist()))
        for k, (_, photo) in enumerate(flat)
    ]
    return [[cell for cell, (b, _) in zip(made, flat, strict=True) if b == band] for band in range(len(example.rows))]


def highlighting(examples: Sequence[GridExample]) -> str:
    """Style of grids: how wide they are, and where a photo is pointed at, which others are below and above it."""
    widths = {len(row) for example in examples for row in example.rows}
    most = max((sum(map(len, example.rows)) for example in examples), default=0)

    def rule(kind: str, style: str) -> str:
        at = [f".grid:has(.c{n}:is(:hover,:focus-within)) .{kind}{n} .mat" for n in range(most)]
        return ",".join(at) + "{" + style + "}" if at else ""

    columns = "".join(f".columns{n}{{--columns:{n}}}" for n in sorted(widths))
    return (
        columns
        + rule("u", "opacity:.3;filter:grayscale(1)")
        + rule("o", "outline:3px solid var(--up);outline-offset:-3px")
    )


def example(
    grid: PreferenceGrid,
    gallery: Gallery,
    *,
    reward: str = "",
    fallback: str = "",
    most: tuple[int, int] = (SHOWN_ROWS, SHOWN_COLUMNS),
    photo: Callable[[Path], Photo] = Photo,
) -> GridExample:
    """A grid with its pictures; a large one is thinned evenly.

    Args:
        grid: The grid.
        gallery: Which knows where its photos are.
        reward: The reward's name.
        fallback: Why its query was not rephrased, if it was not.
        most: Rows and columns that are shown at most.
        photo: What is known of a photo besides its similarity and reward.

    Raises:
        GalleryError: The gallery lacks one of its photos.
    """
    rows, columns = _evenly(grid.shape[0], most[0]), _evenly(grid.shape[1], most[1])
    paths = iter(gallery.paths([grid.ids[r][c] for r in rows for c in columns]))

    def shown(row: int, column: int) -> Photo:
        near, reward = float(grid.similarities[row, column]), float(grid.rewards[row, column])
        return replace(photo(Path(next(paths))), similarity=near, reward=reward)

    pairs, in_rows = count_pairs(grid)
    return GridExample(
        query=grid.query,
        rephrased=grid.rephrased,
        rows=tuple(tuple(shown(r, c) for c in columns) for r in rows),
        pairs=pairs,
        pairs_in_rows=in_rows,
        shape=grid.shape,
        reward=reward,
        fallback=fallback,
    )


def examples(pairs: PairsResult, gallery: Gallery, first: Sequence[str]) -> tuple[GridExample, ...]:
    """Some grids: those of the queries in `first`, then the one with the widest rewards, then an even choice."""
    by_query = {grid.query: grid for grid in pairs.grids}
    wanted = [by_query[query] for query in first if query in by_query]
    widest = [pairs.example] if pairs.example else []
    step = max(1, len(pairs.grids) // SHOWN_GRIDS)
    chosen = {grid.query: grid for grid in (*wanted, *widest, *pairs.grids[step // 2 :: step])}
    reasons = {r.query: r.fallback or "" for r in pairs.fallbacks}
    return tuple(
        example(grid, gallery, reward=pairs.header.reward, fallback=reasons.get(grid.query, ""))
        for grid in list(chosen.values())[:SHOWN_GRIDS]
    )


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of the positions 0 … count - 1, first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
