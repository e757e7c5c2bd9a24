"""What a page about two systems needs to know; it does not matter where the numbers came from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report.records import Curve, FrontPlot, GridExample, Photo
from aesalign_core.types import Verdict

_POINTS = {"win": 1.0, "similar": 0.0, "loss": -1.0}


@dataclass(frozen=True, slots=True)
class ComparedQuery:
    """The answers of the old and the new system to one query.

    Attributes:
        query: The user's own words.
        old: The old system's row, best first.
        new: The new system's row, best first.
        old_value: Of the old row, such as its mean reward; not a number where it has none.
        new_value: The same of the new row.
        note: One line about this query; may be empty.
        verdicts: What a judge said of it, one per aspect; what queries are ordered by, where there is a judge.
    """

    query: str
    old: tuple[Photo, ...]
    new: tuple[Photo, ...]
    old_value: float = math.nan
    new_value: float = math.nan
    note: str = ""
    verdicts: tuple[Verdict, ...] = ()

    @property
    def gain(self) -> float:
        """New minus old value."""
        return self.new_value - self.old_value

    @property
    def net(self) -> float | None:
        """Mean of +1 for each aspect won, 0, and −1 for each lost; None without a verdict."""
        points = [_POINTS[v.outcome] for v in self.verdicts if v.outcome is not None]
        return sum(points) / len(points) if points else None

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

    @property
    def ranks(self) -> dict[Path, int]:
        """Where each photo stood in the old row, from 1."""
        return {photo.path: rank for rank, photo in enumerate(self.old, 1)}


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
        net: Mean of +1, 0, −1 with its interval, if it was computed.
        p_value: Of the two-sided sign test, likewise.
        flip_rate: Share of the verdicts that the order of rows changed, if both were asked.
        failures: Queries without a verdict, by the reason.
    """

    judge: str
    wins: int
    similar: int
    losses: int
    net: Difference | None = None
    p_value: float | None = None
    flip_rate: float | None = None
    failures: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """Queries judged."""
        return self.wins + self.similar + self.losses

    @property
    def win_rate(self) -> float | None:
        """Wins over wins and losses; None without either."""
        return self.wins / (self.wins + self.losses) if self.wins + self.losses else None


@dataclass(frozen=True)
class Comparison:
    """Everything on the page.

    Attributes:
        title: Of the page.
        old: Name of the old system.
        new: Name of the new system.
        measures: The summary's lines.
        queries: At least one.
        value: What `old_value` and `new_value` of the queries are, such as `mean reward`; empty: they have none.
        lede: One or two sentences on what was compared.
        facts: Short label and value pairs: sizes, settings, dates.
        tallies: Of judges.
        grids: Examples of what was trained on.
        curves: Of the training.
        settings: Of the training, label and value.
        front: Recall against reward.
        no_front: Why there is none; empty: nobody asked for one.
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
    grids: tuple[GridExample, ...] = ()
    curves: tuple[Curve, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    front: FrontPlot | None = None
    no_front: str = ""
    caveats: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.queries:
            raise EvaluationError("a comparison without a query has nothing to show", hint="give at least one query")

    @property
    def judged(self) -> bool:
        """Whether queries are ordered by a judge's verdicts."""
        return any(query.verdicts for query in self.queries)

    def lead(self, query: ComparedQuery) -> float:
        """How much better the new row is: by the judge's net verdict, else by value; 0 where nobody knows."""
        lead = query.net if self.judged else query.gain
        return lead if lead is not None and math.isfinite(lead) else 0.0

    def by_gain(self) -> list[ComparedQuery]:
        """Queries, the biggest gain first; ties by value, then by their words."""

        def key(query: ComparedQuery) -> tuple[float, float, str]:
            return -self.lead(query), -query.gain if math.isfinite(query.gain) else 0.0, query.query

        return sorted(self.queries, key=key)
