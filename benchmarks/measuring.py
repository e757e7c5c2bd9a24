"""Timing several ways against each other in one run, and the memory of a process."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


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


def own_peak() -> float:
    """Peak resident memory of this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1000


def peak_of(command: Sequence[str]) -> float:
    """Peak resident memory, in MB, of a fresh process that prints its own as its last line.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run([*command], capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise SystemExit(f"measuring memory failed: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout.splitlines()[-1])
