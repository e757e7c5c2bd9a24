"""Fronts between relevance and reward, and what is read off them: the gain at 97 percent of the base's recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
DEPTH = 10
"""Photos of an answer that are looked at."""
KEPT = 0.97
"""Share of the base's recall at which methods are compared."""
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Front:
    """One method over one set of queries, its strength swept upwards from 0, the base.

    Attributes:
        strengths: (s,).
        recall: (s, q) whether the query's own photograph is among the first 10.
        reward: (s, q) mean reward of the first 10, in standard deviations of the gallery.
        photos: (q,) which photograph each query describes; they are resampled whole.
    """

    strengths: tuple[float, ...]
    recall: Floats
    reward: Floats
    photos: Indices

    def curve(self, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """(s,) recall and (s,) gain in reward over the base, queries weighted."""
        recall = np.average(self.recall, axis=1, weights=weights)
        reward = np.average(self.reward, axis=1, weights=weights)
        return recall, reward - reward[0]

    def gain(self, weights: Floats | None = None) -> float:
        """Reward gained where recall first falls below 97 % of the base's, on a line between two strengths.

        A front that never falls so low gives the gain at its end: then more was to be had.
        """
        recall, reward = self.curve(weights)
        floor = KEPT * recall[0]
        below = np.flatnonzero(recall < floor)
        if not len(below):
            return float(reward[-1])
        after = int(below[0])
        share = (recall[after - 1] - floor) / (recall[after - 1] - recall[after])
        return float(reward[after - 1] + share * (reward[after] - reward[after - 1]))

    @property
    def ends_above(self) -> bool:
        """Whether the floor was never reached."""
        recall, _ = self.curve()
        return bool((recall >= KEPT * recall[0]).all())


def joined(parts: Sequence[Front]) -> Front:
    """One front over the queries of several galleries."""
    return Front(
        parts[0].strengths,
        np.concatenate([p.recall for p in parts], 1),
        np.concatenate([p.reward for p in parts], 1),
        np.concatenate([p.photos for p in parts]),
    )


@dataclass(frozen=True, slots=True)
class Gain:
    """gain@97 with 95 % intervals: its own, and those of its difference and ratio to a baseline's.

    Attributes:
        value: Mean over seeds.
        interval: Of the value.
        difference: To the baseline, with its interval.
        ratio: To the baseline, with its interval; not finite where the baseline gains nothing.
    """

    value: float
    interval: tuple[float, float]
    difference: tuple[float, float, float]
    ratio: tuple[float, float, float]


def gains(fronts: dict[str, list[Front]], baseline: str) -> dict[str, Gain]:
    """Of each method, a front per seed: paired bootstrap over photographs, the same in all seeds and methods."""
    photos = np.unique(np.concatenate([front.photos for front in fronts[baseline]]))
    rng = np.random.default_rng(0)
    drawn = {name: np.empty(RESAMPLES) for name in fronts}
    for turn in range(RESAMPLES):
        counts = np.bincount(rng.integers(len(photos), size=len(photos)), minlength=len(photos)).astype(np.float64)
        for name, seeds in fronts.items():
            drawn[name][turn] = np.mean([f.gain(counts[np.searchsorted(photos, f.photos)]) for f in seeds])
    values = {name: float(np.mean([front.gain() for front in seeds])) for name, seeds in fronts.items()}
    base, base_drawn = values[baseline], drawn[baseline]
    return {
        name: Gain(
            value,
            _interval(drawn[name]),
            (value - base, *_interval(drawn[name] - base_drawn)),
            (_over(value, base), *_interval(_over(drawn[name], base_drawn))),
        )
        for name, value in values.items()
    }


@np.errstate(divide="ignore", invalid="ignore")
def _over(value: Any, base: Any) -> Any:
    return np.divide(value, base)


def _interval(values: Floats) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):
        low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
