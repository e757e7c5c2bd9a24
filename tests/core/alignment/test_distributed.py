"""Training in several processes of torchrun: what it gives is what one process gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import launching
import pytest
import torch
from safetensors.torch import load_file
from tiny_alignment import World, builder

from aesalign_core.alignment import inputs
from aesalign_core.alignment.data import prepare
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.pretraining import contrastive_loss
from aesalign_core.alignment.processes import ALONE
from aesalign_core.alignment.trainer import Trainer
from aesalign_core.build import Builder
from aesalign_core.errors import SettingsError

KL = {"kl_weight": 1.0, "kl_candidates": 20}
CASES: dict[str, dict[str, Any]] = {
    "both": {"settings": {"tune": "both", "micro_batch": 4, **KL}},
    "text": {"settings": {"tune": "text"}},
    "image": {"settings": {"tune": "image", "pretraining_batch": 7}},
    "adapter": {"settings": {"tune": "adapter", "steps": 15}},
    "lora": {"settings": {"tune": "both", "text_lora_rank": 2, "image_lora_rank": 2, "steps": 15}},
    "kept": {"settings": {"recall_floor": 0.5, "held_out": 0.5, "watch_every": 5, "learning_rate": 0.3}},
    "one query": {"settings": {"batch_size": 1, "steps": 10}, "captions": False},
    "idle": {"settings": {"steps": 12}, "idle": True},
}
"""Each is run by one, two and three processes."""
STOPPED = {"settings": {"tune": "both", **KL}, "stop": 27}
ODD = {"run": "odd", "odd": 1}
MEASURED = ("step", "loss", "preference_loss", "pretraining_loss", "kl", "accuracy", "margin", "pairs", "grad_norm")


def launched(count: int, world: World, out: Path, cases: list[dict[str, Any]]) -> Path:
    """The folder of what that many processes made of some cases."""
    out.mkdir(exist_ok=True)
    arguments = ("-m", "several_processes", world.root, out, json.dumps(cases))
    done = launching.launch(count, *arguments, env=launching.environment(), cwd=out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return out


def told(out: Path, run: str, count: int) -> list[dict[str, Any]]:
    """What each process was told of a run."""
    return [json.loads((out / f"{run}.{rank}.json").read_text()) for rank in range(count)]


@pytest.fixture(scope="module")
def made(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """All cases by one, two and three processes, and runs that others began, by number of processes."""
    root = tmp_path_factory.mktemp("made")
    cases = [{"run": name, **case} for name, case in CASES.items()]
    folders = {}
    for count, begun in ((1, ("by-1-then-2", "by-1-then-3")), (2, ("by-2-then-1",)), (3, ())):
        all_cases = [*cases, {"run": "whole", **STOPPED, "stop": None}, *({"run": run, **STOPPED} for run in begun)]
        if count == 2:
            all_cases += [ODD, {"run": "text", **CASES["text"]}]
        folders[count] = launched(count, world, root / str(count), all_cases)
    return folders


def lines(run: Path) -> list[dict[str, float]]:
    return [{name: line[name] for name in MEASURED} for line in read_metrics(run / "metrics.jsonl")]


def assert_alike(run: Path, other: Path) -> None:
    """Every number of every step, and the weights."""
    mine, its = lines(run), lines(other)
    assert len(mine) == len(its) > 0
    for line, same in zip(mine, its, strict=True):
        assert line == pytest.approx(same, abs=1e-5)
    weights, same_weights = (load_file(r / "aligned.safetensors") for r in (run, other))
    assert weights.keys() == same_weights.keys()
    for name, weight in weights.items():
        assert torch.allclose(weight, same_weights[name], atol=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_several_processes_take_the_steps_of_one(made: dict[int, Path], case: str, count: int) -> None:
    assert_alike(made[count] / case, made[1] / case)
