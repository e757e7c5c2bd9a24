"""What is reported, with bootstrap intervals over photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aesalign_core.types import Vectors
from aesalign_embedded.training.split import Indices


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 percent interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(statistic: Callable[[Indices], float], size: int, *, rounds: int = 1000) -> Estimate:
    """A statistic of `size` items with the percentile interval over items drawn with replacement."""
    rng = np.random.default_rng(0)
    drawn = [statistic(rng.integers(size, size=size)) for _ in range(rounds)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(statistic(np.arange(size)), float(low), float(high))


def ranks(texts: Vectors, images: Vectors, photo_of: Indices) -> Indices:
    """How many photos are nearer to each text than its own: (c,)."""
    similar = texts @ images.T
    own = similar[np.arange(len(texts)), photo_of]
    return np.asarray((similar > own[:, None]).sum(1), np.int64)


def recall(found: Indices, photo_of: Indices, k: int) -> Estimate:
    """Share of texts whose own photo is among the k nearest; captions of one photo are drawn together."""
    photos = int(photo_of.max()) + 1
    per_photo = np.bincount(photo_of, found < k, photos) / np.bincount(photo_of, minlength=photos)
    return bootstrap(lambda rows: float(per_photo[rows].mean()), photos)


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> Estimate:
    """Rank correlation."""
    from scipy.stats import rankdata

    return bootstrap(lambda rows: float(np.corrcoef(rankdata(a[rows]), rankdata(b[rows]))[0, 1]), len(a))


def share(right: NDArray[np.bool_]) -> Estimate:
    """Share of rows that are true; for (m, …), all of a row's entries are drawn together."""
    per_row = right.reshape(len(right), -1).mean(1)
    return bootstrap(lambda rows: float(per_row[rows].mean()), len(per_row))
