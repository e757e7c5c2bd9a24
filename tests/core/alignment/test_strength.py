"""A RUN at a strength: weights on the way from the base to the aligned encoder, and beyond."""

from __future__ import annotations

from pathlib import Path

import colours
import numpy as np
import pytest
import torch
from tiny_alignment import World

from aesalign_core.encoder_names import run_name, run_of
from aesalign_core.errors import SettingsError, SpaceMismatchError
from aesalign_core.searching import search


@pytest.fixture(scope="module")
def text_run(world: World) -> Path:
    return world.align(world.root / "strength-text").run


@pytest.fixture(scope="module")
def both_run(world: World) -> Path:
    return world.align(world.root / "strength-both", tune="both", steps=5).run


def at(run: Path, strength: float) -> colours.ColourEncoder:
    return colours.builder().encoder(f"{run}@{strength:g}")  # type: ignore[return-value]


def test_half_way_is_the_mean_of_both_weights(both_run: Path) -> None:
    base, aligned, half = colours.ColourEncoder(), at(both_run, 1), at(both_run, 0.5)
    for head in ("text_head", "image_head"):
        before, after, between = (getattr(e, head)().weight for e in (base, aligned, half))
        assert torch.allclose(between, (before + after) / 2)
        assert not torch.equal(before, after)


def test_its_ends_are_the_base_and_the_run_to_the_bit(both_run: Path) -> None:
    base, whole = colours.builder().encoder(), colours.builder().encoder(str(both_run))
    assert at(both_run, 0).spaces == base.spaces
    assert at(both_run, 1).spaces == whole.spaces
    assert (at(both_run, 1).name, at(both_run, 0.5).name) == (str(both_run), f"{both_run}@0.5")


def test_strengths_of_a_text_run_search_the_old_gallery(text_run: Path, world: World) -> None:
    gallery, queries = world.open(), ["magenta", "yellow"]
    found = [search(queries, gallery, at(text_run, s), k=3) for s in (0, 0.5, 1, 2)]
    assert found[0] == search(queries, gallery, colours.builder().encoder(), k=3)
    scores = np.array([[hit.score for hit in results[0].hits] for results in found])
    assert len({tuple(row) for row in scores.round(6)}) == 4


def test_where_the_image_tower_was_tuned_each_strength_is_a_space_of_its_own(both_run: Path, world: World) -> None:
    spaces = {at(both_run, s).spaces.image for s in (0, 0.5, 1, 2)}
    assert len(spaces) == 4
    with pytest.raises(SpaceMismatchError):
        search(["red"], world.open(), at(both_run, 0.5))


def test_a_run_at_a_strength_is_aligned_further(text_run: Path, world: World, tmp_path: Path) -> None:
    build = colours.builder(encoder={"use": f"{text_run}@0.5"})
    assert build.encoder().name == f"{text_run}@0.5"
    assert torch.equal(build.encoder().text_head().weight, at(text_run, 0.5).text_head().weight)  # type: ignore[attr-defined]


@pytest.mark.parametrize("strength", ["4.5", "-1", "nan", "inf", "much", ""])
def test_a_strength_that_is_none_is_one_error(both_run: Path, strength: str) -> None:
    with pytest.raises(SettingsError, match="is no number from 0 to 4"):
        colours.builder().encoder(f"{both_run}@{strength}")


def test_a_folder_whose_name_holds_an_at_is_itself(tmp_path: Path) -> None:
    folder = tmp_path / "run@0.5"
    folder.mkdir()
    (tmp_path / "run").mkdir()
    assert run_of(str(folder)) == (folder, 1.0)
    assert run_of(f"{folder}@0.25") == (folder, 0.25)
    assert run_of(str(tmp_path / "run") + "@0.75") == (tmp_path / "run", 0.75)
    assert run_of("ViT-B-32/openai") is None
    assert run_of(run_name(folder, 1.25)) == (folder, 1.25)
