"""`aesalign search`: query → ranked hits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import browser, compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Rephraser, Set, Strategy
from aesalign_core.cli.pictures import Blocks, Open, Out, Pictures, Show, check_flags

if TYPE_CHECKING:
    from aesalign_core.types import SearchResult

NAME = "search"
BATCH = 256


def command(
    gallery: Gallery,
    query: Annotated[str | None, typer.Argument(help="What the photos should show.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="Hits per query.")] = 10,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="A file with one query a line; prints JSON lines.")
    ] = None,
    encoder: Encoder = None,
    strength: Annotated[
        float | None,
        typer.Option("--strength", help="Of the alignment of --encoder RUN: 0 before, 1 as aligned, up to 4."),
    ] = None,
    rephraser: Rephraser = None,
    strategy: Strategy = None,
    reward: Annotated[str | None, typer.Option("--reward", "-r", help="A reward column of the gallery.")] = None,
    reward_weight: Annotated[
        float, typer.Option("--reward-weight", "-w", help="w of similarity + w · reward (in std).")
    ] = 0.0,
    where: Annotated[str | None, typer.Option("--where", help="SQL condition, such as 'width > 800'.")] = None,
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
    """Find the photos of a gallery that answer a query.

    Without --encoder, the encoder that filled the gallery is used. A RUN folder that was tuned with --tune text
    searches the old gallery unchanged, at any --strength.

    Example: [bold]aesalign search "a dog on a beach" -g gallery -k 5[/bold]

    Example: [bold]aesalign search "a dog on a beach" -g gallery --encoder run --strength 0.6 --open[/bold]
    """
    from aesalign_core.gallery import Gallery as OpenGallery
    from aesalign_core.queries import read_queries
    from aesalign_core.report.hits_page import MAX_QUERIES, write_hits
    from aesalign_core.searching import search

    if (query is None) == (queries is None):
        raise typer.BadParameter("give one QUERY, or --queries FILE")
    check_flags(show=show, blocks=blocks, json=json or queries is not None)
    pictures = Pictures(blocks=blocks) if show else None
    texts = read_queries(queries) if queries else [query or ""]
    rephrased = rephraser if rephraser != "none" else None
    encoder = compose.at_strength(encoder, strength)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rephraser=rephrased)
    photos = OpenGallery.open(gallery, build)
    kept: list[SearchResult] = []
    for start in range(0, len(texts), BATCH):
        results = search(
            texts[start : start + BATCH],
            photos,
            compose.encoder_of(photos, build, chosen=bool(encoder or recipe)),
            k=k,
            rephraser=build.rephraser() if rephrased else None,
            strategy=compose.strategy(strategy, build.recipe.pairs.strategy),
            reward=reward,
            reward_weight=reward_weight,
            where=where,
            plugins=build.registry,
        )
        for result in results:
            _show(result, json=json, many=queries is not None)
            if pictures and result.hits:
                pictures.list([Path(hit.path) for hit in result.hits])
        kept += results[: MAX_QUERIES - len(kept)] if out or is_opened else []
    if kept:
        page = browser.place_for("hits.html", out)
        facts = (("Gallery", f"{len(photos):,} photos"), *((("Reward", reward),) if reward else ()))
        with console.progress("pictures") as progress:
            write_hits(page, kept, asked=len(texts), reward=reward, facts=facts, progress=progress)
        browser.announce(page, is_opened=is_opened)


def _show(result: SearchResult, *, json: bool, many: bool) -> None:
    if many:
        console.print_json_line(result.as_dict())
    elif json:
        console.print_json(result.as_dict())
    else:
        _table(result)


def _table(result: SearchResult) -> None:
    if result.rephrasing is not None:
        console.note(f"searched for: {result.rephrasing.text}")
        if result.rephrasing.fallback:
            console.note(f"not rephrased: {result.rephrasing.fallback}")
    names = sorted({name for hit in result.hits for name in hit.rewards})
    rows = [
        [
            str(rank),
            f"{hit.score:.4f}",
            *(f"{hit.rewards[n]:.3f}" if n in hit.rewards else "" for n in names),
            hit.path,
        ]
        for rank, hit in enumerate(result.hits, 1)
    ]
    console.table("", ["#", "score", *names, "path"], rows, numbers=range(2 + len(names)))
    if not rows:
        console.note("no photo matches")
