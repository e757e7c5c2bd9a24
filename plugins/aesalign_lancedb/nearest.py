"""Nearest rows by cosine, exactly ordered: by similarity, then by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesalign_core.types import Match, Vectors

_TOGETHER = 64
_SLACK = 16
"""Rows fetched beyond k, to see whether a tie runs across the cut."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search.

    Attributes:
        exact: Leave any approximate index aside.
        nprobes: Partitions visited, with an index.
        refine_factor: Candidates per result that are compared again by their full vectors; 0: none.
    """

    exact: bool = True
    nprobes: int = 80
    refine_factor: int = 0


def nearest(
    table: Any, vectors: Vectors, *, k: int, rewards: Sequence[str], where: str | None, plan: Plan, rows: int
) -> list[list[Match]]:
    """For each of q queries the k nearest of `rows` rows; ties by id, also across the cut at k."""
    found: list[list[Match]] = []
    for start in range(0, len(vectors), _TOGETHER):
        chunk = vectors[start : start + _TOGETHER]
        limit = min(k + _SLACK, rows)
        answers = _ask(table, chunk, limit, rewards, where, plan)
        for query, answer in zip(chunk, answers, strict=True):
            found.append(_settle(table, query, answer, k, limit, rewards, where, plan, rows))
    return found


def _settle(
    table: Any,
    query: Vectors,
    answer: list[Match],
    k: int,
    limit: int,
    rewards: Sequence[str],
    where: str | None,
    plan: Plan,
    rows: int,
) -> list[Match]:
    """Fetches more until the rows tied with the k-th are all there, then cuts."""
    while len(answer) == limit and limit < rows and answer[k - 1].similarity == answer[-1].similarity:
        limit = min(limit * 4, rows)
        answer = _ask(table, query[None], limit, rewards, where, plan)[0]
    return answer[:k]


def _ask(
    table: Any, vectors: Vectors, limit: int, rewards: Sequence[str], where: str | None, plan: Plan
) -> list[list[Match]]:
    if limit == 0:
        return [[] for _ in vectors]
    query = table.search([np.asarray(v) for v in vectors], vector_column_name="vector", query_type="vector")
    query = query.distance_type("cosine").select(["id", "path", "_distance", *rewards]).limit(limit)
    if where is not None:
        query = query.where(where, prefilter=True)
    if plan.exact:
        query = query.bypass_vector_index()
    else:
        query = query.nprobes(plan.nprobes)
        query = query.refine_factor(plan.refine_factor) if plan.refine_factor else query
    return _matches(query.to_arrow(), len(vectors), rewards)


def _matches(found: Any, queries: int, rewards: Sequence[str]) -> list[list[Match]]:
    columns = found.to_pydict()
    answers: list[list[Match]] = [[] for _ in range(queries)]
    numbers = columns.get("query_index") or [0] * found.num_rows
    for row, number in enumerate(numbers):
        values = {name: columns[name][row] for name in rewards}
        # A null is a missing reward; NaN is never stored.
        present = {name: float(value) for name, value in values.items() if value is not None}
        # Float errors may leave [-1, 1] by an ulp.
        similarity = max(-1.0, min(1.0, 1.0 - columns["_distance"][row]))
        answers[number].append(Match(columns["id"][row], columns["path"][row], similarity, present))
    for answer in answers:
        answer.sort(key=lambda m: (-m.similarity, m.id))
    return answers
