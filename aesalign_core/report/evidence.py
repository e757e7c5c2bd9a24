"""Gathering what a gallery, a file of grids and a RUN know about two systems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.evaluation.fronts import DEPTH, KEPT, Front, gains
from aesalign_core.evaluation.systems import System
from aesalign_core.photo_names import PhotoNames
from aesalign_core.report.measuring import Scored
from aesalign_core.report.records import FrontLine, FrontPlot, FrontPoint

if TYPE_CHECKING:
    from aesalign_core.evaluation.sweeps import Sweep
    from aesalign_core.gallery import Gallery

ALIGNED, RERANKED = "aligned", "re-ranking"


def rewards_of(gallery: Gallery, systems: Iterable[System], first: str | None = None) -> dict[str, Scored]:
    """Every reward column of a gallery, for the photos in rows; those that it does not hold have none.

    Args:
        gallery: Whose rewards are meant.
        systems: Whose rows.
        first: The column to name first.

    Raises:
        QueryError: The gallery has no such column, or none at all.
    """
    chosen = gallery.default_reward(first)
    paths = sorted({photo.path for system in systems for row in system.rows.values() for photo in row})
    names = PhotoNames(zip(gallery.paths(), gallery.ids(), strict=True))
    known = {path: photo for path in paths if (photo := names.find(path, Path())) is not None}
    found: dict[str, Scored] = {}
    for column in dict.fromkeys([chosen, *gallery.rewards]):
        scores = gallery.scores(column, list(known.values()))
        found[column] = {p: float(s) for p, s in zip(known, scores, strict=True) if np.isfinite(s)}
    return found


def rewards_in(systems: Sequence[System], first: str | None = None) -> dict[str, Scored]:
    """The rewards that ranked lists themselves tell."""
    found: dict[str, dict[str, float]] = {first: {}} if first else {}
    for system in systems:
        for photo in (photo for row in system.rows.values() for photo in row):
            for name, score in photo.rewards.items():
                found.setdefault(name, {}).setdefault(photo.path, score)
    return {name: scores for name, scores in found.items() if scores}


def front(sweep: Sweep, *, run: str, reward: str) -> FrontPlot:
    """Two fronts over the same queries, as a page draws them."""
    fronts = {ALIGNED: sweep.aligned, RERANKED: sweep.reranked}
    found = gains({name: [one] for name, one in fronts.items()}, RERANKED)

    def line(key: str, name: str, setting: str, marked: str) -> FrontLine:
        one, gain = fronts[key], found[key]
        return FrontLine(name, setting, _points(one), marked, (gain.value, *gain.interval), one.ends_above)

    return FrontPlot(
        lines=(
            line(ALIGNED, f"{Path(run).name} by strength", "strength", "1"),
            line(RERANKED, "re-ranking by similarity + w · reward", "w", ""),
        ),
        difference=found[ALIGNED].difference,
        floor=KEPT,
        depth=DEPTH,
        reward=reward,
        queries=len(sweep.aligned.photos),
        captions=sweep.captions,
    )


def _points(one: Front) -> tuple[FrontPoint, ...]:
    recall, gain = one.curve()
    return tuple(
        FrontPoint(f"{strength:g}", float(r), float(g))
        for strength, r, g in zip(one.strengths, recall, gain, strict=True)
    )
