"""The page of a demonstration: what was found, put into the words of a comparison of two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.report import grids
from aesalign_core.report.comparison import Comparison
from aesalign_core.report.records import GridExample, Photo
from aesalign_core.report.training import curves
from aesalign_embedded.demo.judging import SHORT

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.preferences.records import PairsResult
    from aesalign_core.recipe import Recipe
    from aesalign_embedded.demo.material import Material
    from aesalign_embedded.demo.result import DemoResult

CURVES = ("loss", "accuracy", "margin")


def comparison(
    result: DemoResult,
    material: Material,
    *,
    old: str,
    facts: tuple[tuple[str, str], ...],
    examples: tuple[GridExample, ...],
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
        grids=examples,
        curves=curves(result.rounds[0].run, CURVES),
        caveats=result.caveats,
    )


def facts(recipe: Recipe, grids: Sequence[int], *, queries: int, kept: float) -> tuple[tuple[str, str], ...]:
    """What was done, in numbers."""
    settings = recipe.align
    named = {"both": "both towers", "adapter": "an adapter on texts' embeddings"}
    towers = named.get(settings.tune, f"the {settings.tune} tower")
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


def example(pairs: PairsResult, gallery: Gallery, flaws: Mapping[str, str]) -> tuple[GridExample, ...]:
    """The training grid with the widest rewards, with its pictures; none if there is no grid."""

    def photo(path: Path) -> Photo:
        flaw = flaws.get(str(path), "")
        return Photo(path, name=f"{path.parent.name}/{path.name}" if flaws else "", badge=SHORT.get(flaw, flaw))

    grid = pairs.example
    return (grids.example(grid, gallery, reward=pairs.header.reward, photo=photo),) if grid else ()
