"""The approximate index: IVF over cosine, over whole vectors or over what quantisation leaves of them."""

from __future__ import annotations

import math
from typing import Any

LEAST_ROWS = 256
"""Fewer rows train no partitions worth having; exact search is instant there."""
_NAME = "vector_idx"
_BITS_TOGETHER = 8
"""Rotation quantisation packs a bit per number into bytes."""


def build(table: Any, *, rows: int, dim: int, partitions: int | None, compressed: bool) -> str:
    """Builds or replaces the index and says what it is."""
    from lancedb.index import IvfFlat, IvfPq, IvfRq

    if rows < LEAST_ROWS:
        return f"exact search: {rows} photos are too few for an index"
    count = min(partitions or round(math.sqrt(rows)), rows // 2)
    kind, config = "IVF_FLAT", IvfFlat(distance_type="cosine", num_partitions=count)
    if compressed and dim % _BITS_TOGETHER == 0:
        # A random rotation needs no training: as good as product quantisation after refinement, built many times
        # sooner (docs/experiments.md).
        kind, config = "IVF_RQ", IvfRq(distance_type="cosine", num_partitions=count)
    elif compressed:
        parts = _sub_vectors(dim)
        kind, config = "IVF_PQ", IvfPq(distance_type="cosine", num_partitions=count, num_sub_vectors=parts)
    table.create_index("vector", config=config, replace=True, name=_NAME)
    return f"{kind} index of {count} partitions over {rows} photos"


def _sub_vectors(dim: int) -> int:
    """The most parts of at least 4 numbers that divide an embedding; refinement makes up for the loss."""
    return next(parts for parts in range(max(1, dim // 4), 0, -1) if dim % parts == 0)
