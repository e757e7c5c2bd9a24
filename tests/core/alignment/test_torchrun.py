"""`aesalign align` under torchrun as people meet it: one voice, one end, and a run that goes on after anything."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import launching
import pytest
import tiny_alignment
from tiny_alignment import World

from aesalign_core import recipe as recipes
from aesalign_core.alignment import checkpoints
from aesalign_core.alignment.align import AlignResult
from aesalign_core.alignment.log import read_metrics
from aesalign_core.errors import AlignmentError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETTINGS: dict[str, Any] = {"tune": "both", "kl_weight": 1.0, "kl_candidates": 20}


@pytest.fixture(scope="module")
def whole(world: World) -> Path:
    """A run of one process that nothing happened to."""
    return world.align(world.root / "one-process", **SETTINGS).run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(recipes.dumps(tiny_alignment.builder(**SETTINGS).recipe))
    return path


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """The colours' components, and one that makes every step take 50 ms."""
    return launching.plugin(tmp_path / "plugins", colours="colours", slow_steps="slow_steps")


def align(world: World, recipe: Path, out: Path, *more: str, captions: bool = True) -> list[object]:
    given = ["-m", "aesalign_core", "align", "-p", world.pairs, "-g", world.gallery, "--recipe", recipe, "-o", out]
    return [*given, *(["--captions", world.captions] if captions else []), *more]


def own_lines(text: str) -> list[str]:
    """What aesalign said; the rest is torchrun's report."""
    return [line for line in text.splitlines() if line.startswith("aesalign: ")]


def assert_as_whole(run: Path, whole: Path) -> None:
    mine, its = read_metrics(run / "metrics.jsonl"), read_metrics(whole / "metrics.jsonl")
    assert [line["step"] for line in mine] == [line["step"] for line in its]
    for name in ("loss", "preference_loss", "pretraining_loss", "kl", "grad_norm"):
        assert [line[name] for line in mine] == pytest.approx([line[name] for line in its], abs=1e-5), name


def test_one_speaks_for_all(world: World, whole: Path, recipe: Path, plugins: Path, tmp_path: Path) -> None:
    env = launching.environment(plugins)
    arguments = align(world, recipe, tmp_path / "run", "--json", "--set", "align.steps=5", captions=False)
    done = launching.launch(2, *arguments, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 5
    assert done.stderr.splitlines()[0].startswith("aesalign: warning: the pre-training loss is off: no captions")
    assert [line.split(" (")[0] for line in done.stderr.splitlines()[1:]] == [
        "texts: 4 of 4", "photos: 24 of 24", "training",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["-p", "none.parquet"], "there are no pairs at none.parquet"),
        (["--set", "align.stepz=3"], "[align]: unknown key 'stepz'"),
        (["--set", "objective.beta=1e38"], "the loss or its gradient is not finite at step "),
        (["--set", "align.steps=4000", "--set", "align.checkpoint_every=4000"], "cannot write {out}/metrics.jsonl"),
    ],
    ids=["file", "setting", "loss", "disk"],
)
def test_a_failure_is_told_once_and_ends_all(
    world: World, recipe: Path, tmp_path: Path, more: list[str], reason: str
) -> None:
    env = launching.environment(
        launching.plugin(tmp_path / "plugins", colours="colours"), PYTHONDONTWRITEBYTECODE="1"
    )
    out = tmp_path / "run"
    given = launching.command(2, *align(world, recipe, out, *more))
    done = subprocess.run(
        given, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=launching.LIMIT, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = own_lines(done.stderr)
    assert line.startswith("aesalign: error: ")
    assert reason.format(out=out) in line


def test_what_breaks_in_another_process_alone_is_told_too(world: World, recipe: Path, tmp_path: Path) -> None:
    env = launching.environment(launching.plugin(tmp_path / "plugins", colours="colours", fragile="fragile"))
    arguments = align(world, recipe, tmp_path / "run", "--objective", "fragile")
    done = launching.launch(2, *arguments, env=env, cwd=tmp_path)
    assert done.returncode != 0
    reason, *rest = own_lines(done.stderr)
    assert reason.startswith(
        "aesalign: error: plugin 'fragile' of test-plugins failed: RuntimeError: this process alone broke ("
    )
    assert all(line.startswith("aesalign: error: another of the 2 processes is gone") for line in rest)


def test_without_accelerate_it_says_what_to_install(world: World, recipe: Path, tmp_path: Path) -> None:
    folder = launching.plugin(tmp_path / "plugins", colours="colours")
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['accelerate'] = None\n")
    done = launching.launch(
        2, *align(world, recipe, tmp_path / "run"), env=launching.environment(folder), cwd=tmp_path
    )
    assert done.returncode != 0
    assert own_lines(done.stderr) == [
        "aesalign: error: training in 2 processes needs the accelerate library (pip install 'aesalign[distributed]',"
        " or run aesalign align without a launcher)"
    ]
    assert not (tmp_path / "run").exists()


def begun(world: World, recipe: Path, plugins: Path, out: Path, **how: Any) -> subprocess.Popen[str]:
    """A launch that has taken some fifteen steps."""
    given = launching.command(2, *align(world, recipe, out), **how)
    env = launching.environment(plugins)
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = subprocess.Popen(given, env=env, cwd=out.parent, **streams)
    launching.wait_for(lambda: started.poll() is not None or len(read_metrics(out / "metrics.jsonl")) >= 15)
    return started


def test_a_killed_process_ends_all_and_another_number_goes_on(
    world: World, whole: Path, recipe: Path, plugins: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    launcher = begun(world, recipe, plugins, out)
    with pytest.raises(AlignmentError, match="another process is training in"):
        world.align(out, **SETTINGS)
    workers = launching.workers(launcher.pid)
    launching.kill(workers[1])
    assert launcher.wait(launching.LIMIT) != 0
    launcher.communicate()
    assert len(workers) == 2
    assert not any(Path("/proc", str(pid)).exists() for pid in workers.values())
    result: AlignResult = world.align(out, **SETTINGS)
    assert result.resumed_from in (10, 20, 30)
    assert_as_whole(out, whole)


def test_torchrun_restarts_all_from_the_last_checkpoint(
    world: World, whole: Path, recipe: Path, plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else torch 2.14 gives the new processes the addresses of the old ones.
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    out = tmp_path / "run"
    launcher = begun(world, recipe, plugins, out, restarts=1)
    launching.kill(launching.workers(launcher.pid)[0])  # the one that holds the folder
    _, told = launcher.communicate(timeout=launching.LIMIT)
    assert launcher.returncode == 0, told
    assert "went on from step" in told
    assert_as_whole(out, whole)


def test_ctrl_c_finishes_the_step_with_one_checkpoint(
    world: World, whole: Path, recipe: Path, plugins: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    launcher = begun(world, recipe, plugins, out)
    before = {path.name for path in (out / "checkpoints").iterdir()}
    launcher.send_signal(signal.SIGINT)
    printed, told = launcher.communicate(timeout=launching.LIMIT)
    assert launcher.returncode != 0
    assert printed == ""
    (line,) = own_lines(told)
    step = read_metrics(out / "metrics.jsonl")[-1]["step"]
    assert line == f"aesalign: stopped after step {step:.0f}; the same command goes on from there"
    newest = checkpoints.newest(out / "checkpoints")
    assert newest is not None
    assert newest.step == step
    assert len({path.name for path in (out / "checkpoints").iterdir()} - before) == 1
    done = launching.launch(3, *align(world, recipe, out), env=launching.environment(plugins), cwd=tmp_path)
    assert f"went on from step {newest.step}" in done.stderr
    assert_as_whole(out, whole)
