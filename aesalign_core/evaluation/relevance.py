"""Metrics of rankings against relevance files, as trec_eval defines them (tests compare with `ir_measures`).

Gains of nDCG are the grades themselves, discounts log₂(rank + 1), and the ideal is that of all photos of the file.
Photos that the file does not name count as not relevant. A query that the run has no list for counts 0, as
`trec_eval -c` has it: a system cannot gain by leaving hard queries out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.metrics import PerQuery
from aesalign_core.messages import nearest

MAX_DEPTH = 1_000_000
DEFAULT = ("nDCG@10", "AP", "RR", "P@10", "R@10", "Success@1", "Judged@10")
Grades = Sequence[int | None]
"""Of a ranking, best first; None for photos that the relevance file does not name."""


@dataclass(frozen=True, slots=True)
class _Ranked:
    """One query's ranking.

    Attributes:
        grades: Of the first k, or of all.
        k: The depth, or the ranking's length.
        ideal: Positive grades of all photos, falling.
        relevant: How many photos count as relevant.
        least: The grade from which they do.
    """

    grades: Grades
    k: int
    ideal: Sequence[int]
    relevant: int
    least: int

    @property
    def hits(self) -> list[bool]:
        """Which of the ranking are relevant."""
        return [grade is not None and grade >= self.least for grade in self.grades]


def _ndcg(ranked: _Ranked) -> float:
    ideal = _dcg(ranked.ideal[: ranked.k])
    return _dcg([max(grade or 0, 0) for grade in ranked.grades]) / ideal if ideal else 0.0


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _average_precision(ranked: _Ranked) -> float:
    found, total = 0, 0.0
    for rank, hit in enumerate(ranked.hits, 1):
        found += hit
        total += found / rank if hit else 0.0
    return total / ranked.relevant if ranked.relevant else 0.0


def _reciprocal_rank(ranked: _Ranked) -> float:
    return 1 / (ranked.hits.index(True) + 1) if any(ranked.hits) else 0.0


def _precision(ranked: _Ranked) -> float:
    return sum(ranked.hits) / ranked.k


def _recall(ranked: _Ranked) -> float:
    return sum(ranked.hits) / ranked.relevant if ranked.relevant else 0.0


def _success(ranked: _Ranked) -> float:
    return float(any(ranked.hits))


def _judged(ranked: _Ranked) -> float:
    return sum(grade is not None for grade in ranked.grades) / len(ranked.grades) if ranked.grades else 0.0


_COMPUTE: dict[str, Callable[[_Ranked], float]] = {
    "nDCG": _ndcg, "AP": _average_precision, "RR": _reciprocal_rank, "P": _precision, "R": _recall,
    "Success": _success, "Judged": _judged,
}  # fmt: skip
_WHOLE = ("nDCG", "AP", "RR")
"""What is also defined without a depth."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name in `ir_measures`, such as nDCG@10 or AP.

    Attributes:
        kind: What is computed.
        k: How many photos of a ranking are looked at; None: all.
    """

    kind: str
    k: int | None = None

    @classmethod
    def parse(cls, name: str) -> Metric:
        """Reads a name.

        Raises:
            EvaluationError: There is no such metric, or it needs a depth and has none.
        """
        match = re.fullmatch(r"([A-Za-z]+)(?:@([0-9]{1,7}))?", name)
        kind = {known.lower(): known for known in _COMPUTE}.get(match[1].lower()) if match else None
        if match is None or kind is None:
            raise EvaluationError(f"no metric is named {name[:40]!r}", hint=nearest(name[:40], DEFAULT))
        k = int(match[2]) if match[2] else None
        if (k is None and kind not in _WHOLE) or (k is not None and not 1 <= k <= MAX_DEPTH):
            raise EvaluationError(f"{name} needs a depth from 1 to {MAX_DEPTH:,}", hint=f"for example {kind}@10")
        return cls(kind, k)

    def __str__(self) -> str:
        return self.kind if self.k is None else f"{self.kind}@{self.k}"


def measure(
    metric: Metric,
    rankings: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Mapping[str, int]],
    *,
    least: int = 1,
) -> PerQuery:
    """One number for each query of a relevance file, in the file's order.

    Args:
        metric: Which.
        rankings: By query, photos, best first, each once; a query that is missing has found nothing.
        qrels: By query and photo, the grade.
        least: The grade from which a photo counts as relevant; nDCG reads the grades themselves.
    """
    compute = _COMPUTE[metric.kind]
    values = [compute(_ranked(metric, rankings.get(query, ()), graded, least)) for query, graded in qrels.items()]
    return np.array(values, dtype=np.float64)


def _ranked(metric: Metric, photos: Sequence[str], graded: Mapping[str, int], least: int) -> _Ranked:
    seen = photos if metric.k is None else photos[: metric.k]
    return _Ranked(
        grades=[graded.get(photo) for photo in seen],
        k=metric.k or max(len(photos), len(graded)),
        ideal=sorted((grade for grade in graded.values() if grade > 0), reverse=True),
        relevant=sum(grade >= least for grade in graded.values()),
        least=least,
    )
