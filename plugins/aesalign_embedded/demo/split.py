"""Who is trained on and who is judged: whole source photographs, or whole queries, never parts of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from aesalign_embedded.demo.sources import Source


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint names."""

    trained: tuple[str, ...]
    held_out: tuple[str, ...]


def split_sources(sources: Sequence[Source], *, seed: int) -> list[Split]:
    """Several splits. Each source is held out once, and no two of a kind at a time, in an order drawn by the seed."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable draw, not a secret
    kinds = [[s.name for s in sources if s.kind == kind] for kind in dict.fromkeys(s.kind for s in sources)]
    for names in kinds:
        rng.shuffle(names)
    splits = []
    for turn in range(max(map(len, kinds))):
        held_out = tuple(names[turn] for names in kinds if turn < len(names))
        splits.append(Split(tuple(s.name for s in sources if s.name not in held_out), held_out))
    return splits


def split_names(names: Sequence[str], *, held_out: float, seed: int) -> Split:
    """Holds out a share of distinct names, at least one of either sort, in an order that only the seed decides."""
    drawn = list(dict.fromkeys(names))
    random.Random(seed).shuffle(drawn)  # noqa: S311
    count = min(max(1, round(len(drawn) * held_out)), len(drawn) - 1)
    kept_back = set(drawn[:count])
    return Split(
        tuple(n for n in dict.fromkeys(names) if n not in kept_back),
        tuple(n for n in dict.fromkeys(names) if n in kept_back),
    )
