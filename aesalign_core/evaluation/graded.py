"""Ranked lists of one system, or of two, against a relevance file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aesalign_core.captions import PhotoFinder
from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.qrels import Qrels
from aesalign_core.evaluation.relevance import Metric, measure
from aesalign_core.evaluation.run_files import Rankings
from aesalign_core.evaluation.statistics import Difference, paired_difference


@dataclass(frozen=True, slots=True)
class System:
    """A system by its ranked lists."""

    name: str
    rankings: Rankings


@dataclass(frozen=True)
class GradedReport:
    """Metrics of one system, or of two.

    Attributes:
        queries: Of the relevance file.
        metrics: Means by name of the metric and system.
        differences: New minus old, by name of the metric; empty for one system.
        missing: By system, queries of the relevance file that it has no list for; they count 0.
        unjudged: By system, queries that the relevance file does not have; they do not count.
    """

    queries: int
    metrics: dict[str, dict[str, float]]
    differences: dict[str, Difference]
    missing: dict[str, int]
    unjudged: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "queries": self.queries,
            "metrics": self.metrics,
            "differences": {name: d.as_dict() for name, d in self.differences.items()},
            "missing": self.missing,
            "unjudged": self.unjudged,
        }


def grade(systems: Sequence[System], qrels: Qrels, metrics: Sequence[Metric], *, least: int = 1) -> GradedReport:
    """Measures one system, or compares two (old, new).

    Args:
        systems: One or two.
        qrels: What is relevant.
        metrics: What to measure.
        least: The grade from which a photo counts as relevant.

    Raises:
        EvaluationError: A system has no query, or no photo, in common with the relevance file, or a photo twice.
    """
    for system in systems:
        _check(system, qrels)
    values = {str(m): [measure(m, s.rankings, qrels, least=least) for s in systems] for m in metrics}
    return GradedReport(
        queries=len(qrels),
        metrics={
            name: {s.name: float(v.mean()) for s, v in zip(systems, per_system, strict=True)}
            for name, per_system in values.items()
        },
        differences={name: paired_difference(*both) for name, both in values.items() if len(both) == 2},
        missing={s.name: len(qrels.keys() - s.rankings.keys()) for s in systems},
        unjudged={s.name: len(s.rankings.keys() - qrels.keys()) for s in systems},
    )


def of_gallery(qrels: Qrels, finder: PhotoFinder) -> tuple[Qrels, int]:
    """Relevance by a gallery's ids, and how many of the photos it does not hold.

    Those keep their names: they are still to be found, and nobody finds them.

    Raises:
        EvaluationError: Queries are numbers, as in TREC qrels, and cannot be searched; or no photo is in the gallery.
    """
    if all(query.isdigit() for query in qrels):
        raise EvaluationError(
            "the relevance file numbers its queries, and numbers cannot be searched",
            hint='write JSON lines: {"query": "a dog", "relevant": {"a.jpg": 2, …}}',
        )
    names = {photo for graded in qrels.values() for photo in graded}
    ids = {name: finder.find(name) or name for name in names}
    missing = sum(name == photo for name, photo in ids.items())
    if missing == len(names):
        raise EvaluationError(
            f"none of the {missing} photos of the relevance file is in the gallery", hint="check --photos-root"
        )
    found: Qrels = {}
    for query, graded in qrels.items():
        photos = found.setdefault(query, {})
        for name, g in graded.items():  # two names may be one photo: its better grade counts
            photos[ids[name]] = max(g, photos.get(ids[name], g))
    return found, missing


def rooted(rankings: Rankings, root: Path) -> Rankings:
    """Ranked lists whose relative paths are below a folder."""
    return {query: [_whole(root, photo) for photo in photos] for query, photos in rankings.items()}


def rooted_qrels(qrels: Qrels, root: Path) -> Qrels:
    """Relevance whose relative paths are below a folder."""
    return {query: {_whole(root, photo): g for photo, g in graded.items()} for query, graded in qrels.items()}


def _whole(root: Path, photo: str) -> str:
    return os.path.normpath(os.path.join(os.path.abspath(root), photo))  # noqa: PTH100, PTH118 - links stay


def _check(system: System, qrels: Mapping[str, Mapping[str, int]]) -> None:
    common = qrels.keys() & system.rankings.keys()
    if not common:
        mine, theirs = next(iter(system.rankings)), next(iter(qrels))
        raise EvaluationError(
            f"{system.name} answers none of the queries: {mine[:40]!r} is one of its own, {theirs[:40]!r} one asked",
            hint="name queries alike in both files",
        )
    for query, photos in system.rankings.items():
        if len(set(photos)) < len(photos):
            raise EvaluationError(f"{system.name} has a photo twice for the query {query[:60]!r}")
    if not any(photo in qrels[query] for query in common for photo in system.rankings[query]):
        query = next(iter(common))
        raise EvaluationError(
            f"{system.name} found no photo that was looked at: for {query[:40]!r} it has"
            f" {str(system.rankings[query][:1])[:80]}, and looked at was {str(list(qrels[query])[:1])[:80]}",
            hint="name photos alike in both files, or name the folder that they are below: --photos-root",
        )
