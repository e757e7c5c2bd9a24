"""`aesalign report`: two systems → a page with their photos, what was measured, and what a judge says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import browser, compose, console, pages
from aesalign_core.cli.asking import Asking, Given
from aesalign_core.cli.options import Debug, Device, Json, Recipe, Set

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.evaluation.judging import Judgement
    from aesalign_core.evaluation.questions import Question
    from aesalign_core.evaluation.systems import System
    from aesalign_core.report.comparison import Comparison

NAME = "report"


def command(
    old: Annotated[str, typer.Argument(help="A file of ranked lists, or an encoder.")],
    new: Annotated[str, typer.Argument(help="Another: a file, an encoder, a RUN folder, or RUN@STRENGTH.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")] = Path("aesalign-report.html"),
    gallery: Annotated[
        Path | None, typer.Option("--gallery", "-g", help="Where encoders search; rewards of the photos.")
    ] = None,
    against_gallery: Annotated[
        Path | None, typer.Option("--against-gallery", help="NEW's gallery, if its image tower is another.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="What encoders are asked, one query a line.")
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option("--captions", help="CSV file,caption: which photo is right; what encoders are asked."),
    ] = None,
    qrels: Annotated[Path | None, typer.Option("--qrels", help="Relevance file: which photos are right.")] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What relative paths are below.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="Judge component, such as reward or litellm.")] = None,
    reward: Annotated[str | None, typer.Option("--reward", "-r", help="The reward to show and to order by.")] = None,
    pairs: Annotated[Path | None, typer.Option("--pairs", "-p", help="Show some of the grids of `pairs`.")] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Show this RUN's training; NEW itself, if it is one.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Photos of a row.")] = 10,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Queries at most, evenly chosen.")] = None,
    title: Annotated[str, typer.Option("--title", help="Of the page.")] = "",
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Write a page about two systems: summary, biggest wins and losses, every query's photos before and after.

    OLD and NEW are ranked lists of any engine, or encoders that search a gallery for --queries or --captions. With a
    RUN and captions the page also shows recall against reward, over all strengths and against re-ranking.

    Example: [bold]aesalign report old.jsonl new.jsonl --judge reward --out page.html --open[/bold]

    Example: [bold]aesalign report embedded run -g gallery --captions captions.csv --pairs pairs.parquet[/bold]
    """
    from aesalign_core.encoder_names import run_of

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, judge=judge)
    given = Given(gallery, against_gallery, queries, captions, qrels, photos_root, k, limit)
    asking = Asking((old, new), build, given)
    shown_run = run or (None if Path(new).is_file() else (run_of(new) or (None,))[0])
    material = pages.Material(
        build, gallery=asking.photos, captions=asking.matched, reward=reward, run=shown_run, pairs=pairs
    )
    before, after, questions = asking.answers()
    for caveat in asking.caveats:
        console.note(f"note: {caveat}")
    is_judged = judge is not None or "judge" in build.recipe.model_fields_set
    judgement = _judge(build, before, after, questions) if is_judged else None
    evidence = material.evidence(before, after, judgement, asking.caveats)
    made = pages.write(out, before, after, questions, evidence, k=k, title=title)
    if made.no_front:
        console.note(f"no plot of recall against reward: {made.no_front}")
    _tell(made, out, json=json)
    browser.announce(out, is_opened=show)


def _judge(build: Builder, old: System, new: System, questions: Sequence[Question]) -> Judgement:
    from aesalign_core.evaluation.judging import judge_rows

    chosen = build.judge()
    queries = list(dict.fromkeys(question.query for question in questions))
    with console.progress(f"judging with {chosen.name}") as progress:
        return judge_rows(chosen, queries, old.paths(queries), new.paths(queries), progress=progress)


def _tell(made: Comparison, out: Path, *, json: bool) -> None:
    from aesalign_core.report import summary, wording

    if json:
        console.print_json({"report": str(out), **summary.as_dict(made)})
        return
    title = wording.plural(len(made.queries), "query")
    console.table(title, ["measure", *summary.COLUMNS], summary.table(made.measures))
    for tally in made.tallies:
        told = f"{tally.judge}: {tally.wins} better, {tally.similar} no different, {tally.losses} worse"
        console.out().print(told, markup=False)
