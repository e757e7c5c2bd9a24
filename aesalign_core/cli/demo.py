"""`aesalign demo`: the whole flow on real photographs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import browser, compose, console
from aesalign_core.cli.options import Debug, Device, Json, Recipe, Set

NAME = "demo"
# The demo shows the embedded components and lives with them; the core names it by path, as it names factories.
FLOW = "aesalign_embedded.demo.flow"


def command(
    photos: Annotated[
        Path | None, typer.Argument(help="A folder of your photos; without it, a few that ship.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where everything is kept.")] = Path("aesalign-demo"),
    captions: Annotated[Path | None, typer.Option("--captions", help="CSV file,caption of your photos.")] = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="Your queries, one a line.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the splits and the training.")] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Run the whole flow on real photographs and write a report with pictures, before and after.

    Offline, on the CPU, in a few minutes.

    Example: [bold]aesalign demo ~/Pictures --open[/bold]
    """
    run_demo = importlib.import_module(FLOW).run_demo
    build = compose.builder(recipe=recipe, overrides=overrides, device=device)
    with console.phases() as progress:
        result = run_demo(photos, out, build, captions=captions, queries=queries, seed=seed, progress=progress)
    if json:
        console.print_json(result.as_dict())
    else:
        console.table(
            "", ["held-out queries", "before", "after", "change", "95 % interval", "verdict"], result.table()
        )
        console.out().print(result.headline, markup=False)
        for caveat in result.caveats:
            console.note(f"note: {caveat}")
        console.out().print(f"\nreport: {result.report}", markup=False)
    if show:
        browser.open_page(result.report)
