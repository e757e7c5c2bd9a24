"""Guarding a training by what is held out: the step that is kept, and rewards that are gamed."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import colours
import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_alignment import QUICK, World, make_world, queries

from aesalign_core.alignment.align import AlignResult, align
from aesalign_core.alignment.data import prepare
from aesalign_core.alignment.guard import best, gamed
from aesalign_core.alignment.held_out import hold_out
from aesalign_core.alignment.inputs import read as read_inputs
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.captions import Matched, match, read_captions
from aesalign_core.errors import AlignmentError, QueryError
from aesalign_core.indexing.index import index
from aesalign_core.preferences.store import read

GUARDED = {"recall_floor": 0.9, "held_out": 0.5, "watch_every": 5, "checkpoint_every": 10}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world with two more rewards in its gallery, one of them the opposite of the trained one."""
    made = make_world(tmp_path_factory.mktemp("watched"))
    index(made.photos, made.gallery, colours.builder("brightness", "dimness", "contrast"))
    return made


def guarded(world: World, out: Path, *, progress: Any = None, captions: bool = True, **settings: Any) -> AlignResult:
    builder = colours.builder(align=AlignSettings(**{**QUICK, **GUARDED, **settings}))
    given = world.captions if captions else None
    return align(world.pairs, world.gallery, out, builder, captions=given, progress=progress)


def held_out(world: World, **settings: Any) -> Any:
    gallery = world.open()
    captions = match(read_captions(world.captions), gallery)
    given = AlignSettings(**{**GUARDED, **settings})
    return captions, hold_out(captions, read(world.pairs), gallery, given), gallery


def line(step: int, kept: float, gain: float, **more: float) -> dict[str, float]:
    return {"step": step, "recall_kept": kept, "reward_gain": gain, "reward_low": gain - 0.1, **more}


def test_the_best_step_gained_most_among_those_that_kept_recall() -> None:
    lines = [line(10, 1.0, 0.2), line(20, 0.98, 0.4), line(30, 0.97, 0.5), line(40, 0.96, 0.9)]
    assert best(lines, 0.97) == 30
    assert best(lines, 0.975) == 20
    assert best(lines, 0.0) == 40
    # Nobody kept so much, or nothing was gained: the base.
    assert best(lines, 1.1) == 0
    assert best([line(10, 1.0, 0.05), line(20, 1.0, -0.2)], 0.9) == 0  # 0.05 ± 0.1 may be nothing
    assert best([], 0.9) == 0


def test_of_two_equal_steps_the_first() -> None:
    assert best([line(10, 1.0, 0.4), line(20, 1.0, 0.4)], 0.9) == 10


def test_gamed_is_the_trained_reward_up_and_the_other_down_both_beyond_doubt() -> None:
    assert gamed(line(1, 1.0, 0.5, other_high=-0.01))
    assert not gamed(line(1, 1.0, 0.5, other_high=0.01))  # the other may not have fallen
    assert not gamed(line(1, 1.0, 0.05, other_high=-0.5))  # the trained one may not have risen
    assert not gamed(line(1, 1.0, 0.5))  # nothing to compare with
    lines = [line(10, 1.0, 0.2), line(20, 1.0, 0.5, other_high=-0.01), line(30, 1.0, 0.6, other_high=0.02)]
    assert best(lines, 0.9) == 10  # and nothing after it, though an interval may be too wide by then


def test_nothing_held_out_is_learnt_from(world: World) -> None:
    captions, (left, pairs, held), gallery = held_out(world)
    assert len(held.ids) == 30  # half of 60
    assert not set(held.ids) & set(left.ids)
    assert len(left.texts) + len(held.texts) == len(captions.texts)
    assert [held.ids[k] for k in held.own] == [i for i in captions.ids if i in held.ids]
    assert len(pairs.grids) == len(world.made.grids)
    mean, std = gallery.statistics("brightness")
    rewards = held.rewards(gallery, held.ids)
    assert rewards[:, 0] == pytest.approx((gallery.scores("brightness", held.ids) - mean) / std, rel=1e-5)


def test_held_out_photos_are_masked_in_every_grid_and_searched_among_all(world: World, tmp_path: Path) -> None:
    builder = colours.builder(align=AlignSettings(**{**QUICK, **GUARDED, "kl_weight": 0.1}))
    inputs = read_inputs(world.pairs, world.gallery, builder, world.captions, None)
    data = prepare(inputs, builder.recipe.align, tmp_path, lambda *_: None)
    assert data.watched is not None
    assert inputs.held_out is not None
    assert len(data.watched.photos) == 60
    own = set(data.watched.photos[data.watched.own].tolist())
    assert len(own) == 30
    assert not own & set(data.usable.tolist())
    in_grids = data.grid_photos.flatten().tolist()
    assert own & set(in_grids)
    assert [bool(data.readable[row]) for row in in_grids] == [row not in own for row in in_grids]


