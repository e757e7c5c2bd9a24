"""Weights, and how many units would decide."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.statistics import Difference, paired_difference


def difference(found: float, low: float, high: float, *, units: int = 100) -> Difference:
    return Difference(old=0.0, new=found, difference=found, low=low, high=high, level=0.95, units=units)


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        (difference(0.1, -0.1, 0.3), 400),  # an arm of 0.2 is half as long with four times the units
        (difference(-0.1, -0.3, 0.1), 400),
        (difference(0.1, 0.0, 0.4), 900),  # the longer arm: 0.3
        (difference(0.1, 0.0, 0.2), 101),  # it touches zero: one more, at least
        (difference(0.1, 0.05, 0.2), None),  # decided
        (difference(0.0, -0.1, 0.1), None),  # no difference to decide about
        (difference(0.5, -math.inf, math.inf, units=1), None),
    ],
)
def test_units_to_decide_by_hand(found: Difference, needed: int | None) -> None:
    assert found.units_to_decide == needed


def test_the_projection_comes_true_on_data_of_the_same_kind() -> None:
    rng = np.random.default_rng(5)
    gains = rng.normal(0.05, 1.0, 200_000)
    first = paired_difference(np.zeros(400), gains[:400])
    assert first.verdict == "undecided"
    # Had the 400 shown the true mean and spread, n · (1.96 · σ / √n / μ)² = (1.96 / 0.05)² = 1537 would decide.
    exact = difference(0.05, 0.05 - 1.96 / 20, 0.05 + 1.96 / 20, units=400)
    assert exact.units_to_decide == 1537
    many = paired_difference(np.zeros(4 * 1537), gains[: 4 * 1537])
    assert many.verdict == "gained"


def test_an_interval_without_ends_is_plain_json() -> None:
    told = json.loads(json.dumps(paired_difference([0.0], [1.0]).as_dict(), allow_nan=False))
    assert (told["low"], told["high"], told["verdict"], told["units_to_decide"]) == (None, None, "undecided", None)


def test_weights_by_hand() -> None:
    # (3 · 0.5 + 1 · (−0.5)) / 4 = 0.25; the last query counts nothing, not even as a unit.
    found = paired_difference([0.0, 1.0, 7.0], [0.5, 0.5, 9.0], weights=[3, 1, 0])
    assert found.old == pytest.approx(0.25)
    assert found.new == pytest.approx(0.5)
    assert found.difference == pytest.approx(0.25)
    assert found.units == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3)), min_size=2, max_size=9))
@settings(max_examples=20, deadline=None)
def test_a_whole_weight_is_as_many_copies_in_one_unit(rows: list[tuple[int, int, int]]) -> None:
    old, new, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    times = weights.astype(int)
    weighted = paired_difference(old, new, weights=weights)
    copies = paired_difference(
        np.repeat(old, times), np.repeat(new, times), groups=[str(i) for i, n in enumerate(times) for _ in range(n)]
    )
    assert copies.units == weighted.units
    assert copies.difference == pytest.approx(weighted.difference)
    assert (copies.low, copies.high) == (pytest.approx(weighted.low), pytest.approx(weighted.high))


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]])
def test_wrong_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(EvaluationError, match="weights"):
        paired_difference([0.0, 1.0], [1.0, 1.0], weights=weights)
