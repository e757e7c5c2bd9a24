"""Two systems' answers to the same queries, compared by a judge: counts, rates, and how sure they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.statistics import Difference, paired_difference
from aesalign_core.promises import verdicts_of
from aesalign_core.protocols import Judge, WholeJudge
from aesalign_core.types import Row, Verdict

BATCH = 32
"""Comparisons handed to a judge at a time, unless it wants all at once."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class AspectSummary:
    """The verdicts on one aspect.

    Attributes:
        wins: W, queries whose new row is better.
        similar: S.
        losses: L.
        failures: Queries without a verdict, by the kind of reason.
        flips: Of the queries that were asked in both orders, those where the order changed the verdict.
        asked_twice: Queries that were asked in both orders.
        net: Mean of +1 for a win, 0, −1 for a loss, with its 95 % bootstrap interval; None without verdicts.
        p_value: Of the two-sided sign test that wins and losses are equally likely; None without either.
    """

    wins: int
    similar: int
    losses: int
    failures: dict[str, int]
    flips: int
    asked_twice: int
    net: Difference | None
    p_value: float | None

    @property
    def judged(self) -> int:
        """N, queries with a verdict."""
        return self.wins + self.similar + self.losses

    @property
    def win_rate(self) -> float | None:
        """W / (W + L); None where nothing was won or lost."""
        return self.wins / (self.wins + self.losses) if self.wins + self.losses else None

    @property
    def win_and_similar_rate(self) -> float | None:
        """(W + S) / N; None without verdicts."""
        return (self.wins + self.similar) / self.judged if self.judged else None

    @property
    def flip_rate(self) -> float | None:
        """Share of the queries asked in both orders whose verdict the order changed."""
        return self.flips / self.asked_twice if self.asked_twice else None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "wins": self.wins,
            "similar": self.similar,
            "losses": self.losses,
            "failures": self.failures,
            "win_rate": self.win_rate,
            "win_and_similar_rate": self.win_and_similar_rate,
            "flip_rate": self.flip_rate,
            "net": self.net.as_dict() if self.net else None,
            "p_value": self.p_value,
        }


@dataclass(frozen=True)
class Judgement:
    """What a judge said of two systems.

    Attributes:
        judge: Its name.
        queries: How many were compared.
        aspects: A summary of each.
        verdicts: One per query and aspect, query by query.
    """

    judge: str
    queries: int
    aspects: dict[str, AspectSummary]
    verdicts: tuple[Verdict, ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "judge": self.judge,
            "queries": self.queries,
            "aspects": {name: summary.as_dict() for name, summary in self.aspects.items()},
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
        }


def judge_rows(
    judge: Judge, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row], *, progress: Progress | None = None
) -> Judgement:
    """Has a judge compare two systems' rows.

    Args:
        judge: Who judges.
        queries: q of them, each once.
        old: (q) rows of the one system, best photo first.
        new: (q) rows of the other.
        progress: Called with queries done and in all; by a `WholeJudge` with its own unit of work.

    Raises:
        EvaluationError: Not as many rows as queries, a query twice, or a judge that does not answer for each.
    """
    if not queries or not len(queries) == len(old) == len(new):
        raise EvaluationError(f"{len(queries)} queries, but {len(old)} old and {len(new)} new rows")
    if len(set(queries)) < len(queries):
        twice = next(query for query, count in Counter(queries).items() if count > 1)
        raise EvaluationError(f"the query {twice[:60]!r} comes twice", hint="name each query once")
    verdicts = ask(judge, queries, old, new, progress=progress)
    aspects = {aspect: summarise([v for v in verdicts if v.aspect == aspect]) for aspect in judge.aspects}
    return Judgement(judge.name, len(queries), aspects, tuple(verdicts))


def ask(
    judge: Judge, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row], *, progress: Progress | None = None
) -> list[Verdict]:
    """One verdict per query and aspect, query by query: batch by batch, or all at once from a `WholeJudge`.

    Raises:
        EvaluationError: A judge that does not answer for each.
    """
    if isinstance(judge, WholeJudge):
        return verdicts_of(judge, queries, judge.compare_all(queries, old, new, progress=progress))
    verdicts: list[Verdict] = []
    for start in range(0, len(queries), BATCH):
        part = slice(start, start + BATCH)
        verdicts += verdicts_of(judge, queries[part], judge.compare(queries[part], old[part], new[part]))
        if progress:
            progress(min(start + BATCH, len(queries)), len(queries))
    return verdicts


def summarise(verdicts: Sequence[Verdict]) -> AspectSummary:
    """Counts and rates of the verdicts on one aspect, one per query."""
    counts = Counter(v.outcome for v in verdicts)
    twice = [v for v in verdicts if v.outcome is not None and v.flipped is not None]
    return AspectSummary(
        wins=counts["win"],
        similar=counts["similar"],
        losses=counts["loss"],
        failures=dict(Counter(v.reason.partition(":")[0] for v in verdicts if v.outcome is None)),
        flips=sum(bool(v.flipped) for v in twice),
        asked_twice=len(twice),
        net=_net([v for v in verdicts if v.outcome is not None]),
        p_value=_sign_test(counts["win"], counts["loss"]),
    )


def _net(verdicts: Sequence[Verdict]) -> Difference | None:
    if not verdicts:
        return None
    values = np.array([{"win": 1.0, "similar": 0.0, "loss": -1.0}[v.outcome or "similar"] for v in verdicts])
    return paired_difference(np.zeros(len(values)), values)


def _sign_test(wins: int, losses: int) -> float | None:
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else None
