"""Metrics and intervals against values derived by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.metrics import mean_at_k, recall_at_k
from aesalign_core.evaluation.retrieval import Rankings, report
from aesalign_core.evaluation.statistics import paired_difference

RANKINGS = [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]]


def test_recall_counts_queries_whose_photo_is_among_the_first_k() -> None:
    # "a" stands at ranks 1, 2 and 3.
    relevant = [{"a"}] * 3
    assert recall_at_k(RANKINGS, relevant, 1).tolist() == [1, 0, 0]
    assert recall_at_k(RANKINGS, relevant, 2).tolist() == [1, 1, 0]
    assert recall_at_k(RANKINGS, relevant, 3).tolist() == [1, 1, 1]


def test_mean_at_k_averages_the_first_k_only() -> None:
    values = {"a": 1.0, "b": 2.0, "c": 6.0}
    assert mean_at_k(RANKINGS, values, 2).tolist() == [1.5, 3.5, 4.0]
    assert mean_at_k([["a"]], values, 10).tolist() == [1.0]


def test_a_constant_gain_has_an_interval_of_no_width() -> None:
    found = paired_difference([0.0, 1.0, 2.0], [0.5, 1.5, 2.5])
    assert (found.difference, found.low, found.high, found.verdict) == (0.5, 0.5, 0.5, "gained")


def test_the_interval_agrees_with_the_normal_approximation() -> None:
    noise = np.random.default_rng(1).standard_normal(4000)
    found = paired_difference(np.zeros(4000), noise)
    half = 1.96 * noise.std() / math.sqrt(4000)
    assert found.low == pytest.approx(noise.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(noise.mean() + half, abs=0.1 * half)


def test_captions_of_one_photo_are_resampled_together() -> None:
    # Five identical captions a photo carry the information of one: the interval must be √5 times as wide.
    gains = np.random.default_rng(2).standard_normal(400)
    once = paired_difference(np.zeros(400), gains)
    names = [str(i) for i in range(400) for _ in range(5)]
    repeated = paired_difference(np.zeros(2000), np.repeat(gains, 5), groups=names)
    naive = paired_difference(np.zeros(2000), np.repeat(gains, 5))
    assert repeated.units == 400
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.05)
    assert (once.high - once.low) / (naive.high - naive.low) == pytest.approx(math.sqrt(5), rel=0.1)


def test_one_query_decides_nothing() -> None:
    assert paired_difference([0.0], [1.0]).verdict == "undecided"


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=20))
@settings(max_examples=20, deadline=None)
def test_swapping_the_systems_mirrors_the_difference(pairs: list[tuple[float, float]]) -> None:
    old, new = zip(*pairs, strict=True)
    there, back = paired_difference(old, new), paired_difference(new, old)
    assert there.difference == pytest.approx(-back.difference, abs=1e-9)
    assert there.low <= there.difference + 1e-9
    assert there.difference <= there.high + 1e-9


@pytest.mark.parametrize(("old", "new"), [([], []), ([1.0], [1.0, 2.0]), ([float("nan")], [0.0])])
def test_what_cannot_be_compared_is_refused(old: list[float], new: list[float]) -> None:
    with pytest.raises(EvaluationError):
        paired_difference(old, new)


def test_a_report_of_two_encoders_compares_the_same_queries() -> None:
    old, new = Rankings("old", RANKINGS), Rankings("new", [["a"], ["a"], ["a"]])
    found = report([old, new], ["a", "a", "x"], {"beauty": {"a": 3.0, "b": 1.0, "c": 2.0}}, depths=(1,))
    assert found.metrics["R@1"] == {"old": pytest.approx(1 / 3), "new": pytest.approx(2 / 3)}
    # Old tops are a, c, b: (3 + 2 + 1) / 3; new tops are a: 3.
    assert found.differences["reward:beauty@1"].difference == pytest.approx(1.0)
