"""Aligning the colour encoder for real: LanceDB gallery, grids, objective, RUN folder, search."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import colours
import numpy as np
import pytest
import tiny_alignment
from tiny_alignment import HELD_OUT, World, queries

from aesalign_core import hookimpl
from aesalign_core.alignment import runs
from aesalign_core.alignment.align import AlignResult, align
from aesalign_core.alignment.log import read_metrics
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.errors import AlignmentError, PreferenceError, SpaceMismatchError
from aesalign_core.indexing.index import index
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.recipe import Use
from aesalign_core.searching import search


@pytest.fixture(scope="module")
def text_run(world: World) -> AlignResult:
    return world.align(world.root / "text-run")


def aligned(folder: Path) -> TrainableEncoder:
    encoder = colours.builder().encoder(str(folder))
    assert isinstance(encoder, TrainableEncoder)
    return encoder


def brightness_of_top(world: World, encoder: Encoder, words: tuple[str, ...], k: int = 4) -> float:
    found = search(queries(words), world.open(), encoder, k=k, reward="brightness")
    return float(np.mean([hit.rewards["brightness"] for result in found for hit in result.hits]))


def right_colour(world: World, encoder: Encoder, words: tuple[str, ...], k: int = 4) -> float:
    found = search(queries(words), world.open(), encoder, k=k)
    return float(
        np.mean([w == Path(h.path).name.split("-")[0] for w, r in zip(words, found, strict=True) for h in r.hits])
    )


def test_held_out_queries_find_better_photos_in_the_old_gallery(world: World, text_run: AlignResult) -> None:
    old, new = colours.builder().encoder(), aligned(text_run.run)
    assert brightness_of_top(world, new, HELD_OUT) > brightness_of_top(world, old, HELD_OUT) + 0.05
    assert right_colour(world, new, HELD_OUT) == right_colour(world, old, HELD_OUT) == 1.0


def test_tuning_text_leaves_the_image_space_alone(text_run: AlignResult) -> None:
    old, new = colours.builder().encoder(), aligned(text_run.run)
    assert text_run.tuned == ("text",)
    assert new.spaces.image == old.spaces.image
    assert new.spaces.text != old.spaces.text
    assert new.name == str(text_run.run)


@pytest.mark.parametrize("tune", ["image", "both"])
def test_tuning_images_makes_another_space_that_the_old_gallery_refuses(
    world: World, tmp_path: Path, tune: str
) -> None:
    result = world.align(tmp_path / "run", tune=tune)
    old, new = colours.builder().encoder(), aligned(result.run)
    assert new.spaces.image != old.spaces.image
    assert (new.spaces.text == old.spaces.text) == (tune == "image")
    with pytest.raises(SpaceMismatchError, match="was filled by"):
        world.open().check_encoder(new)
    assert result.last["preference_loss"] < result.first["preference_loss"] - 0.2
    # Indexed anew, the photos are found.
    build = colours.builder(encoder=Use(use=str(result.run)))
    index(world.photos, tmp_path / "new", build)
    assert right_colour(World(**{**vars(world), "gallery": tmp_path / "new"}), new, HELD_OUT) == 1.0


def test_the_first_step_is_at_the_reference(text_run: AlignResult) -> None:
    first = text_run.first
    assert first["preference_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert (first["accuracy"], first["margin"]) == (pytest.approx(0.5), pytest.approx(0, abs=1e-6))
    # 4 grids, batches of 3: 2 x 4 photos each. Rewards are all different.
    assert first["pairs"] > 3 * 4 * 3


def test_the_run_tells_what_happened(world: World, text_run: AlignResult) -> None:
    lines = read_metrics(text_run.run / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert lines[-1]["accuracy"] > 0.9
    assert lines[-1]["margin"] > 0
    assert lines[-1]["loss"] == pytest.approx(lines[-1]["preference_loss"] + 0.1 * lines[-1]["pretraining_loss"])
    assert (text_run.run / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (text_run.run / "checkpoints").iterdir()) == ["step-30", "step-40"]
    run = runs.read(text_run.run)
    assert run.recipe.encoder.use == "colours"
    assert run.recipe.align.learning_rate == 0.03
    assert run.recipe.pairs == world.made.header.settings
    assert json.dumps(text_run.as_dict())
    assert (text_run.captions, text_run.missing, text_run.pretraining) == (60, 0, "on")


def test_the_rate_warms_up_and_falls_to_nearly_nothing(text_run: AlignResult) -> None:
    rates = [line["lr"] for line in read_metrics(text_run.run / "metrics.jsonl")]
    assert rates[:2] == pytest.approx([0.015, 0.03])  # 5% of 40 steps
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] < 0.03 / 100


def test_a_finished_run_is_left_alone(world: World, text_run: AlignResult) -> None:
    before = {p: p.stat().st_mtime_ns for p in text_run.run.rglob("*") if p.is_file() and p.name != ".lock"}
    again = world.align(text_run.run)
    assert again.already_finished
    assert again.last == text_run.last
    assert {p: p.stat().st_mtime_ns for p in before} == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"learning_rate": 0.01}, r"align.learning_rate is 0.01, was 0.03"),
        ({"steps": 50}, r"align.steps is 50, was 40"),
        ({"captions": False}, r"captions is none, was"),
    ],
)
def test_another_run_does_not_go_into_the_folder(
    world: World, text_run: AlignResult, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(AlignmentError, match=told):
        world.align(text_run.run, **change)


def test_what_does_not_change_the_result_may_change(world: World, text_run: AlignResult) -> None:
    assert world.align(text_run.run, checkpoint_every=7, log_every=3, keep_checkpoints=1).already_finished


def test_resume_can_be_refused(world: World, text_run: AlignResult) -> None:
    with pytest.raises(AlignmentError, match="there is a run in"):
        align(world.pairs, world.gallery, text_run.run, tiny_alignment.builder(), resume=False)


def test_the_same_seed_gives_the_same_weights_and_another_other_ones(world: World, tmp_path: Path) -> None:
    digests = [
        runs.read_record(world.align(tmp_path / str(i), seed=seed, steps=5).run).weights
        for i, seed in enumerate((3, 3, 4))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_without_captions_it_says_that_the_pretraining_loss_is_off(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = world.align(tmp_path / "run", captions=False, steps=2)
    assert result.pretraining == "off: no captions were given"
    assert capsys.readouterr().err.count("the pre-training loss is off: no captions were given") == 1
    assert result.last["pretraining_loss"] == 0


def test_a_weight_of_zero_is_no_surprise(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = world.align(tmp_path / "run", captions=False, steps=2, pretraining_weight=0)
    assert result.pretraining == "off: its weight is 0"
    assert capsys.readouterr().err == ""


def test_the_pretraining_loss_holds_the_old_task(world: World, tmp_path: Path) -> None:
    # All weight on captions keeps L_pt lower than none.
    kept = world.align(tmp_path / "kept", pretraining_weight=10.0)
    watched = world.align(tmp_path / "watched", pretraining_weight=1e-6)
    assert kept.last["pretraining_loss"] < watched.last["pretraining_loss"]


@pytest.mark.parametrize("tune", ["text", "both"])
def test_the_kl_holds_the_ranking(world: World, tmp_path: Path, tune: str) -> None:
    kept = world.align(tmp_path / "kept", tune=tune, kl_weight=10.0, kl_candidates=20)
    watched = world.align(tmp_path / "watched", tune=tune, kl_weight=1e-9, kl_candidates=20)
    assert kept.first["kl"] == watched.first["kl"] == pytest.approx(0.0, abs=1e-6)  # the policy is the reference
    assert 0 < kept.last["kl"] < watched.last["kl"] / 2
    off = world.align(tmp_path / "off", tune=tune, steps=2)
    assert off.last["kl"] == 0


def test_aligning_an_aligned_encoder_from_another_folder(
    world: World, text_run: AlignResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text_run.run.parent)
    build = colours.builder(
        encoder=Use(use=text_run.run.name), align=AlignSettings(**{**tiny_alignment.QUICK, "steps": 3})
    )
    result = align(world.pairs, world.gallery, tmp_path / "second", build, captions=world.captions)
    monkeypatch.chdir(tmp_path)
    second = aligned(result.run)
    assert second.spaces.text not in (aligned(text_run.run).spaces.text, colours.builder().encoder().spaces.text)


def test_progress_tells_every_phase(world: World, tmp_path: Path) -> None:
    told: list[tuple[str, int, int, dict[str, float]]] = []
    world.align(tmp_path / "run", steps=4, tune="both", progress=lambda *a: told.append(a))
    assert list(dict.fromkeys(t[0] for t in told)) == ["texts", "photos", "training"]
    last = told[-1]
    assert last[:3] == ("training", 4, 4)
    assert {"loss", "accuracy", "margin"} <= set(last[3])
    assert all(done <= total for _, done, total, _ in told)


def test_a_photo_that_is_gone_costs_its_cells_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tiny_alignment.make_world(tmp_path)
    lost = next(Path(p) for p in own.open().paths([own.made.grids[0].ids[0][0]]))
    lost.unlink()
    changed = next(Path(p) for p in own.open().paths([own.made.grids[0].ids[0][1]]))
    colours.paint(changed, "green")
    result = own.align(tmp_path / "run", tune="image", steps=3, batch_size=4)
    told = capsys.readouterr().err
    assert f"{lost}: no such file" in told
    assert f"{changed}: changed since it was indexed" in told
    assert 0 < result.last["pairs"] < own.made.statistics()["pairs"]


def test_pairs_of_another_space_are_refused(world: World, tmp_path: Path) -> None:
    other = colours.builder(encoder=Use(use="colours", stretch=2.0))
    index(world.photos, tmp_path / "other", other)
    with pytest.raises(SpaceMismatchError, match=r"pairs\.parquet was made from a gallery of"):
        align(world.pairs, tmp_path / "other", tmp_path / "run", other)
    assert not (tmp_path / "run").exists()


def test_missing_pairs_and_foreign_folders_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(PreferenceError, match="there are no pairs at"):
        align(tmp_path / "none", world.gallery, tmp_path / "run", tiny_alignment.builder())
    with pytest.raises(AlignmentError, match="holds other files"):
        world.align(world.photos)
    (tmp_path / "file").touch()
    with pytest.raises(AlignmentError, match="is a file"):
        world.align(tmp_path / "file")


def test_two_processes_do_not_train_in_one_folder(world: World, tmp_path: Path) -> None:
    from aesalign_core.alignment.run_folder import locked

    with locked(tmp_path / "run"), pytest.raises(AlignmentError, match="another process is training"):
        world.align(tmp_path / "run")


def test_an_encoder_without_heads_is_refused(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(colours.ColourEncoder, "text_head")
    with pytest.raises(AlignmentError, match="has no heads to train"):
        world.align(tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(world: World, tmp_path: Path) -> None:
    def poison(phase: str, done: int, total: int, metrics: Any) -> None:
        if phase == "training" and done == 4:
            import aesalign_prefrl.losses as losses

            monkeypatch.setattr(losses, "logsigmoid", lambda x: x * math.nan)

    told = r"not finite at step 5 \(lower align.learning_rate"
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(AlignmentError, match=told):
        world.align(tmp_path / "run", checkpoint_every=2, progress=poison)
    assert world.align(tmp_path / "run", checkpoint_every=2).resumed_from == 4


class Listener:
    """A plugin that listens, and breaks if asked to."""

    def __init__(self, *, broken: bool = False) -> None:
        self.heard: list[Any] = []
        self.broken = broken

    @hookimpl
    def aesalign_training_started(self, run: str, settings: Any) -> None:
        self.heard.append(("started", Path(run).name, settings["steps"]))

    @hookimpl
    def aesalign_training_step(self, step: int, metrics: Any) -> None:
        self.heard.append((step, metrics["step"]))
        if self.broken:
            raise RuntimeError("no")

    @hookimpl
    def aesalign_training_finished(self, step: int) -> None:
        self.heard.append(("finished", step))


def test_plugins_hear_of_the_run_and_a_broken_one_costs_one_warning(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = tiny_alignment.builder(steps=6, log_every=3)
    good, bad = Listener(), Listener(broken=True)
    build.registry.manager.register(good, "good")
    build.registry.manager.register(bad, "bad")
    align(world.pairs, world.gallery, tmp_path / "run", build, captions=world.captions)
    assert good.heard == [("started", "run", 6), (1, 1), (3, 3), (6, 6), ("finished", 6)]
    assert bad.heard == [("started", "run", 6), (1, 1)]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [
        "aesalign: warning: plugin 'bad' failed in aesalign_training_step and hears no more of this run:"
        " RuntimeError: no"
    ]


def test_runs_share_their_features(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    own = colours.ColourEncoder.pixel_features

    def counting(self: colours.ColourEncoder, pixels: Any) -> Any:
        counted.append(len(pixels))
        return own(self, pixels)

    monkeypatch.setattr(colours.ColourEncoder, "pixel_features", counting)

    def run(name: str, rate: float) -> AlignResult:
        builder = tiny_alignment.builder(tune="both", learning_rate=rate)
        shared = tmp_path / "features"
        return align(world.pairs, world.gallery, tmp_path / name, builder, captions=world.captions, features=shared)

    first = run("first", 0.01)
    assert sum(counted) == 60
    second = run("second", 0.02)
    assert sum(counted) == 60
    assert not (first.run / "features").exists()
    alone = world.align(tmp_path / "alone", tune="both", learning_rate=0.02)
    assert (second.run / "aligned.safetensors").read_bytes() == (alone.run / "aligned.safetensors").read_bytes()
