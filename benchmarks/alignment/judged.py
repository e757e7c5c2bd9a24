"""What is read of one ranking of the benchmark: the first ten, by recall and by true scores."""

from __future__ import annotations

import numpy as np

from aesalign_core.evaluation.fronts import DEPTH, Floats
from aesalign_core.types import Scores, Vectors
from aesalign_embedded.training.split import Indices


def judged(similar: Vectors, own: Indices, truth: Scores) -> tuple[Floats, Floats]:
    """(q,) recall and (q,) beauty of the first 10 of (q, n) similarities.

    Args:
        similar: Whatever photos are ranked by.
        own: (q,) the column of each query's photograph.
        truth: (n,) true scores, standardised.
    """
    first = np.argpartition(-similar, DEPTH, axis=1)[:, :DEPTH]
    return (first == own[:, None]).any(1).astype(np.float64), truth[first].mean(1).astype(np.float64)
