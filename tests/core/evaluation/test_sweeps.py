"""Fronts of a real RUN over a small real gallery, against what a user would get one command at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from aesalign_core.alignment import runs
from aesalign_core.captions import Matched, match, read_captions
from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation import sweeps
from aesalign_core.evaluation.sweeps import MOST_CAPTIONS, STRENGTHS, Sweep, sweep
from aesalign_core.searching import search

if TYPE_CHECKING:
    from tiny_alignment import World

    from aesalign_core.build import Builder
    from aesalign_core.gallery import Gallery


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    world.align(out)
    return out


@pytest.fixture(scope="module")
def build() -> Builder:
    import tiny_alignment

    return tiny_alignment.builder()


@pytest.fixture(scope="module")
def gallery(world: World, build: Builder) -> Gallery:
    return world.open(build)


@pytest.fixture(scope="module")
def captions(world: World, gallery: Gallery) -> Matched:
    return match(read_captions(world.captions), gallery)


@pytest.fixture(scope="module")
def swept(gallery: Gallery, captions: Matched, run: Path, build: Builder) -> Sweep:
    return sweep(gallery, captions, "brightness", runs.read(run), build.base(run))


def measured(gallery: Gallery, captions: Matched, encoder: object, weight: float = 0.0) -> tuple[float, float]:
    """Recall and mean reward in standard deviations, by way of `search`."""
    found = search(
        captions.texts, gallery, encoder, k=10, reward="brightness", reward_weight=weight  # type: ignore[arg-type]
    )  # fmt: skip
    mean, std = gallery.statistics("brightness")
    recall = np.mean([own in [h.id for h in r.hits] for r, own in zip(found, captions.ids, strict=True)])
    reward = np.mean([(h.rewards["brightness"] - mean) / std for r in found for h in r.hits])
    return float(recall), float(reward)


@pytest.mark.parametrize("place", range(len(STRENGTHS)))
def test_each_strength_is_what_search_finds_at_it(
    swept: Sweep, gallery: Gallery, captions: Matched, run: Path, build: Builder, place: int
) -> None:
    recall, reward = measured(gallery, captions, build.encoder(f"{run}@{STRENGTHS[place]:g}"))
    assert swept.aligned.recall[place].mean() == pytest.approx(recall)
    assert swept.aligned.reward[place].mean() == pytest.approx(reward, abs=1e-5)


def test_each_weight_is_what_search_re_ranks_with_it(
    swept: Sweep, gallery: Gallery, captions: Matched, run: Path, build: Builder
) -> None:
    assert swept.reranked.strengths[0] == 0.0
    assert list(swept.reranked.strengths) == sorted(swept.reranked.strengths)
    for place, weight in enumerate(swept.reranked.strengths):
        recall, reward = measured(gallery, captions, build.base(run), weight)
        assert swept.reranked.recall[place].mean() == pytest.approx(recall)
        assert swept.reranked.reward[place].mean() == pytest.approx(reward, abs=1e-5)


def test_both_begin_at_the_base_and_rise_in_reward(swept: Sweep) -> None:
    assert (swept.aligned.recall[0] == swept.reranked.recall[0]).all()
    assert (swept.aligned.reward[0] == swept.reranked.reward[0]).all()
    for front in (swept.aligned, swept.reranked):
        assert front.curve()[1][-1] > 0.1


def test_captions_of_a_photo_are_resampled_together(swept: Sweep, captions: Matched) -> None:
    by_photo: dict[str, set[int]] = {}
    for photo, unit in zip(captions.ids, swept.aligned.photos.tolist(), strict=True):
        by_photo.setdefault(photo, set()).add(unit)
    assert all(len(units) == 1 for units in by_photo.values())
    assert len({min(units) for units in by_photo.values()}) == len(by_photo)


def test_of_very_many_captions_an_even_choice_is_asked(
    gallery: Gallery, captions: Matched, run: Path, build: Builder
) -> None:
    times = 2 * MOST_CAPTIONS // len(captions.texts) + 1
    many = Matched(captions.texts * times, captions.ids * times, ())
    seen: list[tuple[int, int]] = []
    found = sweep(gallery, many, "brightness", runs.read(run), build.base(run), progress=lambda *at: seen.append(at))
    assert found.captions == len(many.texts)
    assert found.aligned.recall.shape == (len(STRENGTHS), MOST_CAPTIONS)
    assert seen[-1] == (MOST_CAPTIONS, MOST_CAPTIONS)


def test_a_run_with_another_image_space_has_no_front_here(
    gallery: Gallery, captions: Matched, run: Path, build: Builder
) -> None:
    read = runs.read(run)
    both = replace(read, record=read.record.model_copy(update={"tuned": ("text", "image")}))
    with pytest.raises(EvaluationError, match="image space of its own"):
        sweep(gallery, captions, "brightness", both, build.base(run))


def test_a_base_is_built_once(run: Path, build: Builder) -> None:
    assert build.base(run) is build.base(run)
    assert sweeps.CANDIDATES == 100
