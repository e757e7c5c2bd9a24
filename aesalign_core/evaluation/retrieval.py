"""Text→image retrieval over a gallery: recall against captions, mean reward of the top, old against new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.metrics import PerQuery, mean_at_k, recall_at_k
from aesalign_core.evaluation.statistics import Difference, paired_difference

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder

DEPTHS = (1, 5, 10)
BATCH = 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rankings:
    """What one encoder answered.

    Attributes:
        encoder: Its name.
        ids: q lists of photo ids, best first.
    """

    encoder: str
    ids: Sequence[Sequence[str]]


@dataclass(frozen=True)
class RetrievalReport:
    """Metrics of one encoder, or of two over the same queries.

    Attributes:
        queries: Number of queries.
        metrics: Means by name (`R@1`, …, `reward:NAME@10`) and encoder.
        differences: New minus old, by name of the metric; empty for one encoder.
    """

    queries: int
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "queries": self.queries,
            "metrics": self.metrics,
            "differences": {name: d.as_dict() for name, d in self.differences.items()},
        }


def rank(
    queries: Sequence[str], gallery: Gallery, encoder: Encoder, *, k: int, progress: Progress | None = None
) -> Rankings:
    """Searches a gallery for many queries, batch by batch.

    Raises:
        SpaceMismatchError: The gallery was filled by another image tower.
    """
    gallery.check_encoder(encoder)
    ids: list[list[str]] = []
    for start in range(0, len(queries), BATCH):
        vectors = encoder.encode_texts(queries[start : start + BATCH])
        ids += [[m.id for m in found] for found in gallery.search(vectors, k)]
        if progress:
            progress(len(ids), len(queries))
    return Rankings(encoder.name, ids)


def report(
    rankings: Sequence[Rankings],
    relevant: Sequence[str],
    rewards: dict[str, dict[str, float]],
    *,
    depths: Sequence[int] = DEPTHS,
) -> RetrievalReport:
    """Measures one ranking, or compares two (old, new) over the same queries.

    Args:
        rankings: One or two.
        relevant: (q,) id of the photo that each query describes. Queries of one photo are resampled together.
        rewards: Per reward name, the reward of every photo by id.
        depths: The k of R@k; rewards are averaged over the largest.

    Raises:
        EvaluationError: No queries, or not one or two rankings.
    """
    if not relevant or len(rankings) not in (1, 2):
        raise EvaluationError("nothing to evaluate", hint="give captions of photos that are in the gallery")
    measured = {f"R@{k}": [recall_at_k(r.ids, [{i} for i in relevant], k) for r in rankings] for k in depths}
    for name, values in rewards.items():
        measured[f"reward:{name}@{max(depths)}"] = [mean_at_k(r.ids, values, max(depths)) for r in rankings]
    return RetrievalReport(
        queries=len(relevant),
        metrics={
            name: {r.encoder: float(v.mean()) for r, v in zip(rankings, per_query, strict=True)}
            for name, per_query in measured.items()
        },
        differences=_differences(measured, relevant) if len(rankings) == 2 else {},
    )


def _differences(measured: dict[str, list[PerQuery]], groups: Sequence[str]) -> dict[str, Difference]:
    return {name: paired_difference(old, new, groups=groups) for name, (old, new) in measured.items()}
