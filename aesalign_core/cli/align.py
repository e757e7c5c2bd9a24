"""`aesalign align`: preference grids → aligned encoder."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Gallery, Json, Recipe, Set

if TYPE_CHECKING:
    from aesalign_core.alignment.align import AlignResult

NAME = "align"


def command(
    gallery: Gallery,
    pairs: Annotated[Path, typer.Option("--pairs", "-p", help="The Parquet file that `pairs` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The RUN folder.")],
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions", help="CSV (file,caption), or COCO's or Karpathy's JSON: for the pre-training loss."
        ),
    ] = None,
    photos_root: Annotated[
        Path | None, typer.Option("--photos-root", help="What the captioned files are below.")
    ] = None,
    tune: Annotated[str | None, typer.Option("--tune", help="text, image, both, or adapter.")] = None,
    objective: Annotated[str | None, typer.Option("--objective", help="Objective component.")] = None,
    recall_floor: Annotated[
        float | None,
        typer.Option("--recall-floor", help="Keep the best step with this share of the held-out recall, e.g. 0.97."),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option("--watch", help="A reward of the gallery, not trained on, that tells when the other is gamed."),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            "--features", help="A folder of frozen features, to share between runs; default: the RUN's own."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the newest checkpoint.")] = True,
    encoder: Encoder = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Fine-tune an encoder on preference grids.

    Killed or interrupted, the same command goes on from the newest checkpoint, with the same batches. --tune text
    leaves every gallery valid; --tune adapter does for any encoder, by a map on its text embeddings. --recall-floor
    holds some captioned photos out, and keeps the best step by them.

    Example: [bold]aesalign align -p pairs.parquet -g gallery -o run --captions captions.csv --tune text[/bold]
    """
    from json import dumps as quote

    from aesalign_core import launcher
    from aesalign_core.alignment import processes
    from aesalign_core.alignment.align import align

    changes = [
        *(overrides or ()),
        *([f'align.tune="{tune}"'] if tune else []),
        *([f"align.recall_floor={recall_floor}"] if recall_floor is not None else []),
        *([f"align.watch_reward={quote(watch)}"] if watch is not None else []),
    ]
    build = compose.builder(recipe=recipe, overrides=changes, device=device, encoder=encoder, objective=objective)
    with console.phases() as progress:
        result = align(
            pairs, gallery, out, build,
            captions=captions, photos_root=photos_root, features=features, progress=progress, resume=resume,
        )  # fmt: skip
    processes.part()
    if launcher.rank() != 0:
        return
    if json:
        console.print_json(result.as_dict())
    else:
        _show(result, gallery)


def _show(result: AlignResult, gallery: PurePath) -> None:
    if result.already_finished:
        console.note(f"{result.run} was finished already; nothing was done")
    if result.resumed_from is not None:
        console.note(f"went on from step {result.resumed_from}")
    if result.missing:
        console.note(f"{result.missing} captioned files are not in the gallery and were left out")
    towers = " and ".join(result.tuned)
    told = f"{result.encoder}, {towers} aligned on {result.queries} queries in {result.seconds:.1f} s"
    console.out().print(f"{result.run}: {told}; pre-training loss {result.pretraining}", markup=False)
    names = [
        name for name in ("loss", "preference_loss", "pretraining_loss", "accuracy", "margin") if name in result.last
    ]
    rows = [[name, f"{result.first[name]:.4f}", f"{result.last[name]:.4f}"] for name in names]
    console.table("", ["", "first step", f"step {result.steps}"], rows, numbers=[1, 2])
    if result.kept == 0:
        console.out().print("no step was better on what was held out: these are the weights it began with")
    if result.held_out:
        _show_held_out(result)
    if result.tuned == ("text",):
        console.note(f"the gallery stays as it is: aesalign search QUERY -g {gallery} --encoder {result.run}")
    else:
        console.note(f"the image space is new: aesalign reindex -g {gallery} --encoder {result.run}")


def _show_held_out(result: AlignResult) -> None:
    seen = result.held_out
    console.out().print(
        f"step {result.kept} of {result.steps} was kept; on what was held out:"
        f" R@{seen['depth']:.0f} {seen['recall']:.3f}, {seen['recall_kept']:.1%} of the base's",
        markup=False,
    )
    rows = [
        [label, f"{seen[f'{name}_gain']:+.3f}", f"[{seen[f'{name}_low']:+.3f}, {seen[f'{name}_high']:+.3f}]"]
        for name, label in (("reward", "the trained reward"), ("other", "the watched reward"))
        if f"{name}_gain" in seen
    ]
    console.table("", ["held out, σ of the gallery", "gain", "95 %"], rows, numbers=[1])
