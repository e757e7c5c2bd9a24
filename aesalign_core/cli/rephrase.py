"""`aesalign rephrase`: what the rephraser makes of a query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Json, Recipe, Rephraser, Set, Strategy

NAME = "rephrase"
BATCH = 64


def command(
    query: Annotated[str | None, typer.Argument(help="The user's own words.")] = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="A file with one query a line.")] = None,
    rephraser: Rephraser = None,
    strategy: Strategy = None,
    encoder: Encoder = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Show what a rephraser makes of a query.

    A query that could not be rephrased comes back as it was, with the reason.

    Example: [bold]aesalign rephrase "a dog on a beach" --strategy k_list[/bold]
    """
    from aesalign_core.queries import read_queries
    from aesalign_core.searching import check_query

    if (query is None) == (queries is None):
        raise typer.BadParameter("give one QUERY, or --queries FILE")
    texts = read_queries(queries) if queries else [query or ""]
    for text in texts:
        check_query(text)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rephraser=rephraser)
    chosen = compose.strategy(strategy, build.recipe.pairs.strategy)
    for start in range(0, len(texts), BATCH):
        for made in build.rephraser().rephrase(texts[start : start + BATCH], strategy=chosen):
            if json or queries:
                console.print_json_line(made.as_dict())
            else:
                typer.echo(made.text)
                if made.fallback:
                    console.note(f"not rephrased: {made.fallback}")
