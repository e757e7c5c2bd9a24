"""`aesalign pairs`: gallery and queries → preference grids."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.grid_table import print_grid
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Rephraser, Set, Strategy

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery as Photos
    from aesalign_core.preferences.pairs import PairsResult

NAME = "pairs"


def command(
    gallery: Gallery,
    queries: Annotated[Path, typer.Option("--queries", help="A file with one query a line.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The Parquet file to write.")],
    encoder: Encoder = None,
    rephraser: Rephraser = None,
    strategy: Strategy = None,
    reward: Annotated[str | None, typer.Option("--reward", "-r", help="The gallery column to order by.")] = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Build the preference grids that alignment learns from.

    Per query: retrieve with the rephrased query, cut the ranking into semantic bands, order each by reward.

    Example: [bold]aesalign pairs -g gallery --queries queries.txt -o pairs.parquet --set pairs.rows=4[/bold]
    """
    from aesalign_core.gallery import Gallery as OpenGallery
    from aesalign_core.preferences.pairs import make_pairs
    from aesalign_core.queries import read_queries

    texts = read_queries(queries)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rephraser=rephraser)
    asked = build.recipe.pairs
    changes = {"strategy": compose.strategy(strategy, asked.strategy), "reward": reward or asked.reward}
    photos = OpenGallery.open(gallery, build)
    with console.progress("pairs") as progress:
        result = make_pairs(
            texts,
            photos,
            compose.encoder_of(photos, build, chosen=bool(encoder or recipe)),
            build.rephraser(),
            asked.model_copy(update=changes),
            out=out,
            progress=progress,
        )
    if json:
        console.print_json(result.as_dict())
    else:
        _show(result, photos, out)


def _show(result: PairsResult, photos: Photos, out: Path) -> None:
    numbers = result.statistics()
    made = "already made from the very same" if result.reused else "written"
    console.out().print(f"{out}: {made}", markup=False)
    console.table("", ["statistic", "value"], [[n, f"{v:g}"] for n, v in numbers.items()], numbers=[1])
    _example(result, photos)
    for reason, count in Counter(d.reason for d in result.dropped).most_common():
        console.note(f"{count} queries dropped: {reason}")
    for reason, count in Counter(r.fallback or "" for r in result.fallbacks).most_common():
        console.note(f"{count} queries not rephrased: {reason}")


def _example(result: PairsResult, photos: Photos) -> None:
    grid = result.example
    if grid is None:
        return
    title = (
        f"Example: {grid.query!r}, as {grid.rephrased!r}. Down: less similar. Right: lower {result.header.reward}."
    )
    print_grid(title, grid, photos)
