"""Numbers and verdicts in words."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report.comparison import Measure

VERDICTS = {"gained": "better", "lost": "worse", "undecided": "no clear difference"}
OUTCOMES = {"win": "better", "similar": "no different", "loss": "worse", None: "no verdict"}
MAX_NAME = 90
"""Characters of a file's name that are printed."""
MAX_TEXT = 20_000
"""Characters of any text, such as a query, that are printed."""
_MINUS = "−"
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")
"""Characters that turn the direction of what follows: `gpj.exe` would read `exe.jpg`."""


def clean(text: str) -> str:
    """Text as a page can hold it: no control characters, no broken surrogates, no runs of white space, no turns.

    File names and queries come from anywhere. What would be markup is escaped by the template, not here.
    """
    if text.isprintable():
        return " ".join(text.split())
    whole = text.encode("utf-8", "replace").decode("utf-8").translate(_TURNS)
    spaced = "".join(" " if c.isspace() or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in whole)
    return " ".join(spaced.split())


def short(text: str, most: int) -> str:
    """A text of at most `most` characters: its end is left out."""
    text = clean(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def name(text: str) -> str:
    """A file's name of at most `MAX_NAME` characters: its middle is left out, as its end says what it is."""
    text, half = clean(text), MAX_NAME // 2
    return text if len(text) <= MAX_NAME else f"{text[:half]}…{text[1 - half :]}"


def plural(count: int, noun: str) -> str:
    """A count and what is counted: `1 query`, `1,200 queries`."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else many}"


def value(number: float, unit: str = "number") -> str:
    """A mean: `5.31`, or as a share `62.5%`."""
    if not math.isfinite(number):
        return "–"
    text = f"{number * 100:.1f}%" if unit == "share" else f"{number:.{_decimals(number)}f}"
    return text.replace("-", _MINUS)


def change(number: float, unit: str = "number") -> str:
    """A difference with its sign: `+0.31`, or of shares `+12.5 points`."""
    if not math.isfinite(number):
        return "unknown"
    scaled = number * 100 if unit == "share" else number
    text = f"{scaled:+.{1 if unit == 'share' else _decimals(number)}f}"
    return text.replace("-", _MINUS) + (" points" if unit == "share" else "")


def _decimals(number: float) -> int:
    """Enough for three significant digits of small numbers, two decimals otherwise."""
    return 3 if abs(number) < 1 else 2


def ends(difference: Difference, unit: str = "number") -> str:
    """The interval's ends, `+0.21 to +0.42`, or why there are none."""
    if not (math.isfinite(difference.low) and math.isfinite(difference.high)):
        return "none: one query says nothing about spread"
    low, high = change(difference.low, unit).removesuffix(" points"), change(difference.high, unit)
    return f"{low} to {high}"


def interval(difference: Difference, unit: str = "number") -> str:
    """The interval with its level: `95% interval +0.21 to +0.42`."""
    return f"{difference.level:.0%} interval {ends(difference, unit)}"


def gain(numbers: Sequence[float]) -> str:
    """A gain and the ends of its interval: `+0.31 σ (95% interval +0.21 to +0.42)`."""
    told, low, high = map(change, numbers)
    return f"{told} σ (95% interval {low} to {high})"


def headline(measures: Sequence[Measure]) -> str:
    """What all measures say together, such as `Better on 2 of 3 measures, no clear difference on 1`."""
    if not measures:
        return "Nothing was measured."
    counts = {v: sum(m.result.verdict == v for m in measures) for v in ("gained", "lost", "undecided")}
    if counts["gained"] == len(measures) > 1:
        return f"Better on all {len(measures)} measures."
    parts = [f"{VERDICTS[v]} on {n}" for v, n in counts.items() if n]
    parts[0] = f"{parts[0]} of {len(measures)} measure{'s' if len(measures) != 1 else ''}"
    text = ", ".join(parts)
    return text[0].upper() + text[1:] + "."