def test_a_grid_whose_query_is_a_held_out_caption_goes(world: World) -> None:
    gallery, pairs = world.open(), read(world.pairs)
    ids = sorted(gallery.ids())
    given = AlignSettings(**GUARDED)
    # All photos share the first query as their caption, so that half of them hold it out.
    captions = Matched((queries()[0],) * len(ids), tuple(ids), ())
    _, left, _ = hold_out(captions, pairs, gallery, given)
    assert [g.query for g in left.grids] == [g.query for g in pairs.grids[1:]]
    alone = replace(pairs, grids=pairs.grids[:1])
    with pytest.raises(AlignmentError, match="queries of all grids are captions"):
        hold_out(captions, alone, gallery, given)


def test_what_is_held_out_follows_from_the_seed(world: World) -> None:
    first, again, other = (held_out(world, seed=seed)[1][2].ids for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"held_out": 0.1}, AlignmentError, "too few to watch"),
        ({"watch_reward": "brightness"}, AlignmentError, "ordered by 'brightness'"),
        ({"watch_reward": "contrst"}, QueryError, "no reward 'contrst'"),
    ],
)
def test_what_cannot_be_held_out(
    watched: World, tmp_path: Path, settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        guarded(watched, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_a_floor_needs_captions_and_a_watched_reward_needs_a_floor(world: World, tmp_path: Path) -> None:
    with pytest.raises(AlignmentError, match="needs captions"):
        guarded(world, tmp_path / "run", captions=False)
    with pytest.raises(AlignmentError, match="nothing is"):
        guarded(world, tmp_path / "run", recall_floor=None, watch_reward="contrast")


def test_a_share_that_holds_nothing_out_is_said(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded(world, tmp_path / "run", recall_floor=None, steps=1)
    assert "align.held_out holds nothing out without align.recall_floor" in capsys.readouterr().err


def test_the_weights_are_of_the_step_that_is_kept(world: World, tmp_path: Path) -> None:
    result = guarded(world, tmp_path / "run", keep_checkpoints=1)
    looks = read_metrics(result.run / "watch.jsonl")
    assert [look["step"] for look in looks] == list(range(5, 41, 5))
    assert result.kept == best(looks, 0.9) > 0
    assert result.held_out["step"] == result.kept
    assert result.held_out["recall_kept"] >= 0.9
    assert result.held_out["reward_low"] > 0
    weights = load_file(result.run / "aligned.safetensors")
    kept = load_file(result.run / "checkpoints" / f"step-{result.kept}" / "heads.safetensors")
    assert {n: w.tobytes() for n, w in weights.items()} == {n: w.tobytes() for n, w in kept.items()}
    assert json.loads((result.run / "run.json").read_text())["kept"] == result.kept
    assert json.dumps(result.as_dict())
    again = guarded(world, tmp_path / "run")
    assert (again.already_finished, again.kept, again.held_out) == (True, result.kept, result.held_out)


def test_a_training_that_breaks_relevance_is_cut_short(world: World, tmp_path: Path) -> None:
    wild = {"learning_rate": 1.0, "pretraining_weight": 0.0, "schedule": "constant", "watch_every": 1}
    result = guarded(world, tmp_path / "run", **wild)
    looks = read_metrics(result.run / "watch.jsonl")
    assert looks[-1]["recall_kept"] < 0.9
    assert result.kept == best(looks, 0.9) < 40


def test_a_training_that_gains_nothing_keeps_the_base(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = guarded(world, tmp_path / "run", learning_rate=1e-9)
    assert (result.kept, result.held_out) == (0, {})
    assert "no step gained reward on held-out queries" in capsys.readouterr().err
    base, aligned = colours.builder().encoder(), colours.builder().encoder(str(result.run))
    assert aligned.spaces == base.spaces


def test_a_gamed_reward_is_told_and_not_kept(
    watched: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = guarded(watched, tmp_path / "run", watch_reward="dimness")
    assert result.gamed
    assert result.kept not in result.gamed
    told = capsys.readouterr().err
    assert f"from step {result.gamed[0]} on the trained reward was gamed" in told
    assert "'dimness' fell" in told


def test_a_guarded_run_resumes_with_the_same_bits(world: World, tmp_path: Path) -> None:
    def stop(after: int, phase: str, done: int, total: int, metrics: Any) -> None:
        if (phase, done) == ("training", after):
            raise RuntimeError("stopped")

    whole = guarded(world, tmp_path / "whole")
    for after in (3, 17, 31):
        with pytest.raises(RuntimeError, match="stopped"):
            guarded(world, tmp_path / "run", progress=functools.partial(stop, after))
    run = guarded(world, tmp_path / "run")
    assert run.kept == whole.kept
    assert read_metrics(run.run / "watch.jsonl") == read_metrics(whole.run / "watch.jsonl")
    assert (run.run / "aligned.safetensors").read_bytes() == (whole.run / "aligned.safetensors").read_bytes()


def test_the_first_look_is_near_the_reference(world: World, tmp_path: Path) -> None:
    result = guarded(world, tmp_path / "run", learning_rate=1e-9, steps=5)
    look = read_metrics(result.run / "watch.jsonl")[0]
    assert look["recall_kept"] == 1
    assert np.isclose([look["reward_gain"], look["reward_low"], look["reward_high"]], 0).all()
