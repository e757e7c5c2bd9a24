"""Coordinates of the page's small charts. They are drawn as inline SVG, so that they follow the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report.records import Curve

WIDTH = 240.0
CURVE_WIDTH, CURVE_HEIGHT = 320.0, 120.0
_EDGE = 8.0
_MOST_POINTS = 400
_LEAST_SPAN = 1e-12


@dataclass(frozen=True, slots=True)
class Whisker:
    """A difference and its interval on a line of `WIDTH`: x of zero, of both ends, and of the difference."""

    zero: float
    low: float
    high: float
    middle: float


def whisker(difference: Difference) -> Whisker | None:
    """Where to draw an interval; None if it has no ends."""
    values = (difference.low, difference.high, difference.difference)
    if not all(math.isfinite(v) for v in values):
        return None
    left, right = min(0.0, *values), max(0.0, *values)
    scale = (WIDTH - 2 * _EDGE) / max(right - left, _LEAST_SPAN)

    def place(v: float) -> float:
        return round(_EDGE + (v - left) * scale, 2)

    return Whisker(place(0.0), place(difference.low), place(difference.high), place(difference.difference))


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn curve.

    Attributes:
        name: What it is.
        points: Of an SVG polyline.
        first: Value at its first step.
        last: Value at its last step.
        lowest: Least value.
        highest: Greatest value.
        top: Value at the upper end of the axis.
        bottom: Value at its lower end.
        steps: The last step.
        band: Points of an SVG polygon, its interval; empty: none.
        kept: x of the step that is kept; None: not marked.
        kept_step: That step.
    """

    name: str
    points: str
    first: float
    last: float
    lowest: float
    highest: float
    top: float
    bottom: float
    steps: int
    band: str = ""
    kept: float | None = None
    kept_step: int | None = None


def line(curve: Curve) -> Line | None:
    """Scales a curve into `CURVE_WIDTH` × `CURVE_HEIGHT`; None if fewer than two points are finite."""
    points = [(s, v) for s, v in curve.points if math.isfinite(v)]
    if len(points) < 2:
        return None
    values, ends = [v for _, v in points], [v for v in (*curve.low, *curve.high) if math.isfinite(v)]
    bottom, top = min(*values, *ends), max(*values, *ends)
    start, span = points[0][0], (points[-1][0] - points[0][0]) or 1
    height = (CURVE_HEIGHT - 2 * _EDGE) / max(top - bottom, _LEAST_SPAN)

    def across(step: float) -> float:
        return (step - start) / span * CURVE_WIDTH

    def drawn(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{across(s):.1f},{CURVE_HEIGHT - _EDGE - (v - bottom) * height:.1f}" for s, v in pairs)

    return Line(
        name=curve.name,
        points=drawn(_thin(points)),
        first=values[0],
        last=values[-1],
        lowest=min(values),
        highest=max(values),
        top=top,
        bottom=bottom,
        steps=points[-1][0],
        band=drawn(_around(curve)),
        kept=None if curve.kept is None else round(min(max(across(curve.kept), 0.0), CURVE_WIDTH), 1),
        kept_step=curve.kept,
    )


def _around(curve: Curve) -> list[tuple[int, float]]:
    """There along the upper ends and back along the lower ones; nothing if an end is missing."""
    steps = [step for step, _ in curve.points]
    if not len(steps) == len(curve.low) == len(curve.high) or not all(map(math.isfinite, (*curve.low, *curve.high))):
        return []
    there, back = list(zip(steps, curve.high, strict=True)), list(zip(steps, curve.low, strict=True))
    return there + back[::-1]


def _thin(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """Means of equal stretches, where there are more points than the chart has pixels to tell apart."""
    if len(points) <= _MOST_POINTS:
        return points
    size = -(-len(points) // _MOST_POINTS)
    stretches = [points[i : i + size] for i in range(0, len(points), size)]
    return [(s[len(s) // 2][0], sum(v for _, v in s) / len(s)) for s in stretches]
