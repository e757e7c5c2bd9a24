"""Options that several verbs share, by the same names and with the same help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

DEBUG = "AESALIGN_DEBUG"


def _debug(value: bool) -> None:
    if value:
        os.environ[DEBUG] = "1"


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines, and nothing else, on stdout.")]
Recipe = Annotated[Path | None, typer.Option("--recipe", help="TOML file that names the components.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one recipe key, such as align.steps=100. Repeatable."),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, mps or auto.")]
Debug = Annotated[bool, typer.Option("--debug", callback=_debug, help="Show a traceback on errors.")]
Gallery = Annotated[Path, typer.Option("--gallery", "-g", help="The gallery's folder.")]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        "-e",
        help="Component name, open_clip ARCH/PRETRAINED, hf-hub: name, RUN folder, or RUN@STRENGTH.",
    ),
]
Rephraser = Annotated[str | None, typer.Option("--rephraser", help="Component name, or `none`.")]
Rewards = Annotated[list[str] | None, typer.Option("--reward", "-r", help="Reward component. Repeatable.")]
Strategy = Annotated[
    str | None, typer.Option("--strategy", help="original, repeat, detail, k_list, kw_dict or reorg.")
]
