"""Vectors that lie as embeddings of photos do: topics, finer topics within them, and what is a photo's own.

Vectors without any structure would have no neighbours worth finding (in 512 dimensions all are equally far), and
those of a few tight clusters would be found by any index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from aesalign_core.types import Vectors

TOPICS, FINER = 500, 40
_SPREAD, _OWN = 0.8, 0.9
"""Of finer topics around their topic, and of photos around their finer topic; lengths, where a topic's is 1."""


class Synthetic:
    """Draws rows and queries, the same for a seed whatever is drawn first.

    Args:
        dim: d.
        seed: Of everything.
    """

    def __init__(self, dim: int, *, seed: int) -> None:
        self.dim, self.seed = dim, seed
        rng = np.random.default_rng([seed, 0])
        topics = _unit(rng.standard_normal((TOPICS, dim), np.float32))
        finer = _unit(rng.standard_normal((TOPICS * FINER, dim), np.float32))
        self._centres = np.repeat(topics, FINER, axis=0) + _SPREAD * finer
        # Some topics are photographed more than others.
        weights = 1 / np.arange(1, len(self._centres) + 1) ** 0.5
        self._weights = rng.permutation(weights / weights.sum())

    def rows(self, count: int, *, batch: int) -> Iterator[pa.Table]:
        """Rows of a gallery, batch by batch."""
        for number, start in enumerate(range(0, count, batch)):
            size = min(batch, count - start)
            vectors = self._drawn(size, 1, number)
            yield pa.table(
                {
                    "id": [hashlib.sha256(str(i).encode()).hexdigest() for i in range(start, start + size)],
                    "path": [f"/photos/{i // 10_000:06}/{i:010}.jpg" for i in range(start, start + size)],
                    "width": pa.array(np.full(size, 1024, np.int32)),
                    "height": pa.array(np.full(size, 768, np.int32)),
                    "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.dim),
                }
            )

    def queries(self, count: int) -> Vectors:
        """(count, d) unit rows that are no row's, of the same topics."""
        return self._drawn(count, 2, 0)

    def _drawn(self, count: int, stream: int, number: int) -> Vectors:
        rng = np.random.default_rng([self.seed, stream, number])
        chosen = rng.choice(len(self._centres), count, p=self._weights)
        own = _unit(rng.standard_normal((count, self.dim), np.float32))
        return _unit(self._centres[chosen] + _OWN * own)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)
