"""The table of two systems over the same queries: old, new, how sure the difference is, what would decide it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aesalign_core.cli import console

if TYPE_CHECKING:
    from aesalign_core.evaluation.statistics import Difference

COLUMNS = ("change", "95 % interval", "verdict", "n (decides)")
"""A terminal of 80 columns must hold them: `--json` has every digit."""


def show(title: str, systems: Sequence[str], found: Mapping[str, Difference]) -> None:
    """Prints a table of differences by name of the metric; `systems` are the old one and the new one."""
    rows = [[name, *cells(difference)] for name, difference in found.items()]
    console.table(title, ["metric", *systems, *COLUMNS], rows, numbers=[1, 2, 3, 6])


def cells(difference: Difference) -> list[str]:
    """One difference as the cells after its name."""
    ends = [f"{end:+.3f}" if math.isfinite(end) else "–" for end in (difference.low, difference.high)]
    return [
        f"{difference.old:.3f}",
        f"{difference.new:.3f}",
        f"{difference.difference:+.3f}",
        "…".join(ends),
        difference.verdict,
        _units(difference),
    ]


def _units(difference: Difference) -> str:
    """How many queries or photographs there were and, where that decided nothing, how many it would take."""
    if difference.verdict != "undecided":
        return f"{difference.units:,}"
    needed = difference.units_to_decide
    return f"{difference.units:,} ({'–' if needed is None else f'≈{_short(needed)}'})"


def _short(count: int) -> str:
    """A projection has no more than its first digits."""
    return f"{count:,}" if count < 10_000 else f"{count / 1_000:,.0f}k" if count < 10_000_000 else f"{count:.0e}"
