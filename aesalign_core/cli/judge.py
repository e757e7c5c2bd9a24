"""`aesalign judge`: two systems' answers to the same queries, compared by a judge; and the judge itself, checked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aesalign_core.cli import browser, compose, console, pages
from aesalign_core.cli.asking import Asking, Given
from aesalign_core.cli.judge_vote import vote
from aesalign_core.cli.options import AgainstGallery, Debug, Device, Json, Recipe, Set

if TYPE_CHECKING:
    from aesalign_core.evaluation.judging import AspectSummary, Judgement
    from aesalign_core.protocols import Judge

app = typer.Typer(no_args_is_help=True, help="Have a judge compare two systems, or check the judge itself.")


app.command()(vote)


@app.command()
def compare(
    old: Annotated[str, typer.Argument(help="A file of ranked lists (JSON lines, TREC), or an encoder.")],
    new: Annotated[str, typer.Argument(help="Another: a file, an encoder, a RUN folder, or RUN@STRENGTH.")],
    judge: Annotated[str | None, typer.Option("--judge", help="Judge component: reward, litellm, human, …")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Photos of each list that are judged.")] = 10,
    gallery: Annotated[Path | None, typer.Option("--gallery", "-g", help="Where encoders search.")] = None,
    against_gallery: AgainstGallery = None,
    queries: Annotated[Path | None, typer.Option("--queries", help="What encoders are asked, one a line.")] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What relative paths are below.")] = None,
    report: pages.Page = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask nothing; say how many questions, tokens and dollars it would take.")
    ] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Compare two systems, ours or not: wins, ties and losses of the new one.

    Lists are what `search --queries` prints, or any engine's: {"query": …, "hits": ["a.jpg", …]} a line; encoders
    search --gallery for --queries.
    Answers of an LLM judge are cached: stopped and started again, nothing is asked twice.

    Example: [bold]aesalign judge compare old.jsonl new.jsonl --judge reward --report page.html[/bold]

    Example: [bold]aesalign judge compare embedded run -g gallery --queries queries.txt --judge human[/bold]
    """
    from aesalign_core.evaluation.judging import judge_rows

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, judge=judge)
    chosen = build.judge()
    given = Given(gallery, against_gallery, queries, None, None, photos_root, k, None)
    asking = Asking((old, new), build, given)
    before, after, questions = asking.answers()
    for caveat in asking.caveats:
        console.note(caveat)
    asked = list(dict.fromkeys(question.query for question in questions))
    rows = [system.paths(asked) for system in (before, after)]
    if dry_run:
        _estimate(chosen, asked, rows, json=json)
        return
    with console.progress(f"judging with {chosen.name}") as progress:
        found = judge_rows(chosen, asked, *rows, progress=progress)
    if report:
        material = pages.Material(build, gallery=asking.photos)
        evidence = material.evidence(before, after, found, asking.caveats)
        pages.write(report, before, after, questions, evidence, k=k)
    if json:
        console.print_json(found.as_dict())
    else:
        _show(found)
    if report:
        browser.announce(report, is_opened=False)


@app.command()
def check(
    photos: Annotated[Path, typer.Argument(help="A folder, or a list, of photos without flaws; six at least.")],
    judge: Annotated[str | None, typer.Option("--judge", help="Judge component, such as reward or litellm.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=6, max=1000, help="Photos used at most.")] = 30,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Ask a judge what is known before it is asked.

    Identical rows, rows against flawed copies, flawed copies that carry words to prefer them, rows in each other's
    place. A judge that does not pass is not to be believed elsewhere: the exit code is then 1.

    Example: [bold]aesalign judge check photos --judge litellm --set judge.model=openai/gpt-4o-mini[/bold]
    """
    import tempfile

    from aesalign_core.evaluation.controls import check_judge, raise_unless_passed
    from aesalign_core.images.decoding import find_photos

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, judge=judge)
    chosen = build.judge()
    with tempfile.TemporaryDirectory() as folder:
        found = check_judge(chosen, find_photos(photos)[:limit], Path(folder))
    if json:
        controls = {control.name: control.as_dict() for control in found}
        console.print_json({"judge": chosen.name, "passed": all(c.passed for c in found), "controls": controls})
    else:
        rows = [[c.name, str(c.asked), str(c.failed), _share(c.share), "yes" if c.passed else "NO"] for c in found]
        columns = ["control", "asked", "failed", "as expected", "passed"]
        console.table(chosen.name, columns, rows, numbers=range(1, 4))
    raise_unless_passed(chosen.name, found)


def _estimate(chosen: Judge, queries: list[str], rows: list[list[list[str]]], *, json: bool) -> None:
    estimate = getattr(chosen, "estimate", None)
    if estimate is None:
        raise typer.BadParameter(f"the judge {chosen.name} costs nothing: leave --dry-run out")
    found: Any = estimate(queries, *rows)
    if json:
        console.print_json({"requests": found.requests, "tokens": found.tokens, "cost": found.cost})
        return
    price = "no price is known" if found.cost is None else f"${found.cost:.4f}"
    told = f"{found.requests:,} questions, {found.tokens:,} tokens and {price} at most, before what is in the cache"
    console.out().print(told, markup=False)


def _show(found: Judgement) -> None:
    names = ["win", "similar", "loss", "win rate", "win or similar", "net", "95 %", "flipped", "failed"]
    columns = [_cells(summary) for summary in found.aspects.values()]
    title = f"{found.judge}, {found.queries} queries; wins are the new system's"
    rows = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
    console.table(title, ["", *found.aspects], rows, numbers=range(1, len(columns) + 1))
    for aspect, summary in found.aspects.items():
        for reason, count in summary.failures.items():
            console.note(f"{aspect}: {count} without a verdict: {reason}")


def _cells(summary: AspectSummary) -> list[str]:
    net = summary.net
    return [
        str(summary.wins),
        str(summary.similar),
        str(summary.losses),
        _share(summary.win_rate),
        _share(summary.win_and_similar_rate),
        f"{net.difference:+.3f}" if net else "–",
        f"{net.low:+.3f} … {net.high:+.3f}" if net and math.isfinite(net.low) else "–",  # one query has no interval
        _share(summary.flip_rate),
        str(sum(summary.failures.values())),
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
