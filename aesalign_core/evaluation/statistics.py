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

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, which know no infinity: the ends of no interval are None."""
        ends = {name: end if math.isfinite(end) else None for name, end in (("low", self.low), ("high", self.high))}
        return {**asdict(self), **ends, "verdict": self.verdict}


def paired_difference(
    old: Sequence[float] | NDArray[np.floating[Any]],
    new: Sequence[float] | NDArray[np.floating[Any]],
    *,
    groups: Sequence[str] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Percentile bootstrap of a difference of means over the same queries (Efron and Tibshirani, 1993, ch. 13).

    Args:
        old: (n,) one number per query.
        new: (n,) of the same queries, in the same order.
        groups: (n,) names of units to resample whole. Captions of one photograph are not independent: to resample
            them one by one would make the interval too narrow.
        level: Confidence.
        seed: Of the resampling.

    Raises:
        EvaluationError: Nothing to compare, or lengths differ, or a number is not finite.
    """
    from scipy.stats import bootstrap

    before, after = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if before.shape != after.shape or before.ndim != 1 or not before.size:
        raise EvaluationError(
            f"cannot compare {before.size} with {after.size} numbers: one per query in both, please"
        )
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise EvaluationError("a number to compare is not finite")
    names = np.arange(before.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums: NDArray[np.float64] = np.bincount(names, weights=after - before).astype(np.float64)
    counts = np.bincount(names).astype(np.float64)

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
        old=float(before.mean()),
        new=float(after.mean()),
        difference=float(mean(sums, counts)),
        low=low,
        high=high,
        level=level,
        units=int(sums.size),
    )
