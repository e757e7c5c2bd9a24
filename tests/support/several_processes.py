"""Trains in each of a launcher's processes, one case after the other: `python -m several_processes WORLD OUT JSON`.

JSON is a list of cases: `run`, the RUN folder's name, and optionally `begun` (the folder that it is in, instead of
OUT), `settings`, `objective`, `captions` (false: none), `stop` (the step after which the main process fails), `odd`
(a rank that is given another learning rate), `idle` (whether the text head has a weight that no gradient reaches).
What each process was told is in `OUT/RUN.RANK.json`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import colours
import torch
from tiny_alignment import QUICK, World

from aesalign_core.alignment.align import align
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.errors import AesalignError
from aesalign_core.recipe import Use


class Idle(torch.nn.Linear):
    """A head with one weight too many."""

    def __init__(self, own: torch.nn.Linear) -> None:
        super().__init__(own.in_features, own.out_features, bias=False)
        self.load_state_dict(own.state_dict())
        self.idle = torch.nn.Parameter(torch.ones(3))


def train(world: World, out: Path, case: dict[str, Any]) -> dict[str, Any]:
    """What one case gave this process: `result` or `error`."""
    rank, settings = int(os.environ.get("RANK", "0")), dict(case.get("settings", {}))
    if case.get("odd") == rank:
        settings["learning_rate"] = 0.5

    def progress(phase: str, done: int, total: int, metrics: Any) -> None:
        if phase == "training" and done == case.get("stop"):
            raise InterruptedError("stop here")

    own = colours.ColourEncoder.text_head
    if case.get("idle"):
        colours.ColourEncoder.text_head = lambda self: Idle(own(self))  # type: ignore
    try:
        objective = Use(use=case.get("objective", "ranked_dpo"))
        build = colours.builder(objective=objective, align=AlignSettings(**{**QUICK, **settings}))
        captions = world.captions if case.get("captions", True) else None
        folder = Path(case.get("begun", out)) / case["run"]
        result = align(world.pairs, world.gallery, folder, build, captions=captions, progress=progress)
        return {"result": result.as_dict()}
    except (AesalignError, InterruptedError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        colours.ColourEncoder.text_head = own  # type: ignore


def main() -> None:
    """Trains, and says in the end whether accelerate was imported."""
    root, out, cases = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    rank = os.environ.get("RANK", "0")
    for case in cases:
        told = train(World.at(root), out, case) | {"accelerate": "accelerate" in sys.modules}
        (out / f"{case['run']}.{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
