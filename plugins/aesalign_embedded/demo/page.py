"""The page of a demonstration: what was found, put into the words of a comparison of two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.alignment.log import read_metrics
from aesalign_core.report.comparison import Comparison, Curve, GridExample, Photo
from aesalign_embedded.demo.judging import SHORT

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.recipe import Recipe
    from aesalign_core.types import PreferenceGrid
    from aesalign_embedded.demo.material import Material
    from aesalign_embedded.demo.result import DemoResult

CURVES = {"loss": "Loss", "accuracy": "Share of pairs moved the preferred way", "margin": "Implicit reward margin"}
SHOWN_ROWS, SHOWN_COLUMNS = 5, 6


def comparison(
    result: DemoResult, material: Material, *, old: str, facts: tuple[tuple[str, str], ...], grid: GridExample | None
) -> Comparison:
    """Everything on the page."""
    return Comparison(
        title=material.title,
        old=old,
        new="the same, aligned",
        measures=result.measures,
        queries=result.queries,
        lede=material.lede,
        facts=(*material.facts, *facts),
        tallies=result.tallies,
        grid=grid,
        curves=curves(result.rounds[0].run / "metrics.jsonl"),
        caveats=result.caveats,
    )


def facts(recipe: Recipe, grids: Sequence[int], *, queries: int, kept: float) -> tuple[tuple[str, str], ...]:
    """What was done, in numbers."""
    settings = recipe.align
    towers = "both towers" if settings.tune == "both" else f"the {settings.tune} tower"
    return (
        ("Held-out queries", str(queries)),
        ("Trained", f"{towers}, {' / '.join(map(str, grids))} grids, {settings.steps} steps"),
        ("Kept in the first ten", f"{kept:.0%} of the pictures"),
    )


def same_reward(reward: str, judge: str) -> str:
    """The caveat that holds for every demonstration."""
    return (
        f"The reward {reward} was trained with, and it is what the reward measure reports; the judge {judge} may "
        "rest on it too. That these rise shows that alignment works, not that people would agree."
    )


def example(grid: PreferenceGrid | None, gallery: Gallery, flaws: Mapping[str, str]) -> GridExample | None:
    """A training grid with its pictures; a large one is thinned evenly to what a page can hold."""
    if grid is None:
        return None
    rows, columns = _evenly(grid.shape[0], SHOWN_ROWS), _evenly(grid.shape[1], SHOWN_COLUMNS)
    ids = [grid.ids[r][c] for r in rows for c in columns]
    paths = iter(gallery.paths(ids))

    def photo(row: int, column: int) -> Photo:
        path = next(paths)
        flaw = flaws.get(path, "")
        return Photo(
            path=Path(path),
            name=f"{Path(path).parent.name}/{Path(path).name}" if flaws else "",
            similarity=float(grid.similarities[row, column]),
            reward=float(grid.rewards[row, column]),
            badge=SHORT.get(flaw, flaw),
        )

    return GridExample(grid.query, grid.rephrased, tuple(tuple(photo(r, c) for c in columns) for r in rows))


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of the positions 0 … count - 1, first and last among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def curves(metrics: Path) -> tuple[Curve, ...]:
    """What a run logged, as curves."""
    lines = read_metrics(metrics)
    named = {
        name: tuple((int(line["step"]), line[name]) for line in lines if "step" in line and name in line)
        for name in CURVES
    }
    return tuple(Curve(CURVES[name], points) for name, points in named.items() if len(points) > 1)
