"""Grids from a real gallery: what is retrieved, what is dropped and why, what is reused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import colours
import numpy as np
import pytest
from tiny_alignment import Beautiful, World, queries

from aesalign_core.errors import PreferenceError, QueryError, SpaceMismatchError
from aesalign_core.indexing.index import index
from aesalign_core.preferences import pairs as preferences
from aesalign_core.preferences.pairs import PairsResult, build_grids, make_pairs
from aesalign_core.preferences.settings import PairSettings

SMALL = PairSettings(rows=2, columns=3, candidates=20)


def build(world: World, words: Sequence[str], settings: PairSettings = SMALL, **more: Any) -> PairsResult:
    rephraser = more.pop("rephraser", Beautiful())
    return build_grids(words, world.open(), colours.builder().encoder(), rephraser, settings, **more)


def test_a_grid_holds_photos_of_its_query_by_reward(world: World) -> None:
    (grid,) = build(world, ["a red photo"]).grids
    paths = dict(zip(world.open().ids(), world.open().paths(), strict=True))
    # Red is nearest: all ten red photos are in the first band, of ten of twenty candidates; the brightest first.
    first = [Path(paths[name]).stem for name in grid.ids[0]]
    assert [name.split("-")[0] for name in first] == ["red"] * 3
    assert first[0] == "red-9"
    assert (grid.query, grid.rephrased) == ("a red photo", "a red photo beautiful")
    assert (np.diff(grid.rewards, axis=1) <= 0).all()


def test_the_rephrased_text_is_what_is_searched(world: World) -> None:
    (grid,) = build(world, ["a photo"], rephraser=Beautiful("blue blue blue")).grids
    paths = dict(zip(world.open().ids(), world.open().paths(), strict=True))
    assert {Path(paths[name]).stem.split("-")[0] for name in grid.ids[0]} == {"blue"}


def test_hard_negatives_come_right_after_the_candidates_and_survive_the_file(world: World, tmp_path: Path) -> None:
    settings = PairSettings(rows=2, columns=2, candidates=10, hard_negatives=8)
    found = make(world, tmp_path / "p", ["a red photo"], settings=settings)
    (grid,) = found.grids
    ranked = [m.id for m in world.open().search(colours.builder().encoder().encode_texts([grid.rephrased]), 18)[0]]
    assert grid.shape == settings.shape == (3, 2)
    assert {ranked.index(name) >= 10 for name in grid.ids[2]} == {True}
    assert (grid.rewards[2] == grid.rewards[:2].min()).all()
    again = make(world, tmp_path / "p", ["a red photo"], settings=settings)
    assert again.reused
    assert again.grids[0].ids == grid.ids


def test_rewards_are_the_gallery_s(world: World) -> None:
    gallery = world.open()
    (grid,) = build(world, ["a red photo"]).grids
    flat = [name for row in grid.ids for name in row]
    assert gallery.scores("brightness", flat).tolist() == grid.rewards.flatten().tolist()
    result = build(world, ["a red photo"])
    assert (result.header.mean, result.header.std) == gallery.statistics("brightness")


def test_what_is_dropped_and_what_fell_back_is_told(world: World) -> None:
    result = build(
        world, ["a red photo", "a blue photo", "a red photo"], rephraser=Beautiful(failing=["a blue photo"])
    )
    assert [(d.query, d.reason) for d in result.dropped] == [("a red photo", "the same as an earlier query")]
    assert [(r.query, r.fallback) for r in result.fallbacks] == [("a blue photo", "no answer")]
    assert [g.rephrased for g in result.grids] == ["a red photo beautiful", "a blue photo"]
    tight = build(world, ["a red photo"], SMALL.model_copy(update={"margin": 5.0}))
    assert not tight.grids
    assert tight.dropped[0].reason == "band 1 of 2 has no 3 photos far enough apart in reward"


def test_statistics_by_hand(world: World) -> None:
    settings = PairSettings(rows=2, columns=2, candidates=20)
    result = build(world, ["a red photo"], settings)
    (grid,) = result.grids
    told = result.statistics()
    assert (told["queries"], told["grids"], told["dropped"], told["fallbacks"], told["photos"]) == (1, 1, 0, 0, 4)
    best, worst = grid.rewards[:, 0], grid.rewards[:, 1]
    assert told["reward_spread"] == pytest.approx(float((best - worst).mean()) / result.header.std)
    assert told["similarity_spread"] == pytest.approx(
        float(grid.similarities[0].mean() - grid.similarities[1].mean())
    )
    # One pair in each row; across rows, each photo of the first over each of the second that is no brighter.
    across = int((grid.rewards[0][:, None] >= grid.rewards[1][None]).sum())
    assert (told["pairs_in_rows"], told["pairs"]) == (2, 2 + across)
    assert result.example is grid
    assert json.dumps(result.as_dict())


def test_queries_go_through_in_batches_that_bound_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "BATCH_CANDIDATES", 60)
    rephraser, told = Beautiful(), []
    words = [f"a red photo {i}" for i in range(7)]
    one_by_one = build(world, words, rephraser=rephraser, progress=lambda *a: told.append(a))
    assert rephraser.batches == [3, 3, 1]  # 20 candidates each
    assert told == [(i, 7) for i in range(1, 8)]
    monkeypatch.undo()
    assert [g.ids for g in build(world, words).grids] == [g.ids for g in one_by_one.grids]


def make(world: World, out: Path, words: Sequence[str] = ("a red photo",), **more: Any) -> PairsResult:
    rephraser, settings = more.pop("rephraser", Beautiful()), more.pop("settings", SMALL)
    return make_pairs(words, world.open(), colours.builder().encoder(), rephraser, settings, out=out)


def test_the_very_same_is_reused_and_anything_else_is_made_again(world: World, tmp_path: Path) -> None:
    out = tmp_path / "pairs.parquet"
    first = make(world, out)
    silent = Beautiful()
    again = make(world, out, rephraser=silent)
    assert again.reused
    assert not silent.batches
    assert again.as_dict() == first.as_dict() | {"reused": True}
    assert [g.ids for g in again.grids] == [g.ids for g in first.grids]
    for change in (
        {"words": ("a blue photo",)},
        {"rephraser": Beautiful("dark")},
        {"settings": SMALL.model_copy(update={"columns": 2})},
    ):
        assert not make(world, out, **change).reused


def test_a_grown_gallery_is_not_reused(tmp_path: Path) -> None:
    colours.write_photos(tmp_path / "photos", each=8)
    build = colours.builder()
    index(tmp_path / "photos", tmp_path / "gallery", build)
    small = World(tmp_path, *(tmp_path / n for n in ("photos", "gallery", "p", "c")), None)  # type: ignore[arg-type]
    assert not make(small, tmp_path / "p").reused
    colours.paint(tmp_path / "photos" / "new.png", "red", seed=99)
    index(tmp_path / "photos", tmp_path / "gallery", build)
    assert not make(small, tmp_path / "p").reused


def test_a_rephraser_without_known_settings_is_never_reused(world: World, tmp_path: Path) -> None:
    rephraser = Beautiful()
    rephraser.settings = SimpleNamespace(word="beautiful")  # type: ignore[assignment]
    make(world, tmp_path / "p", rephraser=rephraser)
    assert not make(world, tmp_path / "p", rephraser=rephraser).reused


def test_somebody_s_file_is_not_overwritten(world: World, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PreferenceError, match="cannot be used as pairs"):
        make(world, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_no_grid_at_all_is_an_error_with_the_reason(world: World, tmp_path: Path) -> None:
    with pytest.raises(PreferenceError, match=r"none of 4 queries gave a grid; the first: 10 candidates"):
        make(world, tmp_path / "p", queries(), settings=PairSettings(rows=3, columns=4, candidates=10))
    assert not (tmp_path / "p").exists()


def test_unusable_queries_and_encoders_are_refused(world: World) -> None:
    with pytest.raises(PreferenceError, match="no queries"):
        build(world, [])
    with pytest.raises(QueryError, match="empty"):
        build(world, ["red", " "])
    with pytest.raises(QueryError, match="has no reward 'brightnes' "):
        build(world, ["red"], SMALL.model_copy(update={"reward": "brightnes"}))
    other = colours.ColourEncoder(colours.ColourEncoder.Settings(stretch=2.0))
    with pytest.raises(SpaceMismatchError):
        build_grids(["red"], world.open(), other, Beautiful(), SMALL)


def test_photos_of_one_reward_are_refused(tmp_path: Path) -> None:
    colours.paint(tmp_path / "photos" / "only.png", "red")
    index(tmp_path / "photos", tmp_path / "gallery", colours.builder())
    small = World(tmp_path, *(tmp_path / n for n in ("photos", "gallery", "p", "c")), None)  # type: ignore[arg-type]
    with pytest.raises(PreferenceError, match="has the same brightness"):
        make(small, tmp_path / "p")
