"""Grids as they are shown: who is preferred to whom, by hand, and what a page says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from html_pages import HOSTILE, Page
from PIL import Image

from aesalign_core.errors import GalleryError
from aesalign_core.preferences.records import count_pairs
from aesalign_core.report.grid_page import write_grid
from aesalign_core.report.grids import cells, example, examples, highlighting
from aesalign_core.report.records import GridExample, Photo
from aesalign_core.types import PreferenceGrid

if TYPE_CHECKING:
    from tiny_alignment import World

REWARDS = ((5.0, 3.0), (4.0, 3.0))


def grid(photo: Path = Path("x.png"), words: str = "a query") -> GridExample:
    rows = tuple(
        tuple(Photo(photo, reward=r, similarity=0.5 - 0.1 * b) for r in row) for b, row in enumerate(REWARDS)
    )
    return GridExample(words, f"{words}, well lit", rows, 5, 2, (2, 2), "beauty")


def test_dominance_by_hand() -> None:
    #   0: 5 near   1: 3 near
    #   2: 4 far    3: 3 far
    found = [cell for row in cells(grid()) for cell in row]
    assert [cell.below for cell in found] == [(1, 2, 3), (3,), (3,), ()]
    assert [cell.above for cell in found] == [(), (0,), (0,), (0, 1, 2)]
    assert found[1].explanation == "preferred to 1 of the photos shown; 1 are preferred to it"


def test_a_photo_without_a_reward_is_compared_with_none() -> None:
    rows = ((Photo(Path("a"), reward=1.0), Photo(Path("b"))),)
    assert [(c.below, c.above) for c in cells(GridExample("q", "q", rows))[0]] == [((), ()), ((), ())]


def test_pointing_at_a_photo_fades_those_below_and_frames_those_above(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    text = write_grid(tmp_path / "grid.html", grid(path)).read_text(encoding="utf-8")
    for number, below in enumerate([(1, 2, 3), (3,), (3,), ()]):
        assert f".grid:has(.c{number}:is(:hover,:focus-within)) .u{number} .mat" in text
        faded = [a for a in Page(text).all("li") if f"u{number}" in (a["class"] or "").split()]
        assert [next(c for c in (a["class"] or "").split() if c.startswith("c")) for a in faded] == [
            f"c{n}" for n in below
        ]
    words = Page(text).text
    assert "By the reward beauty it gives 5 pairs, 2 of them within a row." in words
    assert "over 3" in words


def test_without_grids_there_is_nothing_to_point_at() -> None:
    assert highlighting([]) == ""


def test_hostile_words_of_a_grid_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "<script>alert('%00').png"
    Image.new("RGB", (40, 30)).save(path)
    hostile = Page(write_grid(tmp_path / "g.html", grid(path, HOSTILE)).read_text(encoding="utf-8"))
    plain = Page(write_grid(tmp_path / "g.html", grid(path, "words")).read_text(encoding="utf-8"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert any("<script>alert('%00').png" in words for words in hostile.words)


def test_stored_grids_are_shown_with_their_photos(world: World) -> None:
    gallery = world.open()
    stored = world.made.grids[0]
    shown = example(stored, gallery, reward="brightness")
    assert [[str(p.path) for p in row] for row in shown.rows] == [gallery.paths(row) for row in stored.ids]
    assert [[p.reward for p in row] for row in shown.rows] == stored.rewards.tolist()
    assert (shown.pairs, shown.pairs_in_rows) == count_pairs(stored)
    assert shown.shape == (2, 4)


def test_a_large_grid_is_thinned_evenly_and_counts_all_its_pairs(world: World) -> None:
    gallery = world.open()
    names = gallery.ids()[:24]
    ids = tuple(tuple(names[k : k + 8]) for k in range(0, 24, 8))
    rewards = np.tile(np.arange(8, 0, -1, dtype=np.float32), (3, 1))
    whole = PreferenceGrid("q", "q", ids, rewards, np.zeros((3, 8), np.float32))
    shown = example(whole, gallery, most=(2, 3))
    assert [[p.reward for p in row] for row in shown.rows] == [[8.0, 4.0, 1.0], [8.0, 4.0, 1.0]]
    # Within a row 8·7/2; between two rows every photo beats those of no higher reward: 8·9/2.
    assert (shown.pairs, shown.pairs_in_rows) == (3 * 28 + 3 * 36, 3 * 28)
    assert shown.shape == (3, 8)


def test_grids_of_the_shown_queries_come_first(world: World) -> None:
    gallery, made = world.open(), world.made
    last = made.grids[-1].query
    chosen = examples(made, gallery, ["unknown", last])
    assert chosen[0].query == last
    assert made.example is not None
    assert made.example.query in [e.query for e in chosen]
    assert len({e.query for e in chosen}) == len(chosen) == 3
    assert all(e.reward == "brightness" for e in chosen)


def test_a_grid_of_another_gallery_is_refused(world: World) -> None:
    strange = PreferenceGrid("q", "q", (("0" * 64,),), np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))
    with pytest.raises(GalleryError):
        example(strange, world.open())
