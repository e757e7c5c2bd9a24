"""Timing several ways against each other in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def by_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, once per round, after a first time that does not count; each round begins with another."""
    for way in ways.values():
        way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        names = list(ways)
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            started = time.perf_counter()
            ways[name]()
            found[name].append(time.perf_counter() - started)
    return found


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times as long the one takes: median, least and most of the rounds."""
    rounds = [a / b for a, b in zip(slow, fast, strict=True)]
    return {"median": statistics.median(rounds), "least": min(rounds), "most": max(rounds)}
