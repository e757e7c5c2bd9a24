"""`aesalign eval ranking`: any engine's run, or two, against a relevance file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import console, differences
from aesalign_core.cli.options import Debug, Json, PhotosRoot

if TYPE_CHECKING:
    from aesalign_core.evaluation.graded import GradedReport


def ranking(
    run: Annotated[Path, typer.Argument(help="Ranked lists: JSON lines, or a TREC run.")],
    qrels: Annotated[Path, typer.Option("--qrels", help="Relevance: TREC qrels, or JSON lines.")],
    new: Annotated[Path | None, typer.Argument(help="Those of another system, to compare.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="nDCG@10, AP, AP@100, RR, P@5, R@10, Success@1, Judged@10. Repeatable."),
    ] = None,
    relevant: Annotated[int, typer.Option("--relevant", min=1, help="The grade from which a photo is relevant.")] = 1,
    photos_root: PhotosRoot = None,
    save_qrels: Annotated[
        Path | None, typer.Option("--save-qrels", help="Write the relevance as TREC qrels.")
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """nDCG, MAP and their kin of ranked lists, as trec_eval defines them.

    A query of the relevance file that a run has no list for counts 0. With two runs, differences come with 95 %
    bootstrap intervals over queries.

    Example: [bold]aesalign eval ranking old.trec new.trec --qrels qrels.txt -m nDCG@10 -m AP[/bold]
    """
    from aesalign_core.evaluation.graded import System, grade, rooted, rooted_qrels
    from aesalign_core.evaluation.qrels import read_qrels, write_qrels
    from aesalign_core.evaluation.relevance import DEFAULT, Metric
    from aesalign_core.evaluation.run_files import read_rankings

    metrics = [Metric.parse(name) for name in metric or DEFAULT]
    relevance, lists = read_qrels(qrels), [(str(path), read_rankings(path)) for path in (run, new) if path]
    if photos_root:
        relevance = rooted_qrels(relevance, photos_root)
        lists = [(name, rooted(rankings, photos_root)) for name, rankings in lists]
    found = grade([System(*one) for one in lists], relevance, metrics, least=relevant)
    if save_qrels:
        write_qrels(save_qrels, relevance)
    if json:
        console.print_json(found.as_dict())
    else:
        _show(found, [name for name, _ in lists])


def _show(found: GradedReport, systems: list[str]) -> None:
    for name in dict.fromkeys(systems):
        if missing := found.missing[name]:
            console.note(f"{name} has no list for {missing} of the {found.queries} queries; they count 0")
        if unjudged := found.unjudged[name]:
            console.note(f"{name} has {unjudged} queries that the relevance file does not have; they do not count")
    title = f"{found.queries} queries"
    if found.differences:
        differences.show(title, systems, found.differences)
        return
    rows = [[name, f"{values[systems[0]]:.4f}"] for name, values in found.metrics.items()]
    console.table(title, ["metric", systems[0]], rows, numbers=[1])
