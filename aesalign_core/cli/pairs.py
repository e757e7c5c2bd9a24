"""`aesalign pairs`: gallery and queries → preference grids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Rephraser, Set, Strategy

if TYPE_CHECKING:
    from aesalign_core.preferences import PairsResult

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
    from aesalign_core.gallery import Gallery as Photos
    from aesalign_core.preferences import make_pairs
    from aesalign_core.queries import read_queries

    texts = read_queries(queries)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rephraser=rephraser)
    changes = {"strategy": compose.strategy(strategy, build.recipe.pairs.strategy)}
    if reward:
        changes["reward"] = reward  # type: ignore[assignment]
    photos = Photos.open(gallery, build)
    with console.progress("pairs") as progress:
        result = make_pairs(
            texts,
            photos,
            compose.encoder_of(photos, build, chosen=bool(encoder or recipe)),
            build.rephraser(),
            build.recipe.pairs.model_copy(update=changes),
            out=out,
            progress=progress,
        )
    if json:
        console.print_json(result.as_dict())
    else:
        _show(result, photos, out)


def _show(result: PairsResult, photos: object, out: Path) -> None:
    raise NotImplementedError
