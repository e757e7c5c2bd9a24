"""`aesalign grid`: the preference grid of one query, to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesalign_core.cli import browser, compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Rephraser, Set, Strategy
from aesalign_core.cli.pictures import Blocks, Open, Out, Pictures, Show, check_flags
from aesalign_core.errors import PreferenceError
from aesalign_core.messages import nearest

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.gallery import Gallery as Photos
    from aesalign_core.preferences.pairs import PairsResult
    from aesalign_core.report.records import GridExample

NAME = "grid"


def command(
    gallery: Gallery,
    query: Annotated[str | None, typer.Argument(help="The query; with --pairs one of its queries.")] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", "-p", help="Show a stored grid of `pairs`, instead of making one.")
    ] = None,
    encoder: Encoder = None,
    rephraser: Rephraser = None,
    strategy: Strategy = None,
    reward: Annotated[str | None, typer.Option("--reward", "-r", help="The gallery column to order by.")] = None,
    out: Out = None,
    is_opened: Open = False,
    show: Show = False,
    blocks: Blocks = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Show the preference grid that `pairs` would make of a query, or made.

    Rows are bands of falling closeness to the words, columns fall in reward. A photo is preferred to every other that
    is no closer and no more rewarded.

    Example: [bold]aesalign grid "a dog on a beach" -g gallery --open[/bold]

    Example: [bold]aesalign grid --pairs pairs.parquet -g gallery --out grid.html[/bold]
    """
    from aesalign_core.gallery import Gallery as OpenGallery

    check_flags(show=show, blocks=blocks, json=json)
    if query is None and pairs is None:
        raise typer.BadParameter("give a QUERY, or --pairs FILE")
    pictures = Pictures(blocks=blocks) if show else None
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rephraser=rephraser)
    photos = OpenGallery.open(gallery, build)
    if pairs is not None:
        found = _stored(pairs, query)
    else:
        found = _made(query or "", photos, build, strategy, reward, is_chosen=bool(encoder or recipe))
    shown = _example(found, photos)
    if json:
        console.print_json(_as_dict(found, shown))
    else:
        _tell(found, shown, photos, pictures)
    if out or is_opened:
        _page(found, shown, browser.place_for("grid.html", out), is_opened=is_opened)


def _made(
    query: str, photos: Photos, build: Builder, strategy: str | None, reward: str | None, *, is_chosen: bool
) -> PairsResult:
    from aesalign_core.preferences.pairs import build_grids

    asked = build.recipe.pairs
    changes = {"strategy": compose.strategy(strategy, asked.strategy), "reward": reward or asked.reward}
    encoder = compose.encoder_of(photos, build, chosen=is_chosen)
    found = build_grids([query], photos, encoder, build.rephraser(), asked.model_copy(update=changes))
    return _with_a_grid(found, query)


def _stored(path: Path, query: str | None) -> PairsResult:
    """The one grid that is wanted: of the query, else the one with the widest rewards."""
    from aesalign_core.preferences import store

    found = store.read(path)
    if query is None:
        return replace(found, grids=(found.example,) if found.example else ())
    known = [*(grid.query for grid in found.grids), *(drop.query for drop in found.dropped)]
    if query not in known:
        raise PreferenceError(f"{path} has no query {query[:60]!r}", hint=nearest(query, known)[:300])
    return _with_a_grid(replace(found, grids=tuple(g for g in found.grids if g.query == query)), query)


def _with_a_grid(found: PairsResult, query: str) -> PairsResult:
    if not found.grids:
        reason = next((drop.reason for drop in found.dropped if drop.query == query), "it was dropped")
        raise PreferenceError(
            f"the query {query[:60]!r} gives no grid: {reason}",
            hint="index more photos, or ask for less: pairs.rows, pairs.columns, pairs.stride, pairs.margin",
        )
    return found


def _example(found: PairsResult, photos: Photos) -> GridExample:
    from aesalign_core.report import grids

    if not found.grids:
        raise PreferenceError("there is no grid in it", hint="make some: aesalign pairs")
    (grid,) = found.grids
    reason = next((r.fallback or "" for r in found.fallbacks if r.query == grid.query), "")
    most = (grids.WHOLE, grids.WHOLE)
    return grids.example(grid, photos, reward=found.header.reward, fallback=reason, most=most)


def _tell(found: PairsResult, shown: GridExample, photos: Photos, pictures: Pictures | None) -> None:
    from aesalign_core.cli.grid_table import print_grid

    if shown.fallback:
        console.note(f"not rephrased: {shown.fallback}")
    if pictures:
        pictures.rows([[photo.path for photo in row] for row in shown.rows])
    title = f"{shown.query!r}, as {shown.rephrased!r}. Down: less similar. Right: lower {shown.reward}."
    print_grid(title, found.grids[0], photos)
    told = f"{shown.pairs} preference pairs, {shown.pairs_in_rows} of them within a band"
    console.out().print(told, markup=False)


def _page(found: PairsResult, shown: GridExample, out: Path, *, is_opened: bool) -> None:
    from aesalign_core.report.grid_page import write_grid

    header, (rows, columns) = found.header, shown.shape
    facts = (
        ("Bands × photos", f"{rows} × {columns} of {header.settings.candidates:,} candidates"),
        ("Reward", header.reward),
        ("Encoder", header.encoder),
        ("Rephraser", f"{header.rephraser}, {header.settings.strategy}"),
        ("Gallery", f"{header.photos:,} photos"),
    )
    write_grid(out, shown, facts=facts)
    browser.announce(out, is_opened=is_opened)


def _as_dict(found: PairsResult, shown: GridExample) -> dict[str, Any]:
    from aesalign_core.report.grids import cells

    (grid,) = found.grids
    rows = [
        [
            {
                "path": str(cell.photo.path),
                "similarity": cell.photo.similarity,
                "reward": cell.photo.reward,
                "preferred_to": len(cell.below),
            }
            for cell in row
        ]
        for row in cells(shown)
    ]
    return {
        "query": grid.query,
        "rephrased": grid.rephrased,
        "fallback": shown.fallback or None,
        "reward": shown.reward,
        "shape": list(shown.shape),
        "pairs": shown.pairs,
        "pairs_in_rows": shown.pairs_in_rows,
        "rows": rows,
    }
