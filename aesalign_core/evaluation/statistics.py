"""Intervals for paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import EvaluationError

RESAMPLES = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of means, new minus old, with its bootstrap interval.

    Attributes:
        old: Mean of the old system.
        new: Mean of the new system.
        difference: new − old.
        low: Lower end of the interval of the difference.
        high: Upper end.
        level: Confidence of the interval, such as 0.95.
        units: How many independent units (queries, or photographs with all their captions) were resampled.
    """

    old: float
    new: float
    difference: float
    low: float
    high: float
    level: float
    units: int

    @property
    def verdict(self) -> Literal["gained", "lost", "undecided"]:
        """Whether the interval lies above zero, below it, or holds it."""
        if self.low > 0:
            return "gained"
        return "lost" if self.high < 0 else "undecided"

    @property
    def units_to_decide(self) -> int | None:
        """How many units would decide it, if difference and spread stayed as they are: a projection, no promise.

        An arm of the interval, |difference − end|, shrinks as 1 / √units, and is shorter than the difference from
        units · (arm / |difference|)² on. The longer arm is taken: where few units differ at all, the end towards
        zero sticks to it. None where it is decided already, and where the difference is 0 or there is but one unit:
        then nothing can be projected.
        """
        if self.verdict != "undecided" or not self.difference:
            return None
        arm = max(self.difference - self.low, self.high - self.difference)
        projected = self.units * (arm / self.difference) ** 2
        return max(self.units + 1, math.ceil(round(projected, 3))) if math.isfinite(projected) else None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types; an interval without ends, of one unit, has None for them."""
        ends = {name: end if math.isfinite(end) else None for name, end in (("low", self.low), ("high", self.high))}
        return {**asdict(self), **ends, "verdict": self.verdict, "units_to_decide": self.units_to_decide}


def paired_difference(
    old: Sequence[float] | NDArray[np.floating[Any]],
    new: Sequence[float] | NDArray[np.floating[Any]],
    *,
    groups: Sequence[str] | None = None,
    weights: Sequence[float] | NDArray[np.floating[Any]] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of a difference of means over the same queries (Efron and Tibshirani, 1993, ch. 13).

    Args:
        old: (n,) one number per query.
        new: (n,) of the same queries, in the same order.
        groups: (n,) names of units to resample whole. Captions of one photograph are not independent: to resample
            them one by one would make the interval too narrow.
        weights: (n,) how much each query counts in the means, not negative; None: all the same.
        level: Confidence.
        seed: Of the resampling.

    Raises:
        EvaluationError: Nothing to compare, or lengths differ, or a number is not finite, or nothing has a weight.
    """
    from scipy.stats import bootstrap

    before, after = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1 or not before.size:
        raise EvaluationError(
            f"cannot compare {before.size} with {after.size} numbers: one per query in both, please"
        )
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise EvaluationError("a number to compare is not finite")
    shares = np.ones(before.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != before.shape or not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
        raise EvaluationError("weights are one finite number per query, none of them negative, not all zero")
    # What has no weight is no unit either: a resample of nothing else would have no mean.
    before, after, shares, kept = *(a[shares > 0] for a in (before, after, shares)), shares > 0
    names = np.arange(before.size)
    if groups is not None:
        names = np.unique(np.asarray(groups)[kept], return_inverse=True)[1]
    sums: NDArray[np.float64] = np.bincount(names, weights=shares * (after - before)).astype(np.float64)
    counts = np.bincount(names, weights=shares).astype(np.float64)

    def mean(s: NDArray[np.float64], c: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray(s.sum(axis=axis) / c.sum(axis=axis))

    low = high = float(mean(sums, counts))
    if sums.size > 1:
        interval = bootstrap(
            (sums, counts), mean, paired=True, vectorized=True, n_resamples=RESAMPLES, batch=500,
            confidence_level=level, method="percentile", rng=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip
        low, high = float(interval.low), float(interval.high)
    else:
        # One unit says nothing about spread.
        low, high = -float("inf"), float("inf")
    return Difference(
        old=float(np.average(before, weights=shares)),
        new=float(np.average(after, weights=shares)),
        difference=float(mean(sums, counts)),
        low=low,
        high=high,
        level=level,
        units=int(sums.size),
    )
