"""Coordinates of the front plot, drawn as inline SVG."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aesalign_core.report import wording
from aesalign_core.report.records import FrontLine, FrontPlot, FrontPoint

WIDTH, HEIGHT = 760.0, 440.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 30.0, 24.0, 66.0
LOWEST = 0.85
"""Of the base's recall: what loses more is not drawn, only told."""
_MARGIN = 0.06
"""Of the range of values, around it."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis, where it is and what it is called."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a line.

    Attributes:
        x: From the left.
        y: From the top.
        told: What it is, in words.
        label: What to write beside it; mostly nothing.
    """

    x: float
    y: float
    told: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A method: the points of an SVG polyline, and a dot at each."""

    name: str
    points: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class DrawnFront:
    """The whole plot: lines, ticks of both axes, and the height of the floor, if it lies within."""

    lines: tuple[DrawnLine, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    floor: float | None


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = min(values), max(values)
        margin = (high - low) * _MARGIN or 0.01
        return cls(low - margin, high + margin, start, end)

    def place(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, unit: Literal["share", "number"]) -> tuple[Tick, ...]:
        from matplotlib.ticker import MaxNLocator

        values = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        scale = 100 if unit == "share" else 1
        decimals = max(0, -math.floor(math.log10((values[1] - values[0]) * scale) + _TINY))

        def told(value: float) -> str:
            if unit == "share":
                return f"{value * scale:.{decimals}f}%"
            return f"{value:+.{decimals}f}".replace("-", "−") if abs(value) > _TINY else "0"

        return tuple(Tick(self.place(float(v)), told(float(v))) for v in values if self.low <= v <= self.high)


def draw(plot: FrontPlot) -> DrawnFront:
    """Scales a front into `WIDTH` × `HEIGHT`: recall upwards, gain to the right."""
    base = plot.lines[0].points[0].recall
    kept = [_drawn_points(line, LOWEST * base) for line in plot.lines]
    points = [point for line in kept for point in line]
    across = _Axis.of([p.gain for p in points], LEFT, WIDTH - RIGHT)
    up = _Axis.of([p.recall for p in points] + [plot.floor * base], HEIGHT - BOTTOM, TOP)

    def drawn(line: FrontLine, shown: Sequence[FrontPoint], *, is_first: bool) -> DrawnLine:
        dots = []
        for place, point in enumerate(shown):
            numbers = f"R@{plot.depth} {wording.value(point.recall, 'share')}, reward {wording.change(point.gain)} σ"
            told = f"{line.name}, {line.setting} {point.setting}: {numbers}"
            marked = f"{line.setting} {point.setting}" if point.setting == line.marked else ""
            label = "before" if is_first and place == 0 else marked
            dots.append(Dot(across.place(point.gain), up.place(point.recall), told, label))
        return DrawnLine(line.name, " ".join(f"{d.x},{d.y}" for d in dots), tuple(dots))

    return DrawnFront(
        lines=tuple(drawn(*pair, is_first=k == 0) for k, pair in enumerate(zip(plot.lines, kept, strict=True))),
        across=across.ticks("number"),
        up=up.ticks("share"),
        floor=up.place(plot.floor * base),
    )


def _drawn_points(line: FrontLine, lowest: float) -> Sequence[FrontPoint]:
    """A line up to its first point that is too low, which is left out."""
    return list(itertools.takewhile(lambda point: point.recall >= lowest, line.points))
