"""`aesalign score`: photos → rewards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Device, Encoder, Json, Recipe, Rewards, Set

NAME = "score"


def command(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.")],
    rewards: Rewards = None,
    encoder: Encoder = None,
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Photos per forward pass.")] = 64,
    recipe: Recipe = None,
    overrides: Set = None,
    device: Device = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Score photos with a reward model. With --json, one line per photo and reward.

    Fails only if no photo could be scored; those that could not are listed with the reason.

    Example: [bold]aesalign score holiday/*.jpg --reward embedded[/bold]
    """
    from aesalign_core.scoring import Score, check_any, score

    build = compose.builder(recipe=recipe, overrides=overrides, device=device, encoder=encoder, rewards=rewards)
    shown: list[Score] = []
    with console.progress("scoring") as progress:
        for line in score(photos, build.rewards(), batch_size=batch_size, progress=progress):
            shown.append(line)
            if json:
                console.print_json_line(line.as_dict())
    if not json:
        rows = [[s.path, s.reward, "" if s.score is None else f"{s.score:.4f}", s.reason or ""] for s in shown]
        console.table("", ["photo", "reward", "score", "left out because"], rows, numbers=[2])
    check_any(shown)
