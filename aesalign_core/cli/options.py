"""Options that several verbs share, by the same names and with the same help."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Annotated

import typer

from aesalign_core.locations import locate

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
Gallery = Annotated[
    PurePath,
    typer.Option(
        "--gallery", "-g", parser=locate, metavar="GALLERY", help="Its folder, s3://BUCKET/…, or GALLERY@VERSION."
    ),
]
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
Captions = Annotated[
    Path, typer.Option("--captions", help="CSV (file,caption), COCO's captions JSON, or Karpathy's dataset JSON.")
]
Split = Annotated[
    list[str] | None, typer.Option("--split", help="Only captions of this split, such as test. Repeatable.")
]
CaptionsPerPhoto = Annotated[
    int | None,
    typer.Option("--captions-per-photo", min=1, help="Take the first so many of each photo; default: all."),
]
OnlyCaptioned = Annotated[
    bool, typer.Option("--only-captioned", help="Search captioned photos only, as published protocols do.")
]
AgainstGallery = Annotated[
    PurePath | None,
    typer.Option(
        "--against-gallery",
        parser=locate,
        metavar="GALLERY",
        help="The new encoder's gallery, if its image tower is another.",
    ),
]
PhotosRoot = Annotated[Path | None, typer.Option("--photos-root", help="What relative files are below.")]
Templates = Annotated[
    str, typer.Option("--templates", help="openai (80), simple (7), or a file with one template a line.")
]
Classes = Annotated[
    Path | None, typer.Option("--classes", help="Names of the folders: CSV (folder,name), or a JSON object.")
]
Batch = Annotated[int, typer.Option("--batch-size", min=1, max=4096, help="Photos per forward pass.")]
Engine = Annotated[
    str, typer.Option("--engine", help="local, or ray: the workers of a cluster (extra `ray`) read and embed.")
]
EngineWorkers = Annotated[
    int | None, typer.Option("--workers", min=1, max=256, help="Decoding threads, or Ray's workers.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", help="Cluster to join: HOST:PORT or auto. Default: RAY_ADDRESS, else one is started here."
    ),
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="Threads that decode.")]
