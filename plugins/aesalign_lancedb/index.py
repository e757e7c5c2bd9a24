"""The approximate index: IVF over cosine, with or without product quantisation."""

from __future__ import annotations

import math
from typing import Any

LEAST_ROWS = 256
"""Fewer rows train no partitions worth having; exact search is instant there."""
_NAME = "vector_idx"


def build(table: Any, *, rows: int, dim: int, partitions: int | None, compressed: bool) -> str:
    """Builds or replaces the index and says what it is."""
    from lancedb.index import IvfFlat, IvfPq

    if rows < LEAST_ROWS:
        return f"exact search: {rows} photos are too few for an index"
    count = min(partitions or round(math.sqrt(rows)), rows // 2)
    config: Any = IvfFlat(distance_type="cosine", num_partitions=count)
    if compressed:
        parts = _sub_vectors(dim)
        config = IvfPq(distance_type="cosine", num_partitions=count, num_sub_vectors=parts)
    table.create_index("vector", config=config, replace=True, name=_NAME)
    kind = "IVF_PQ" if compressed else "IVF_FLAT"
    return f"{kind} index of {count} partitions over {rows} photos"


def _sub_vectors(dim: int) -> int:
    """The most parts of at least 4 numbers that divide an embedding; refinement makes up for the loss."""
    return next(parts for parts in range(max(1, dim // 4), 0, -1) if dim % parts == 0)
