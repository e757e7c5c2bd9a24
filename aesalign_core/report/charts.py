"""Coordinates of the page's small charts. They are drawn as inline SVG, so that they follow the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report.comparison import Curve

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
    """A drawn curve: the points of an SVG polyline, and the values at its ends and extremes."""

    name: str
    points: str
    first: float
    last: float
    lowest: float
    highest: float
    steps: int


def line(curve: Curve) -> Line | None:
    """Scales a curve into `CURVE_WIDTH` × `CURVE_HEIGHT`; None if fewer than two points are finite."""
    points = [(s, v) for s, v in curve.points if math.isfinite(v)]
    if len(points) < 2:
        return None
    thinned = _thin(points)
    lowest, highest = min(v for _, v in points), max(v for _, v in points)
    start, span = points[0][0], (points[-1][0] - points[0][0]) or 1
    height = (CURVE_HEIGHT - 2 * _EDGE) / max(highest - lowest, _LEAST_SPAN)
    drawn = " ".join(
        f"{(s - start) / span * CURVE_WIDTH:.1f},{CURVE_HEIGHT - _EDGE - (v - lowest) * height:.1f}"
        for s, v in thinned
    )
    return Line(curve.name, drawn, points[0][1], points[-1][1], lowest, highest, points[-1][0])


def _thin(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    """Means of equal stretches, where there are more points than the chart has pixels to tell apart."""
    if len(points) <= _MOST_POINTS:
        return points
    size = -(-len(points) // _MOST_POINTS)
    stretches = [points[i : i + size] for i in range(0, len(points), size)]
    return [(s[len(s) // 2][0], sum(v for _, v in s) / len(s)) for s in stretches]
