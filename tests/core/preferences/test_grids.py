"""Cutting a ranking into a grid: by hand, and for any candidates."""

from __future__ import annotations

import random
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aesalign_core.preferences.grids import cut_grid, dominance
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.types import PreferenceGrid


def cut(rewards: list[float], **values: Any) -> PreferenceGrid | str:
    """Candidates a, b, c, …, in the order of their similarity."""
    ids = [chr(ord("a") + i) for i in range(len(rewards))]
    similarities = np.linspace(1, 0, len(rewards))
    std = values.pop("std", 1.0)
    return cut_grid(ids, similarities.tolist(), rewards, PairSettings(**values), std=std)


def ids(grid: PreferenceGrid | str) -> list[str]:
    assert isinstance(grid, PreferenceGrid), grid
    return ["".join(row) for row in grid.ids]


def test_two_bands_of_two_by_hand() -> None:
    # Ranking a b c | d e f. By reward: b(9) a(5) c(1) and f(8) e(7) d(0). Two of three, as far apart as possible.
    assert ids(cut([5, 9, 1, 0, 7, 8], rows=2, columns=2)) == ["bc", "fd"]
    assert ids(cut([5, 9, 1, 0, 7, 8], rows=2, columns=2, stride=1)) == ["ba", "fe"]
    assert ids(cut([5, 9, 1, 0, 7, 8], rows=2, columns=2, stride=2)) == ["bc", "fd"]
    # f and e differ by 1 only: with a margin of 2, f's neighbour is d, although stride 1 would allow e.
    assert ids(cut([5, 9, 1, 0, 7, 8], rows=2, columns=2, stride=1, margin=2)) == ["ba", "fd"]


def test_the_margin_is_in_standard_deviations() -> None:
    assert ids(cut([3, 2, 1], rows=1, columns=2, stride=1, margin=2, std=0.5)) == ["ab"]
    assert ids(cut([3, 2, 1], rows=1, columns=2, stride=1, margin=2, std=1.0)) == ["ac"]


def test_a_free_stride_narrows_until_the_margin_fits() -> None:
    # The widest stride for three of seven is 3: a d g, but d and g are equal. Stride 2 gives a c e.
    assert ids(cut([9, 8, 7, 1, 1, 1, 1], rows=1, columns=3, margin=1)) == ["ace"]


def test_hard_negatives_by_hand() -> None:
    # K = 4: a b | c d. After them e f g, of which e(9) and g(8) have the highest rewards; h is too far away.
    found = cut([5, 3, 4, 2, 9, 1, 8, 7], rows=2, columns=2, candidates=4, hard_negatives=3)
    assert ids(found) == ["ab", "cd", "eg"]
    assert isinstance(found, PreferenceGrid)
    assert found.rewards.tolist() == [[5, 3], [4, 2], [2, 2]]  # they count as the least of the grid
    preferred = dominance(np.repeat(np.arange(3), 2), found.rewards.reshape(-1))
    assert preferred[:4, 4:].all()  # each photo of the grid is preferred to each of them, d with its equal reward too
    assert not preferred[4:].any()


@pytest.mark.parametrize(
    ("rewards", "values", "reason"),
    [
        (
            [1, 2, 3, 4, 5],
            {"rows": 2, "columns": 2, "candidates": 4, "hard_negatives": 2},
            "1 photos after the candidates, 2 needed as hard negatives",
        ),
        ([1, 2, 3], {"rows": 2, "columns": 2}, "3 candidates with a reward, 4 needed for 2 x 2"),
        ([1, 2, float("nan"), 3], {"rows": 2, "columns": 2}, "3 candidates with a reward, 4 needed for 2 x 2"),
        ([1, 2, 3, 3], {"rows": 2, "columns": 2, "margin": 1}, "band 2 of 2 has no 2 photos far enough apart"),
        ([1, 2, 3, 4], {"rows": 2, "columns": 2, "stride": 2}, "band 1 of 2 has no 2 photos far enough apart"),
    ],
)
def test_what_gives_no_grid_says_why(rewards: list[float], values: dict[str, Any], reason: str) -> None:
    result = cut(rewards, **values)
    assert isinstance(result, str)
    assert result.startswith(reason)


