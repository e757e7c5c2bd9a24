"""What is measured of a ranking, one number per query."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PerQuery = NDArray[np.float64]
"""(q,) one number per query, in the queries' order."""


def recall_at_k(rankings: Sequence[Sequence[str]], relevant: Sequence[Collection[str]], k: int) -> PerQuery:
    """1 where one of a query's relevant photos is among its first k, else 0 (R@k as image retrieval reports it).

    Args:
        rankings: q lists of photo ids, best first.
        relevant: q collections of ids that answer the query.
        k: Depth, at least 1.
    """
    return np.array(
        [float(any(i in wanted for i in ids[:k])) for ids, wanted in zip(rankings, relevant, strict=True)],
        dtype=np.float64,
    )


def mean_at_k(rankings: Sequence[Sequence[str]], values: Mapping[str, float], k: int) -> PerQuery:
    """Mean value of a query's first k photos: reward@k, or the share of photos with a property.

    Args:
        rankings: q lists of photo ids, best first; none may be empty.
        values: The value of each photo, by id.
        k: Depth, at least 1; shorter rankings are averaged over what they hold.
    """
    return np.array([np.mean([values[i] for i in ids[:k]]) for ids in rankings], dtype=np.float64)


def expected_hit(
    above: NDArray[np.integer[Any]], tied: NDArray[np.integer[Any]], own: NDArray[np.integer[Any]] | int, k: int
) -> PerQuery:
    """R@k where scores may tie: the chance that a right answer is among the first k, ties in random order.

    1 − C(t, m) / C(t + o, m) with m = k − a places left for the tie (McSherry and Najork, 2008). So a model that
    gives everything the same score gets what chance gets, however its answers happen to be sorted.

    Args:
        above: (q,) a, how many wrong answers score higher than the best right one.
        tied: (q,) t, how many wrong answers score the same as that one.
        own: (q,) o, how many right answers have that score, at least 1.
        k: Depth, at least 1.
    """
    left = k - np.asarray(above)
    missed = np.ones(len(left), dtype=np.float64)
    for drawn in range(k):
        others = np.maximum(np.asarray(tied) - drawn, 0)
        missed = np.where(drawn < left, missed * others / np.maximum(others + own, 1), missed)
    found: PerQuery = 1.0 - missed
    return found
