"""What the alignment benchmark reads off its fronts, on fronts small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from aesalign_embedded.training.split import Photographs
from benchmarks.alignment.fronts import Front, gains, joined, judged
from benchmarks.alignment.split import split
from benchmarks.alignment.world import shortened


def front(recall: list[list[float]], beauty: list[list[float]], photos: list[int] | None = None) -> Front:
    count = len(recall[0])
    return Front(
        tuple(range(len(recall))),
        np.array(recall),
        np.array(beauty),
        np.array(photos or list(range(count)), np.int64),
    )


def test_the_first_ten_are_judged() -> None:
    # 12 photos whose similarity falls with their number; query 0 is about photo 9, query 1 about photo 10.
    similar = np.tile(-np.arange(12, dtype=np.float32), (2, 1))
    truth = np.arange(12, dtype=np.float32)
    recall, beauty = judged(similar, np.array([9, 10]), truth)
    assert recall.tolist() == [1.0, 0.0]
    assert beauty.tolist() == [4.5, 4.5]  # the mean of 0 to 9


def test_the_gain_lies_on_the_line_between_two_strengths() -> None:
    # 100 queries: recall 1.00, 0.98, 0.96; beauty 0.5, 0.7, 1.1. The floor, 0.97, is half way in the last step.
    recall = [[1.0] * 100, [0.0] * 2 + [1.0] * 98, [0.0] * 4 + [1.0] * 96]
    beauty = [[0.5] * 100, [0.7] * 100, [1.1] * 100]
    found = front(recall, beauty)
    assert found.gain() == pytest.approx((0.2 + 0.6) / 2)
    assert not found.ends_above


def test_a_front_above_the_floor_gives_its_end() -> None:
    found = front([[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.3, 0.1]])
    assert found.gain() == pytest.approx(0.2)
    assert found.ends_above


def test_what_comes_after_the_first_fall_does_not_count() -> None:
    # Below the floor at the second strength, above it again at the third.
    found = front([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]])
    assert found.gain() == pytest.approx(0.06)  # 0.03 of the 0.5 that are lost on the way to 1.0


def test_gains_are_paired() -> None:
    # One method is the other plus 0.1 for every query: the difference is certain although both are not.
    rng = np.random.default_rng(0)
    recall = np.ones((2, 60))
    beauty = np.stack([np.zeros(60), rng.normal(0.5, 1.0, 60)])
    photos = np.repeat(np.arange(20), 3)
    one = Front((0, 1), recall, beauty, photos)
    other = Front((0, 1), recall, beauty + np.array([[0.0], [0.1]]), photos)
    found = gains({"one": [one], "other": [other]}, "one")
    assert found["other"].difference == pytest.approx((0.1, 0.1, 0.1))
    assert found["one"].interval[1] - found["one"].interval[0] > 0.2
    assert found["one"].ratio == pytest.approx((1.0, 1.0, 1.0))


def test_halves_are_joined_query_by_query() -> None:
    left = front([[1.0], [0.0]], [[0.0], [1.0]], [3])
    right = front([[1.0], [1.0]], [[0.0], [2.0]], [5])
    both = joined([left, right])
    assert both.photos.tolist() == [3, 5]
    assert both.curve()[0].tolist() == [1.0, 0.5]
    assert both.curve()[1].tolist() == [0.0, 1.5]


def test_nobody_is_in_two_parts() -> None:
    names = [f"{n}.jpg" for n in range(50)]
    empty = np.empty(0, np.int64)
    known = Photographs(
        folder=None,  # type: ignore[arg-type]
        names=names, captions=[], photo_of=empty, scores=dict.fromkeys(names[:11], 5.0),
        train=empty, validation=empty, test=empty,
    )  # fmt: skip
    parts = split(known, seed=3)
    everyone = np.concatenate([parts.base, parts.align, *parts.rated])
    assert sorted(everyone.tolist()) == list(range(50))
    assert sorted(np.concatenate(parts.rated).tolist()) == list(range(11))
    assert not np.array_equal(parts.base, split(known, seed=4).base)


def test_short_queries_are_the_first_words_that_carry_meaning() -> None:
    assert shortened("A brown dog is running on the sandy beach .") == "brown dog running"
    assert shortened("He is in it .") == "He is in it ."