def test_dominance_by_hand() -> None:
    # 0: near, rich. 1: near, poor. 2: far, rich. 3: far, poor. 1 and 2 cannot be compared.
    wins = {tuple(p) for p in np.argwhere(dominance(np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0], np.float32)))}
    assert wins == {(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)}


CANDIDATES = st.lists(
    # Few values, so that ties are common.
    st.tuples(st.integers(-4, 4).map(lambda x: x / 4), st.integers(0, 6).map(float)),
    min_size=1,
    max_size=60,
)
SETTINGS = st.builds(
    PairSettings,
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    stride=st.none() | st.integers(1, 3),
    margin=st.sampled_from([0.0, 0.5, 2.0]),
)


@given(CANDIDATES, SETTINGS, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_every_grid_is_a_grid(
    candidates: list[tuple[float, float]], asked: PairSettings, shuffle: random.Random
) -> None:
    names = [f"{i:03d}" for i in range(len(candidates))]
    grid = cut_grid(names, [s for s, _ in candidates], [r for _, r in candidates], asked)
    if isinstance(grid, PreferenceGrid):
        assert grid.shape == (asked.rows, asked.columns) == grid.rewards.shape == grid.similarities.shape
        flat = [name for row in grid.ids for name in row]
        assert len(set(flat)) == len(flat)
        # Every number is that photo's own.
        assert [(s, r) for s, r in zip(grid.similarities.flat, grid.rewards.flat, strict=True)] == [
            candidates[int(name)] for name in flat
        ]
        # Rows fall in semantics: each photo of a band is at least as similar as any photo of the next.
        assert (grid.similarities[:-1].min(axis=1) >= grid.similarities[1:].max(axis=1)).all()
        # Columns fall in reward, by the margin.
        assert (-np.diff(grid.rewards, axis=1) >= asked.margin).all()
    order = list(range(len(candidates)))
    shuffle.shuffle(order)
    again = cut_grid([names[i] for i in order], *zip(*[candidates[i] for i in order], strict=True), asked)
    assert (grid if isinstance(grid, str) else grid.ids) == (again if isinstance(again, str) else again.ids)


@given(CANDIDATES, st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_without_margin_enough_candidates_always_give_a_grid(
    candidates: list[tuple[float, float]], rows: int, columns: int
) -> None:
    names = [f"{i:03d}" for i in range(len(candidates))]
    asked = PairSettings(rows=rows, columns=columns)
    grid = cut_grid(names, [s for s, _ in candidates], [r for _, r in candidates], asked)
    assert isinstance(grid, PreferenceGrid) == (len(candidates) >= rows * columns)


def test_a_candidate_that_comes_twice_counts_once() -> None:
    asked = PairSettings(rows=1, columns=2)
    assert isinstance(cut_grid(["a", "a"], [1, 0.5], [1, 2], asked), str)
    assert ids(cut_grid(["a", "b", "a"], [1, 0.5, 0.4], [1, 2, 1], asked)) == ["ba"]


@given(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=8), SETTINGS)
@settings(max_examples=200, deadline=None)
def test_a_row_is_found_wherever_there_is_one(rewards: list[float], asked: PairSettings) -> None:
    asked = asked.model_copy(update={"rows": 1})
    best = sorted(rewards, reverse=True)
    there = any(
        all(b - a >= (asked.stride or 1) and best[a] - best[b] >= asked.margin for a, b in pairwise(row))
        for row in combinations(range(len(best)), asked.columns)
    )
    names = [f"{i:03d}" for i in range(len(rewards))]
    assert isinstance(cut_grid(names, [1.0] * len(rewards), rewards, asked), PreferenceGrid) == there
