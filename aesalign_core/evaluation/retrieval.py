"""What answers to captions are worth: recall in both directions, mean reward of the top, old against new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.metrics import PerQuery, mean_at_k, recall_at_k
from aesalign_core.evaluation.statistics import Difference, paired_difference

DEPTHS = (1, 5, 10)
IMAGE_TO_TEXT = "image→text "
"""Before the names of the metrics of that direction; those of the other, a gallery's own, stand alone."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """What one encoder answered.

    Attributes:
        encoder: Its name.
        ids: q lists of photo ids, best first: what it found for each caption.
        own_captions: By depth k, one number for each of `photos`: the chance that one of the photo's own captions is
            among the k most similar of all captions (`metrics.expected_hit`); empty if photos were not asked.
        photos: Ids of the photos that were asked.
    """

    encoder: str
    ids: Sequence[Sequence[str]]
    own_captions: Mapping[int, PerQuery] = field(default_factory=dict)
    photos: Sequence[str] = ()


@dataclass(frozen=True)
class RetrievalReport:
    """Metrics of one encoder, or of two over the same queries.

    Attributes:
        queries: Number of captions.
        metrics: Means by name (`R@1`, …, `image→text R@1`, …, `reward:NAME@10`) and encoder.
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


@dataclass(frozen=True, slots=True)
class _Measured:
    """One metric of one or two encoders, and which photograph each of its numbers is about."""

    name: str
    values: Sequence[PerQuery]
    groups: Sequence[str]


def report(
    rankings: Sequence[Rankings],
    relevant: Sequence[str],
    rewards: dict[str, dict[str, float]],
    *,
    depths: Sequence[int] = DEPTHS,
) -> RetrievalReport:
    """Measures one encoder's rankings, or compares two (old, new) over the same queries.

    Args:
        rankings: One or two.
        relevant: (q,) id of the photo that each caption describes. Captions of one photo are resampled together.
        rewards: Per reward name, the reward of every photo by id.
        depths: The k of R@k; rewards are averaged over the largest.

    Raises:
        EvaluationError: No queries, or not one or two rankings, or two that asked different photos.
    """
    if not relevant or len(rankings) not in (1, 2):
        raise EvaluationError("nothing to evaluate", hint="give captions of photos that are in the gallery")
    if len({tuple(r.photos) for r in rankings}) > 1:
        raise EvaluationError("the two encoders were asked about different photos")
    measured = _measured(rankings, relevant, rewards, depths)
    names = [r.encoder for r in rankings]
    return RetrievalReport(
        queries=len(relevant),
        metrics={m.name: {n: float(v.mean()) for n, v in zip(names, m.values, strict=True)} for m in measured},
        differences={m.name: paired_difference(*m.values, groups=m.groups) for m in measured if len(rankings) == 2},
    )


def _measured(
    rankings: Sequence[Rankings],
    relevant: Sequence[str],
    rewards: dict[str, dict[str, float]],
    depths: Sequence[int],
) -> list[_Measured]:
    top, wanted = max(depths), [{i} for i in relevant]
    found = [_Measured(f"R@{k}", [recall_at_k(r.ids, wanted, k) for r in rankings], relevant) for k in depths]
    if all(r.own_captions for r in rankings):
        found += [
            _Measured(f"{IMAGE_TO_TEXT}R@{k}", [r.own_captions[k] for r in rankings], rankings[0].photos)
            for k in depths
        ]
    return found + [
        _Measured(f"reward:{name}@{top}", [mean_at_k(r.ids, values, top) for r in rankings], relevant)
        for name, values in rewards.items()
    ]
