"""Photographs split apart, so that nothing is judged by what was fitted on it.

- `base`: the base encoder's projection heads are trained on these, and on nothing else. On photographs that an
  encoder has learnt by heart its rankings are too good to learn from: the shipped heads find 99.8 % of their training
  captions among 246 photographs, and 85 to 88 % of others'.
- `align`: grids and caption pairs of the alignment.
- `rated`: those with a LAION score, in two halves; the reward is fitted on one half, the other is the gallery that is
  searched and judged. Then the halves change places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aesalign_embedded.training.split import Indices, Photographs


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint indices of photographs."""

    base: Indices
    align: Indices
    rated: tuple[Indices, Indices]


def split(photographs: Photographs, *, seed: int) -> Split:
    """The seed draws the halves of both kinds."""
    rng = np.random.default_rng(seed)
    has_score = np.isin(photographs.names, list(photographs.scores))
    rated, others = rng.permutation(np.flatnonzero(has_score)), rng.permutation(np.flatnonzero(~has_score))
    half = len(others) * 2 // 5
    first, second = np.array_split(rated, 2)
    return Split(np.sort(others[:half]), np.sort(others[half:]), (np.sort(first), np.sort(second)))
