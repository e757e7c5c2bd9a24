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


def split_sources(sources: Sequence[Source], *, seed: int) -> Split:
    """Holds out one source of each kind, drawn by the seed."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable draw, not a secret
    kinds = dict.fromkeys(s.kind for s in sources)
    held_out = [rng.choice([s.name for s in sources if s.kind == kind]) for kind in kinds]
    return Split(tuple(s.name for s in sources if s.name not in held_out), tuple(held_out))


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
