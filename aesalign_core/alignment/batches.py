"""Which items each step sees: a function of seed and step alone, so that a resumed run sees the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class Batches:
    """An endless stream of shuffled epochs, cut into batches of equal size.

    Every item comes once per epoch, in an order derived from (seed, stream, epoch); a batch may end one epoch and
    begin the next.

    Args:
        count: Items.
        size: Items per batch; all of them if there are fewer.
        seed: Of the run.
        stream: Tells streams of one run apart.
    """

    def __init__(self, count: int, size: int, *, seed: int, stream: int) -> None:
        if count < 1:
            raise ValueError("no items to batch")
        self.count, self.size = count, min(size, count)
        self._seed, self._stream = seed, stream
        self._epochs: dict[int, Indices] = {}

    def at(self, step: int) -> Indices:
        """(size,) the items of a step, which counts from 0."""
        start, end = step * self.size, (step + 1) * self.size
        epochs = range(start // self.count, (end - 1) // self.count + 1)
        self._epochs = {e: self._epochs[e] if e in self._epochs else self._permutation(e) for e in epochs}
        stream = np.concatenate(list(self._epochs.values()))
        offset = start - epochs.start * self.count
        return stream[offset : offset + self.size]

    def _permutation(self, epoch: int) -> Indices:
        return np.random.default_rng([self._seed, self._stream, epoch]).permutation(self.count).astype(np.int64)
