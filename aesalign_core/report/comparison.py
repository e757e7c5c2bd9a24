"""What a page about two systems needs to know; it does not matter where the numbers came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.statistics import Difference


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of a row.

    Attributes:
        path: The file; a thumbnail of it is put into the page.
        name: What to call it there; empty: the file's name.
        similarity: Cosine with the query.
        reward: Its reward, if it has one.
        badge: A word to print on it, such as the flaw it has; empty: none.
        relevant: Whether it answers the query, where that is known.
    """

    path: Path
    name: str = ""
    similarity: float | None = None
    reward: float | None = None
    badge: str = ""
    relevant: bool | None = None


@dataclass(frozen=True, slots=True)
class ComparedQuery:
    """The answers of the old and the new system to one query.

    Attributes:
        query: The user's own words.
        old: The old system's row, best first.
        new: The new system's row, best first.
        old_value: What queries are ordered by, of the old row, such as its mean reward.
        new_value: The same of the new row.
        note: One line about this query; may be empty.
    """

    query: str
    old: tuple[Photo, ...]
    new: tuple[Photo, ...]
    old_value: float
    new_value: float
    note: str = ""

    @property
    def gain(self) -> float:
        """New minus old."""
        return self.new_value - self.old_value

    @property
    def answered(self) -> bool:
        """Whether the new row shows a photo that answers the query; true where that is not known."""
        known = [photo.relevant for photo in self.new if photo.relevant is not None]
        return any(known) or not known

    @property
    def right_lost(self) -> int:
        """How many photos that answer the query the new row shows less; 0 where that is not known."""
        old, new = (sum(bool(photo.relevant) for photo in row) for row in (self.old, self.new))
        return old - new


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the summary; more must be better.

    Attributes:
        name: Such as `Reward of the first 10`.
        result: Both means, their difference and its interval.
        explanation: What it says, in a sentence.
        unit: `share` is printed as a percentage.
        independent: Whether the system was trained on something else than what is measured here.
    """

    name: str
    result: Difference
    explanation: str = ""
    unit: Literal["number", "share"] = "number"
    independent: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a judge preferred the new row.

    Attributes:
        judge: The judge and the aspect judged.
        wins: Queries whose new row is better.
        similar: Neither.
        losses: Queries whose old row is better.
    """

    judge: str
    wins: int
    similar: int
    losses: int

    @property
    def total(self) -> int:
        """Queries judged."""
        return self.wins + self.similar + self.losses


@dataclass(frozen=True, slots=True)
class GridExample:
    """One preference grid that was trained on: rows fall in closeness, columns in reward."""

    query: str
    rephrased: str
    rows: tuple[tuple[Photo, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over training: (step, value) points, steps rising."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Comparison:
    """Everything on the page.

    Attributes:
        title: Of the page.
        old: Name of the old system.
        new: Name of the new system.
        measures: The summary's lines.
        queries: At least one.
        value: What `old_value` and `new_value` of the queries are, such as `mean reward`.
        lede: One or two sentences on what was compared.
        facts: Short label and value pairs: sizes, settings, dates.
        tallies: Of judges.
        grid: An example of what was trained on.
        curves: Of the training.
        caveats: What a reader must keep in mind, a sentence each.
    """

    title: str
    old: str
    new: str
    measures: tuple[Measure, ...]
    queries: tuple[ComparedQuery, ...]
    value: str = "mean reward"
    lede: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    tallies: tuple[Tally, ...] = ()
    grid: GridExample | None = None
    curves: tuple[Curve, ...] = ()
    caveats: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.queries:
            raise EvaluationError("a comparison without a query has nothing to show", hint="give at least one query")

    def by_gain(self) -> list[ComparedQuery]:
        """Queries, the biggest gain first; ties by their words."""
        return sorted(self.queries, key=lambda q: (-q.gain, q.query))

    def photos(self) -> list[Path]:
        """Every photo's file, each once, in the order of first use."""
        rows = [row for query in self.queries for row in (query.old, query.new)]
        rows += list(self.grid.rows) if self.grid else []
        return list(dict.fromkeys(photo.path for row in rows for photo in row))
