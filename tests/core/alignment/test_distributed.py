"""Training in several processes of torchrun: what it gives is what one process gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import launching
import pytest
import tiny_alignment
import torch
from safetensors.torch import load_file
from tiny_alignment import World

from aesalign_core import device
from aesalign_core.alignment import inputs, runs
from aesalign_core.alignment.data import prepare
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.pretraining import contrastive_loss
from aesalign_core.alignment.trainer import Trainer
from aesalign_core.errors import SettingsError

pytestmark = pytest.mark.timeout(600)
KL = {"kl_weight": 1.0, "kl_candidates": 20}
CASES: dict[str, dict[str, Any]] = {
    "both": {"settings": {"tune": "both", "micro_batch": 4, **KL}},
    "text": {"settings": {"tune": "text", "steps": 12}},
    "image": {"settings": {"tune": "image", "pretraining_batch": 7, "steps": 12}},
    "adapter": {"settings": {"tune": "adapter", "steps": 12}},
    "lora": {"settings": {"tune": "both", "text_lora_rank": 2, "image_lora_rank": 2, "steps": 12}},
    "kept": {"settings": {"recall_floor": 0.5, "held_out": 0.5, "watch_every": 5, "steps": 15}},
    "one query": {"settings": {"batch_size": 1, "steps": 10}, "captions": False},
    "idle": {"settings": {"steps": 12}, "idle": True},
    **{
        name: {"settings": {"tune": "both", "steps": 3}, "objective": name}
        for name in ("ipo", "slic", "plackett_luce", "lambda_dpo", "reward_distillation")
    },
}
"""Each is run by one, two and three processes."""
STOPPED = {"settings": {"tune": "both", "steps": 20, **KL}, "stop": 14}
WHOLE = {**STOPPED, "stop": None}
ODD = {"run": "odd", "odd": 1}
TEXT = {"run": "text", **CASES["text"]}
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
    more = {
        1: [{"run": "whole", **WHOLE}, {"run": "by-1-then-2", **STOPPED}, {"run": "by-1-then-3", **STOPPED}],
        2: [{"run": "by-2-then-1", **STOPPED}, {"run": "by-1-then-2", "begun": str(root / "1"), **WHOLE}, ODD, TEXT],
        3: [{"run": "by-1-then-3", "begun": str(root / "1"), **WHOLE}],
    }
    for count, others in more.items():
        folders[count] = launched(count, world, root / str(count), [*cases, *others])
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


@pytest.mark.slow
def test_every_process_is_told_the_same_and_one_writes(made: dict[int, Path]) -> None:
    for case in CASES:
        first, second = told(made[2], case, 2)
        assert first == second
        assert "error" not in first
    # The run that keeps an earlier step keeps the same one, however many processes there are.
    kept = [told(made[count], "kept", count)[0]["result"]["kept"] for count in made]
    assert len(set(kept)) == 1
    assert 0 < kept[0] < CASES["kept"]["settings"]["steps"]
    names = [sorted(str(p.relative_to(made[n])) for p in (made[n] / "both").rglob("*")) for n in made]
    assert names[0] == names[1] == names[2]
    records = [runs.read_record(made[n] / "both").model_copy(update={"weights": None}) for n in made]
    assert records[0] == records[1] == records[2]


@pytest.mark.slow
def test_a_finished_run_is_left_as_it_is_by_all(made: dict[int, Path]) -> None:
    for line in told(made[2], "text", 2):  # its second time
        assert line["result"]["already_finished"]


@pytest.mark.slow
def test_one_process_needs_no_accelerate(made: dict[int, Path]) -> None:
    assert list(CASES).index("adapter") < list(CASES).index("lora")  # which is peft's, and that imports it
    assert not told(made[1], "adapter", 1)[0]["accelerate"]
    assert all(line["accelerate"] for line in told(made[2], "both", 2))


@pytest.mark.slow
def test_negatives_are_those_of_the_whole_batch(made: dict[int, Path], world: World) -> None:
    settings = tiny_alignment.builder(**CASES["both"]["settings"])
    read = inputs.read(world.pairs, world.gallery, settings, world.captions, None)
    data = prepare(read, settings.recipe.align, made[1] / "both" / "features", lambda *_: None)
    text, image, photos = Trainer(data, settings.objective(), settings.recipe.align).step_at(0).captions()
    tau = data.temperature
    whole = contrastive_loss(text, image, photos, tau).item()
    halves = [contrastive_loss(text[k], image[k], photos[k], tau).item() for k in (slice(0, 4), slice(4, 8))]
    for count in (2, 3):
        assert lines(made[count] / "both")[0]["pretraining_loss"] == pytest.approx(whole, abs=1e-5)
    assert abs(sum(halves) / 2 - whole) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("begun", "count"), [("by-1-then-2", 2), ("by-1-then-3", 3), ("by-2-then-1", 1)])
def test_a_run_goes_on_in_another_number_of_processes(
    made: dict[int, Path], world: World, begun: str, count: int
) -> None:
    by = int(begun.split("-")[1])
    first, *others = told(made[by], begun, by)
    assert first["error"] == "InterruptedError: stop here"
    assert all(other["error"] == "AlignmentError: InterruptedError: stop here" for other in others)
    if count == 1:
        assert world.align(made[by] / begun, **WHOLE["settings"]).resumed_from == 10  # type: ignore[arg-type]
    else:
        assert [line["result"]["resumed_from"] for line in told(made[count], begun, count)] == [10] * count
    assert_alike(made[by] / begun, made[1] / "whole")


@pytest.mark.slow
def test_processes_that_were_given_different_runs_do_not_start(made: dict[int, Path]) -> None:
    first, second = told(made[2], "odd", 2)
    reason = "AlignmentError: {}not all processes have the same run: align.learning_rate is 0.5, was 0.03 (give all"
    assert first["error"].startswith(reason.format("rank 1 of 2: "))
    assert second["error"].startswith(reason.format(""))
    assert not (made[2] / "odd").exists()


def test_each_process_takes_a_gpu_of_its_own_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device.choose(name) for name in ("auto", "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    with pytest.raises(SettingsError, match="2 processes cannot share the device 'cuda:0'"):
        device.choose("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingsError, match="this machine has no device 'cuda:1'"):
        device.choose("auto")
    monkeypatch.delenv("RANK")  # no launcher's
    assert device.choose("auto") == "cuda"
