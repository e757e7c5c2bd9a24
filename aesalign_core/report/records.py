"""What stands on pages: photos, grids, curves and fronts; it does not matter where the numbers came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of a row.

    Attributes:
        path: The file; a thumbnail of it is put into the page.
        name: What to call it there; empty: the file's name.
        score: What the row is ordered by, where that is not the similarity.
        similarity: Cosine with the query.
        reward: Its reward, if it has one.
        badge: A word to print on it, such as the flaw it has; empty: none.
        relevant: Whether it answers the query, where that is known.
        notes: More lines about it.
    """

    path: Path
    name: str = ""
    score: float | None = None
    similarity: float | None = None
    reward: float | None = None
    badge: str = ""
    relevant: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GridExample:
    """One preference grid: rows fall in closeness, columns in reward.

    Attributes:
        query: The user's own words, which are trained.
        rephrased: The words that the photos were found with.
        rows: Of photos that have a similarity and a reward.
        pairs: Preference pairs in the whole grid, of which `rows` may be a part; 0: not known.
        pairs_in_rows: Of them those whose photos are in one row.
        shape: Rows and columns of the whole grid; (0, 0): those that are shown.
        reward: The reward's name; may be empty.
        fallback: Why the query was not rephrased; empty if it was.
    """

    query: str
    rephrased: str
    rows: tuple[tuple[Photo, ...], ...]
    pairs: int = 0
    pairs_in_rows: int = 0
    shape: tuple[int, int] = (0, 0)
    reward: str = ""
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over training.

    Attributes:
        name: What it is.
        points: (step, value), steps rising.
        low: Lower ends of its interval, a value per point; empty: none.
        high: Upper ends.
        kept: The step whose weights are kept, if it is to be marked.
    """

    name: str
    points: tuple[tuple[int, float], ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    kept: int | None = None


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """One setting of a method.

    Attributes:
        setting: Such as `0.4`.
        recall: Share of queries whose own photo is found.
        gain: Mean reward over the base's, in standard deviations of the gallery.
    """

    setting: str
    recall: float
    gain: float


@dataclass(frozen=True, slots=True)
class FrontLine:
    """One method, its settings from weak to strong.

    Attributes:
        name: Such as `RUN, strength 0 to 2`.
        setting: What is set, such as `strength`.
        points: The first is the base.
        marked: The setting to name beside its point; empty: none.
        gain: At the floor, with the ends of its 95 % interval.
        ends_above: Whether it never falls to the floor, so that more would be had.
    """

    name: str
    setting: str
    points: tuple[FrontPoint, ...]
    marked: str
    gain: tuple[float, float, float]
    ends_above: bool


@dataclass(frozen=True, slots=True)
class FrontPlot:
    """Recall against reward, of two methods over the same queries.

    Attributes:
        lines: The aligned encoder first, then what it is compared with.
        difference: Of their gains at the floor, with the ends of its 95 % interval.
        floor: The share of the base's recall at which they are compared.
        depth: Photos of an answer that are looked at.
        reward: The reward's name.
        queries: How many were asked.
        captions: How many there are.
    """

    lines: tuple[FrontLine, ...]
    difference: tuple[float, float, float]
    floor: float
    depth: int
    reward: str
    queries: int
    captions: int
