"""`aesalign eval zeroshot`: photos in a folder per class, named by prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console, differences
from aesalign_core.cli.options import Batch, Classes, Debug, Device, Encoder, Json, Recipe, Set, Templates, Workers

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.evaluation.labelled import Labelled
    from aesalign_core.evaluation.zeroshot import ZeroShotReport
    from aesalign_core.protocols import Encoder as Model


def zeroshot(
    folder: Annotated[Path, typer.Argument(help="Photos, in a folder for each class.")],
    encoder: Encoder = None,
    against: Annotated[
        str | None, typer.Option("--against", help="The new encoder: a RUN folder, or any encoder.")
    ] = None,
    classes: Classes = None,
    templates: Templates = "openai",
    batch_size: Batch = 64,
    workers: Workers = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Zero-shot classification: top-1, top-5 and mean accuracy per class.

    A class is called what its folder is called; ImageNet's folders (n01440764) have open_clip's names. Its vector is
    the mean over the templates. Photos that cannot be read are listed and left out.

    Example: [bold]aesalign eval zeroshot imagenet/val -e ViT-B-32/openai[/bold]

    Example: [bold]aesalign eval zeroshot pets --classes names.csv --templates simple --against run[/bold]
    """
    from aesalign_core.evaluation.labelled import find_labelled

    photos = find_labelled(folder)
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder)
    names, texts = asked(build, photos, classes, templates)
    encoders = [build.encoder(), *([build.encoder(against)] if against else [])]
    found = classify(photos, names, texts, encoders, batch_size=batch_size, workers=workers)
    if json:
        console.print_json(found.as_dict())
    else:
        _show(found, [e.name for e in encoders])


def asked(
    build: Builder, photos: Labelled, classes: Path | None, templates: str
) -> tuple[tuple[str, ...], Sequence[str]]:
    """The names of the classes and the templates that the flags describe."""
    from aesalign_core.evaluation.class_names import name_classes, read_class_names, read_templates

    given = read_class_names(classes) if classes else None
    is_file = Path(templates).is_file()
    prompts = build.prompts("openai" if is_file else templates)
    names = name_classes(photos.folders, prompts.class_names(photos.folders), given)
    return names, read_templates(Path(templates)) if is_file else prompts.templates


def classify(
    photos: Labelled,
    names: Sequence[str],
    templates: Sequence[str],
    encoders: Sequence[Model],
    *,
    batch_size: int,
    workers: int | None,
) -> ZeroShotReport:
    """Classifies, with bars."""
    from aesalign_core.evaluation.zeroshot import classify as classified

    with console.phases() as progress:
        return classified(
            photos, names, templates, encoders, batch_size=batch_size, workers=workers, progress=progress
        )


def show_bad(found: ZeroShotReport) -> None:
    """The photos that could not be read."""
    if found.bad:
        console.table("Left out", ["file", "reason"], [[b.path, b.reason] for b in found.bad])


def _show(found: ZeroShotReport, encoders: list[str]) -> None:
    title = f"{found.photos} photos, {len(found.classes)} classes; guessing gives {found.chance:.4f}"
    if found.differences:
        differences.show(title, encoders, found.differences)
    else:
        rows = [[name, f"{values[encoders[0]]:.4f}"] for name, values in found.metrics.items()]
        console.table(title, ["metric", encoders[0]], rows, numbers=[1])
    show_bad(found)
