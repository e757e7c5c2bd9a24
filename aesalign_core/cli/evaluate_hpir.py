"""`aesalign eval hpir`: agreement of an encoder, or of a judge, with people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Json, Recipe, Set

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.evaluation.agreement import Agreement
    from aesalign_core.evaluation.hpir import Choice, Item


def hpir(
    file: Annotated[Path, typer.Argument(help="JSON lines: queries, two rows each, labels.")],
    encoder: Encoder = None,
    against: Annotated[str | None, typer.Option("--against", help="Another encoder on the same items.")] = None,
    judge: Annotated[str | None, typer.Option("--judge", help="A judge, instead of encoders.")] = None,
    photos_root: Annotated[Path | None, typer.Option("--photos-root", help="What the photos are below.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the file, and say what is in it.")] = False,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Agreement with people's labels of two rows, weighted by how sure they are.

    An encoder prefers the row whose photos are more similar to the query. With --judge, the judge's verdicts are
    compared with people's. The ceiling is what one person reaches against all others.

    Example: [bold]aesalign eval hpir hpir.jsonl --encoder embedded --against run[/bold]
    """
    from aesalign_core.evaluation.agreement import decided_aspects
    from aesalign_core.evaluation.hpir import read_hpir

    items = read_hpir(file, photos_root=photos_root)
    aspects = sorted({label.aspect for item in items for label in item.labels})
    people = len({label.annotator for item in items for label in item.labels})
    console.note(f"{len(items)} items, {people} annotators, aspects: {', '.join(aspects) or 'none'}")
    if check:
        if json:
            console.print_json({"items": len(items), "annotators": people, "aspects": aspects})
        return
    decided = decided_aspects(items)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, judge=judge)
    systems = _of_judge(build, items, decided) if judge else _of_encoders(build, items, decided, against)
    asked = {*aspects, *(aspect for choices in systems.values() for aspect in choices)}
    if unsaid := sorted(asked - set(decided)):
        console.note(f"people prefer no row in {', '.join(unsaid)}: left out")
    found = {name: _agreements(items, choices, decided) for name, choices in systems.items()}
    if json:
        console.print_json({s: {a: one.as_dict() for a, one in per.items()} for s, per in found.items()})
    else:
        _show(found)


def _of_judge(build: Builder, items: list[Item], aspects: list[str]) -> dict[str, dict[str, list[Choice | None]]]:
    from aesalign_core.errors import EvaluationError
    from aesalign_core.evaluation.row_choices import judge_choices

    judge = build.judge()
    if not set(judge.aspects) & set(aspects):
        raise EvaluationError(
            f"the judge {judge.name} judges {', '.join(judge.aspects)}, and people {', '.join(aspects)}",
            hint="choose a judge of the same aspects",
        )
    return {judge.name: judge_choices(judge, items)}


def _of_encoders(
    build: Builder, items: list[Item], aspects: list[str], against: str | None
) -> dict[str, dict[str, list[Choice | None]]]:
    from aesalign_core.evaluation.row_choices import encoder_choices

    found = {}
    for one in [build.encoder(), *([build.encoder(against)] if against else [])]:
        choices = encoder_choices(one, items)
        found[one.name] = dict.fromkeys(aspects, choices)
    return found


def _agreements(
    items: list[Item], choices: dict[str, list[Choice | None]], aspects: list[str]
) -> dict[str, Agreement]:
    from aesalign_core.evaluation.agreement import agreement

    return {aspect: agreement(items, choices[aspect], aspect) for aspect in aspects if aspect in choices}


def _show(found: dict[str, dict[str, Agreement]]) -> None:
    rows = [
        [
            system,
            aspect,
            f"{one.agreement:.1%}",
            f"{one.low:.1%} … {one.high:.1%}",
            "–" if one.kappa is None else f"{one.kappa:+.2f}",
            "–" if one.ceiling is None else f"{one.ceiling:.1%}",
            str(one.items),
            str(one.missing),
        ]
        for system, per_aspect in found.items()
        for aspect, one in per_aspect.items()
    ]
    columns = ["system", "aspect", "agreement", "95 %", "κ", "people's own", "items", "missing"]
    console.table("", columns, rows, numbers=range(2, len(columns)))
