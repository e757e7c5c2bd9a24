"""`aesalign export`: RUN → a folder that another library loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aesalign_core.cli import compose, console
from aesalign_core.cli.options import Debug, Json

NAME = "export"


def command(
    run: Annotated[str, typer.Argument(help="A RUN folder, or RUN@STRENGTH.")],
    to: Annotated[str, typer.Option("--to", "-t", help="open_clip, transformers, onnx or adapter.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    strength: Annotated[
        float | None, typer.Option("--strength", help="0: before alignment, 1: aligned, up to 4: beyond.")
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Write an aligned encoder for another library to load.

    `adapter` is a small map on query embeddings, applied with NumPy alone: for a RUN of --tune adapter, or one whose
    text head is a linear map on the embeddings.

    Example: [bold]aesalign export run --to onnx --out run-onnx[/bold]
    """
    from aesalign_core.exporting.export import export

    result = export(run, to, out, compose.builder(recipe=None, device="cpu"), strength=strength)
    if json:
        console.print_json(result.as_dict())
        return
    console.out().print(f"{result.folder}: {result.run} ({result.encoder}) as {result.to}", markup=False)
    rows = [[name, f"{size:,}"] for name, size in result.files.items()]
    console.table("", ["file", "bytes"], rows, numbers=[1])
