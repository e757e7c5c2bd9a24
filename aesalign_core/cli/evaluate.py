"""`aesalign eval`: metrics of an encoder or of a run, or of two over the same queries."""

from __future__ import annotations

import typer

from aesalign_core.cli.evaluate_compare import compare
from aesalign_core.cli.evaluate_hpir import hpir
from aesalign_core.cli.evaluate_ranking import ranking
from aesalign_core.cli.evaluate_retrieval import retrieval
from aesalign_core.cli.evaluate_zeroshot import zeroshot

app = typer.Typer(no_args_is_help=True, help="Measure an encoder, or compare two.")

for verb in (compare, retrieval, zeroshot, ranking, hpir):
    app.command()(verb)
