"""What is read off a front, on fronts small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from aesalign_core.evaluation.fronts import Front, gains, joined


def front(recall: list[list[float]], reward: list[list[float]], photos: list[int] | None = None) -> Front:
    count = len(recall[0])
    return Front(
        tuple(range(len(recall))),
        np.array(recall),
        np.array(reward),
        np.array(photos or list(range(count)), np.int64),
    )


def test_the_gain_lies_on_the_line_between_two_strengths() -> None:
    # 100 queries: recall 1.00, 0.98, 0.96; reward 0.5, 0.7, 1.1. The floor, 0.97, is half way in the last step.
    recall = [[1.0] * 100, [0.0] * 2 + [1.0] * 98, [0.0] * 4 + [1.0] * 96]
    reward = [[0.5] * 100, [0.7] * 100, [1.1] * 100]
    found = front(recall, reward)
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
    reward = np.stack([np.zeros(60), rng.normal(0.5, 1.0, 60)])
    photos = np.repeat(np.arange(20), 3)
    one = Front((0, 1), recall, reward, photos)
    other = Front((0, 1), recall, reward + np.array([[0.0], [0.1]]), photos)
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


def test_a_baseline_that_gains_nothing_has_no_ratio() -> None:
    flat, other = front([[1.0, 1.0]] * 2, [[0.0, 0.0]] * 2), front([[1.0, 1.0]] * 2, [[0.0, 0.0], [0.4, 0.4]])
    found = gains({"flat": [flat], "other": [other]}, "flat")
    assert found["other"].difference == pytest.approx((0.4, 0.4, 0.4))
    assert not np.isfinite(found["other"].ratio).any()
