"""Killed, interrupted, out of disk: a run goes on and ends with the very same weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_alignment import World

from aesalign_core.alignment import checkpoints
from aesalign_core.errors import AlignmentError

SUPPORT = Path(__file__).resolve().parents[2] / "support"
CHILD = """
import json, os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import tiny_alignment

root, out, how = Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
world = tiny_alignment.World.at(root)
synced, fsync = 0, os.fsync

def dying_fsync(handle):
    global synced
    synced += 1
    if synced == how.get("fsync"):
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(handle)

def progress(phase, done, total, metrics):
    if phase == "training" and done == how.get("step"):
        os.kill(os.getpid(), how.get("signal", signal.SIGKILL))
    if phase == "training" and done == how.get("full"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

if "fsync" in how:
    os.fsync = dying_fsync
try:
    world.align(out, progress=progress)
except BaseException as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def whole(world: World) -> Path:
    """A run that nothing happened to."""
    return world.align(world.root / "whole").run


def child(world: World, out: Path, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(SUPPORT), str(world.root), str(out), json.dumps(how)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    )


def lines(run: Path) -> list[dict[str, float]]:
    parsed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in parsed]


def assert_same(run: Path, whole: Path) -> None:
    assert (run / "aligned.safetensors").read_bytes() == (whole / "aligned.safetensors").read_bytes()
    for part in checkpoints.PARTS:
        mine, its = (load_file(r / "checkpoints" / "step-40" / part) for r in (run, whole))
        assert {n: v.tobytes() for n, v in mine.items()} == {n: v.tobytes() for n, v in its.items()}
    assert lines(run) == lines(whole)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bits(world: World, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # Before any checkpoint; between two; in the middle of writing one: the fsyncs are of the log cut back, the log at
    # step 20, the heads, the optimiser (dies here).
    for how, newest in (({"step": 7}, None), ({"step": 17}, 10), ({"fsync": 4}, 10)):
        died = child(world, out, **how)
        assert died.returncode == -signal.SIGKILL, died.stdout + died.stderr
        found = checkpoints.newest(out / "checkpoints")
        assert (found.step if found else None) == newest
    assert [p.name.startswith(".tmp-") for p in (out / "checkpoints").iterdir()].count(True) == 1
    result = world.align(out)
    assert result.resumed_from == 10
    assert_same(out, whole)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["step-30", "step-40"]


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_and_writes_a_checkpoint(world: World, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped = child(world, out, step=13, signal=int(signal.SIGINT))
    assert stopped.stdout == "KeyboardInterrupt stopped after step 13; the same command goes on from there\n"
    assert world.align(out).resumed_from == 13
    assert_same(out, whole)


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_costs_no_checkpoint(world: World, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    full = child(world, out, full=15)
    assert full.stdout.startswith("AlignmentError cannot write "), full.stdout + full.stderr
    assert full.stdout.count("\n") == 1
    assert "goes on from the last checkpoint" in full.stdout
    assert not list((out / "checkpoints").glob(".tmp-*"))
    assert world.align(out).resumed_from == 10
    assert_same(out, whole)


def stop_at(step: int) -> Any:
    def progress(phase: str, done: int, total: int, metrics: Any) -> None:
        if phase == "training" and done == step:
            raise InterruptedError("stop here")

    return progress


def test_a_damaged_checkpoint_is_skipped_with_a_warning(
    world: World, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InterruptedError):
        world.align(tmp_path / "run", progress=stop_at(27))
    heads = tmp_path / "run" / "checkpoints" / "step-20" / "heads.safetensors"
    data = bytearray(heads.read_bytes())
    data[-1] ^= 1
    heads.write_bytes(data)
    capsys.readouterr()
    assert world.align(tmp_path / "run").resumed_from == 10
    assert "step-20 is damaged and was skipped: ValueError: heads.safetensors is not what" in capsys.readouterr().err
    assert_same(tmp_path / "run", whole)


def test_a_half_written_log_line_is_cut_off(world: World, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        world.align(tmp_path / "run", progress=stop_at(25))
    with (tmp_path / "run" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 26, "los')
    world.align(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


def scribbled(path: Path) -> None:
    path.write_bytes(b"\xff" * 100)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def with_a_nan(path: Path) -> None:
    array = np.load(path)
    array[1, 1] = np.nan
    np.save(path, array)


def with_a_row_missing(path: Path) -> None:
    array = np.load(path)
    array[1] = np.nan
    np.save(path, array)


def of_objects(path: Path) -> None:
    np.save(path, np.array([{"run": "me"}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize("damage", [scribbled, cut, with_a_nan, with_a_row_missing, of_objects])
def test_damaged_features_are_computed_again(
    world: World, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    with pytest.raises(InterruptedError):
        world.align(tmp_path / "run", progress=stop_at(12))
    (texts,) = (tmp_path / "run" / "features").glob("texts-*.npy")
    damage(texts)
    world.align(tmp_path / "run")
    assert f"{texts.name} is computed again" in capsys.readouterr().err
    assert_same(tmp_path / "run", whole)


def test_a_checkpoint_of_another_shape_is_an_error(world: World, tmp_path: Path) -> None:
    import torch

    with pytest.raises(InterruptedError):
        world.align(tmp_path / "run", progress=stop_at(12))
    folder = tmp_path / "run" / "checkpoints"
    state = checkpoints.newest(folder)
    assert state is not None
    other = checkpoints.Checkpoint(20, {name: torch.zeros(2) for name in state.heads}, state.optimizer)
    checkpoints.save(folder, other, keep=1)
    with pytest.raises(AlignmentError, match="checkpoint of step 20 does not fit this run"):
        world.align(tmp_path / "run")


def test_a_checkpoint_is_json_and_safetensors(whole: Path) -> None:
    folder = whole / "checkpoints" / "step-40"
    assert sorted(p.name for p in folder.iterdir()) == ["heads.safetensors", "manifest.json", "optimizer.safetensors"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["step"] == 40
    assert set(manifest["versions"]) == {"aesalign", "torch"}


@pytest.mark.parametrize("lost", [True, False])
def test_lost_or_damaged_weights_are_made_again(
    world: World, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: bool
) -> None:
    run = world.align(tmp_path / "run").run
    path = run / "aligned.safetensors"
    good = path.read_bytes()
    if lost:
        path.unlink()
    else:
        path.write_bytes(good + b"\0")
    again = world.align(run)
    assert not again.already_finished
    assert "aligned.safetensors is missing or damaged, and is made again" in capsys.readouterr().err
    assert path.read_bytes() == good
    assert_same(run, whole)
    assert world.align(run).already_finished


def test_a_run_that_took_no_step_gives_its_folder_up(world: World, tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        world.align(tmp_path / "run", progress=stop_at(3), learning_rate=9.0)
    result = world.align(tmp_path / "run")
    assert result.steps == 40
    with pytest.raises(AlignmentError, match=r"align\.learning_rate is 0\.5, was 0\.03"):
        world.align(tmp_path / "run", learning_rate=0.5)
