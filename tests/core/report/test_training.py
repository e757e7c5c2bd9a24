"""What a page tells of a RUN: its logs as curves, its recipe as facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aesalign_core.alignment import runs
from aesalign_core.report import charts
from aesalign_core.report.training import curves, settings

if TYPE_CHECKING:
    from tiny_alignment import World


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    world.align(out, recall_floor=0.0, held_out=0.6, watch_every=10, watch_reward="dimness", pretraining_weight=0.5)
    return out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One whose gallery has a second reward to watch."""
    import colours
    import tiny_alignment

    from aesalign_core.indexing.index import index

    made = tiny_alignment.make_world(tmp_path_factory.mktemp("watched"))
    index(made.photos, made.gallery, colours.builder("brightness", "dimness"))
    return made


def test_curves_are_the_logged_lines(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = {curve.name: curve for curve in curves(run, kept=20)}
    assert found["Loss"].points == tuple((line["step"], line["loss"]) for line in lines)
    looks = [json.loads(line) for line in (run / "watch.jsonl").read_text().splitlines()]
    gain = found["Held-out gain in reward, σ"]
    assert gain.points == tuple((look["step"], look["reward_gain"]) for look in looks)
    assert gain.low == tuple(look["reward_low"] for look in looks)
    assert gain.high == tuple(look["reward_high"] for look in looks)
    assert gain.kept == 20
    assert "Held-out gain in the watched reward, σ" in found
    assert found["Loss"].kept is None


def test_only_what_is_asked_for_and_was_logged(run: Path, tmp_path: Path) -> None:
    assert next(curve.name for curve in curves(run, ("margin",))) == "Implicit reward margin"
    assert curves(tmp_path) == ()


def test_an_interval_is_drawn_around_its_curve_and_the_kept_step_marked(run: Path) -> None:
    gain = next(c for c in curves(run, kept=20) if c.low)
    drawn = charts.line(gain)
    assert drawn is not None
    assert len(drawn.band.split()) == 2 * len(gain.points)
    assert drawn.kept == pytest.approx((20 - 10) / 30 * charts.CURVE_WIDTH, abs=0.1)  # looks at 10, 20, 30, 40
    assert drawn.bottom <= min(gain.low)
    assert drawn.top >= max(gain.high)


def test_settings_are_those_of_the_recipe_that_was_used(run: Path) -> None:
    told = dict(settings(runs.read(run)))
    assert told["Encoder"] == "colours"
    assert told["Tuned"] == "text"
    assert told["Objective"] == "ranked_dpo"
    assert told["Steps"].startswith("40")
    assert told["Grids"] == "2 × 4 of 20 candidates, k_list"
    assert told["Floor on recall"] == "0% of the base's, 60% held out"
