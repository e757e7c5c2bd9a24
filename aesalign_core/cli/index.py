"""`aesalign index`: photos → gallery."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import (
    Debug,
    Device,
    Encoder,
    Engine,
    EngineWorkers,
    Gallery,
    Json,
    RayAddress,
    Recipe,
    Rewards,
    Set,
)

if TYPE_CHECKING:
    from aesalign_core.indexing.index import IndexReport

NAME = "index"


def command(
    photos: Annotated[Path, typer.Argument(help="A folder, or a text file with one path a line.")],
    gallery: Gallery,
    encoder: Encoder = None,
    rewards: Rewards = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete photos whose file is gone.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Photos per forward pass.")] = 64,
    workers: EngineWorkers = None,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Embed and score photos into a gallery.

    Running it again adds only what is new. Files that cannot be decoded are listed and cost nothing else.

    Example: [bold]aesalign index ~/Pictures -g gallery --reward embedded[/bold]
    """
    from aesalign_core.images.decoding import find_photos
    from aesalign_core.indexing.index import index

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rewards=rewards)
    # Before any model is loaded: a wrong folder should not cost seconds.
    paths = find_photos(photos)
    console.note(f"encoder: {compose.describe_encoder(build.encoder())}")
    with console.progress("indexing") as progress, console.stdout_kept():
        report = index(
            paths, gallery, build, prune=prune, batch_size=batch_size, workers=workers, progress=progress,
            engine=engine, ray_address=ray_address,
        )  # fmt: skip
    if json:
        console.print_json(report.as_dict())
    else:
        _show(report, gallery)


def _show(report: IndexReport, gallery: PurePath) -> None:
    counts = {
        "added": report.added,
        "unchanged": report.unchanged,
        "moved": report.moved,
        "removed": report.removed,
        "vanished": report.vanished,
        "left out": len(report.bad),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    console.out().print(f"{gallery}: {told or 'nothing to do'}, in {report.seconds:.1f} s", markup=False)
    if report.vanished:
        console.note("files that vanished are still in the gallery; --prune deletes them")
    if report.bad:
        console.table("Left out", ["file", "reason"], [[b.path, b.reason] for b in report.bad])
