"""A comparison without its pictures: a table for terminals, and plain JSON types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from aesalign_core.report import wording
from aesalign_core.report.choosing import choose
from aesalign_core.report.comparison import ComparedQuery, Comparison, Measure, Tally

COLUMNS = ("before", "after", "change", "95 % interval", "verdict")


def table(measures: Sequence[Measure]) -> list[list[str]]:
    """For people: name, before, after, change, interval, verdict of each measure."""
    return [
        [
            m.name,
            wording.value(m.result.old, m.unit),
            wording.value(m.result.new, m.unit),
            wording.change(m.result.difference, m.unit),
            wording.ends(m.result, m.unit),
            wording.VERDICTS[m.result.verdict],
        ]
        for m in measures
    ]


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """For machines: what is measured and judged, and where most was gained and lost."""
    shown, front = choose(comparison), comparison.front
    return {
        "old": comparison.old,
        "new": comparison.new,
        "queries": len(comparison.queries),
        "headline": wording.headline(comparison.measures),
        "measures": [measure(m) for m in comparison.measures],
        "judges": [_tally(t) for t in comparison.tallies],
        "gains": [_query(q) for q in shown.gains],
        "losses": [_query(q) for q in shown.losses],
        "front": None
        if front is None
        else {
            "reward": front.reward,
            "queries": front.queries,
            "gain_at": front.floor,
            "gains": {line.name: list(line.gain) for line in front.lines},
            "difference": list(front.difference),
        },
        "no_front": comparison.no_front or None,
        "caveats": list(comparison.caveats),
    }


def measure(one: Measure) -> dict[str, Any]:
    """A line of the summary."""
    numbers = {name: _finite(value) for name, value in one.result.as_dict().items()}
    return {"name": one.name, "unit": one.unit, "independent_of_training": one.independent, **numbers}


def _tally(tally: Tally) -> dict[str, Any]:
    return {"judge": tally.judge, "wins": tally.wins, "similar": tally.similar, "losses": tally.losses,
            "failed": sum(count for _, count in tally.failures)}  # fmt: skip


def _query(query: ComparedQuery) -> dict[str, Any]:
    return {"query": query.query, "before": _finite(query.old_value), "after": _finite(query.new_value),
            "net": query.net, "right_lost": query.right_lost}  # fmt: skip


def _finite(value: Any) -> Any:
    """JSON has no infinity: an interval without an end has none."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
