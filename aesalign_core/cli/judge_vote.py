"""`aesalign judge vote`: people label the items of an HPIR file."""

from __future__ import annotations

import json as jsons
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Json, Recipe, Set


def vote(
    items: Annotated[Path, typer.Argument(help='JSON lines: {"query": …, "first": [photos], "second": [photos]}.')],
    votes: Annotated[
        Path | None, typer.Option("--votes", help="Folder that keeps the votes. Default: votes.")
    ] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What the photos are below.")] = None,
    recipe: Recipe = None,
    overrides: Set = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Have people label rows of photos, and make an HPIR file of it.

    Serves the page of the judge `human`, whose settings are judge.annotators, judge.aspects, judge.host, … The
    folder of votes then holds hpir.jsonl, which eval hpir scores. Stopped and started again, it goes on where it was.

    Example: [bold]aesalign judge vote items.jsonl --votes votes --set judge.annotators=3[/bold]
    """
    from aesalign_core.evaluation.hpir import read_hpir
    from aesalign_core.evaluation.row_choices import judge_choices

    found = read_hpir(items, photos_root=photos_root)
    # A quoted string, or a folder named 3 would become a number.
    named = [f"judge.votes={jsons.dumps(str(votes))}"] if votes else []
    judge = compose.builder(recipe=recipe, overrides=[*(overrides or ()), *named], judge="human").judge()
    with console.progress("votes") as progress:
        choices = judge_choices(judge, found, progress=progress)
    counts = {aspect: Counter(choice or "none" for choice in chosen) for aspect, chosen in choices.items()}
    table = {
        aspect: {c: count[c] for c in ("first", "similar", "second", "none")} for aspect, count in counts.items()
    }
    if json:
        console.print_json({"items": len(found), "aspects": table})
        return
    rows = [[aspect, *(str(number) for number in count.values())] for aspect, count in table.items()]
    console.table(f"{len(found)} items", ["", "first", "similar", "second", "no vote"], rows, numbers=range(1, 5))
