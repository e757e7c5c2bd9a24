"""`aesalign reindex`: a gallery's photos, embedded again by another image tower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import (
    Batch,
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
)  # fmt: skip
from aesalign_core.errors import SettingsError

if TYPE_CHECKING:
    from aesalign_core.indexing.reindex import ReindexReport
    from aesalign_core.indexing.switching import Version

NAME = "reindex"


def command(
    gallery: Gallery,
    encoder: Encoder = None,
    rewards: Rewards = None,
    switch: Annotated[
        bool, typer.Option("--switch/--no-switch", help="Use the new version when it is whole, or only make it.")
    ] = True,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Switch even if some photos cannot be read any more.")
    ] = False,
    is_list: Annotated[bool, typer.Option("--list", help="Show the versions, and do nothing.")] = False,
    is_rollback: Annotated[bool, typer.Option("--rollback", help="Use the version that was in use before.")] = False,
    delete: Annotated[
        int | None, typer.Option("--delete", min=1, metavar="VERSION", help="Delete a version that is not in use.")
    ] = None,
    batch_size: Batch = 64,
    workers: EngineWorkers = None,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Embed a gallery's photos again, for an encoder with another image tower.

    The new version is made beside the old one, which is searched meanwhile; then the gallery means the new one, at
    once. Run again after an interruption, it goes on. Scores are taken over. An encoder aligned with --tune text
    needs none of this.

    Example: [bold]aesalign reindex -g gallery --encoder run[/bold], and back: [bold]aesalign reindex -g gallery
    --rollback[/bold]
    """
    if sum((is_list, is_rollback, delete is not None)) + (encoder is not None) > 1:
        raise SettingsError("--encoder, --list, --rollback and --delete each ask for something else", hint="give one")
    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rewards=rewards)
    if is_rollback or delete is not None or is_list:
        from aesalign_core.indexing import switching

        if is_rollback:
            switching.rollback(gallery, build)
        if delete is not None:
            switching.delete(gallery, delete, build)
        _show_versions(switching.listing(gallery, build), is_json=json)
        return
    if "encoder" not in build.recipe.model_fields_set:
        raise SettingsError("reindex needs the encoder that is to embed the photos", hint="give --encoder RUN")
    from aesalign_core.indexing.reindex import reindex

    console.note(f"encoder: {compose.describe_encoder(build.encoder())}")
    with console.progress("reindexing") as progress, console.stdout_kept():
        report = reindex(
            gallery,
            build,
            batch_size=batch_size,
            workers=workers,
            switch=switch,
            leave_out=leave_out,
            progress=progress,
            engine=engine,
            ray_address=ray_address,
        )
    if json:
        console.print_json(report.as_dict())
    else:
        _show(report)


def _show(report: ReindexReport) -> None:
    def say(text: str) -> None:
        console.out().print(text, markup=False)

    if report.version == report.before:
        say(f"{report.gallery}: nothing to do, version {report.version} has the image tower of {report.encoder}")
        return
    copied = ", ".join(f"{count} of {name}" for name, count in report.copied.items())
    say(
        f"{report.gallery}: version {report.version}, {report.added} photos embedded by {report.encoder}"
        + (f", scores taken over: {copied}" if copied else "")
        + f", in {report.seconds:.1f} s"
    )
    if report.switched:
        say(f"in use now; back to version {report.before}: aesalign reindex -g {report.gallery} --rollback")
    else:
        say(f"version {report.before} stays in use; try the new one as -g {report.gallery}@{report.version}")
    if report.left_out:
        console.table("Left out", ["file", "reason"], [[b.path, b.reason] for b in report.left_out])


def _show_versions(found: list[Version], *, is_json: bool) -> None:
    if is_json:
        console.print_json([version.as_dict() for version in found])
        return
    rows = [[str(v.number), v.state, f"{v.photos:,}", v.encoder, v.place] for v in found]
    console.table("", ["version", "state", "photos", "encoder", "place"], rows, numbers=[0, 2])
