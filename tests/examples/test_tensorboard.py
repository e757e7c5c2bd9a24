"""The example that listens to a training, read back by TensorBoard itself."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import colours
import pytest
from tiny_alignment import QUICK, make_world

from aesalign_core import plugins
from aesalign_core.alignment.align import align
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "aesalign-tensorboard" / "src"


def _builder(**settings: Any) -> Builder:
    modules = {"colours": "colours", "lancedb": "aesalign_lancedb.plugin", "prefrl": "aesalign_prefrl.plugin"}
    modules["tensorboard"] = "aesalign_tensorboard"
    found = plugins.load([EntryPoint(name, value, plugins.GROUP) for name, value in modules.items()])
    recipe = colours.builder(align=AlignSettings(**{**QUICK, **settings})).recipe
    return Builder(recipe, found=found)


@pytest.mark.filterwarnings("default")  # TensorBoard's own
def test_curves_are_those_of_the_run_also_after_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def stop(phase: str, done: int, total: int, metrics: Any) -> None:
        if (phase, done) == ("training", 17):
            raise RuntimeError("stopped")

    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    world, out = make_world(tmp_path / "world"), tmp_path / "run"
    guarded = {"recall_floor": 0.5, "held_out": 0.5, "watch_every": 10}
    with pytest.raises(RuntimeError, match="stopped"):
        align(world.pairs, world.gallery, out, _builder(**guarded), captions=world.captions, progress=stop)
    sys.modules["aesalign_tensorboard"]._writers.pop(str(out)).close()
    align(world.pairs, world.gallery, out, _builder(**guarded), captions=world.captions)

    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    losses = {event.step: event.value for event in events.Scalars("training/loss")}
    assert losses == pytest.approx({int(x["step"]): x["loss"] for x in read_metrics(out / "metrics.jsonl")}, rel=1e-6)
    recall = [(event.step, event.value) for event in events.Scalars("held out/recall")]
    assert recall == [(x["step"], pytest.approx(x["recall"])) for x in read_metrics(out / "watch.jsonl")]
