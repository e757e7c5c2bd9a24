"""Fronts of a RUN's strengths, and of re-ranking what its base encoder finds, over one gallery and its captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.fronts import DEPTH, Floats, Front, Indices
from aesalign_core.searching import RERANK_FACTOR, RERANK_LEAST
from aesalign_core.types import Match, Vectors

if TYPE_CHECKING:
    from aesalign_core.alignment.runs import Run
    from aesalign_core.captions import Matched
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import TrainableEncoder

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)
SPREADS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Weights of re-ranking, in the spread of a query's similarities per standard deviation of the reward."""
MOST_CAPTIONS = 1_000
CANDIDATES = max(RERANK_FACTOR * DEPTH, RERANK_LEAST)
"""As many as `search` re-ranks."""
BATCH = 128
Progress = Callable[[int, int], None]
_Judged = tuple[Floats, Floats]
"""(q,) whether a query's own photo is among the first 10, and (q,) their mean reward."""


@dataclass(frozen=True)
class Sweep:
    """Two ways to trade recall for reward, over the same queries.

    Attributes:
        aligned: At the strengths of a RUN; 0 is its base.
        reranked: At weights w of `similarity + w · reward`, the reward in standard deviations, on the base.
        captions: How many there are, of which the fronts' queries are an even choice.
    """

    aligned: Front
    reranked: Front
    captions: int


def sweep(
    gallery: Gallery,
    captions: Matched,
    reward: str,
    run: Run,
    base: TrainableEncoder,
    *,
    progress: Progress | None = None,
) -> Sweep:
    """Searches for captions at every strength, and re-ranks at every weight.

    Args:
        gallery: Filled by the RUN's base encoder.
        captions: The queries, at most `MOST_CAPTIONS` of them.
        reward: A column of the gallery that every photo has.
        run: Whose text tower alone was tuned.
        base: The encoder that was aligned.
        progress: Called with queries done and in all.

    Raises:
        EvaluationError: The image tower was tuned too, or the reward is missing for some photos.
        SpaceMismatchError: The gallery was filled by another image tower.
    """
    if run.record.tuned != ("text",):
        raise EvaluationError(
            f"the image tower of {run.folder} was tuned: each strength has an image space of its own",
            hint="index a gallery per strength and compare it as RUN@STRENGTH",
        )
    if not np.isfinite(gallery.scores(reward)).all():
        raise EvaluationError(f"the reward {reward} is missing for some photos", hint="index again to complete it")
    gallery.check_encoder(base)
    chosen = _evenly(len(captions.texts), MOST_CAPTIONS)
    texts, own = [captions.texts[k] for k in chosen], [captions.ids[k] for k in chosen]
    mean, std = gallery.statistics(reward)
    answers: list[list[_Judged]] = [[] for _ in STRENGTHS]
    pools: list[_Pool] = []
    for part, at_strengths in _embedded(texts, run, base):
        wanted = own[part]
        for place, vectors in enumerate(at_strengths):
            found = gallery.search(vectors, CANDIDATES if place == 0 else DEPTH, rewards=(reward,))
            pool = _Pool.of(found, wanted, reward).scaled(mean, std or 1.0)
            answers[place].append(pool.first(0.0))
            pools += [pool] if place == 0 else []
        if progress:
            progress(min(part.stop, len(texts)), len(texts))
    photos = np.unique(np.asarray(own), return_inverse=True)[1].astype(np.int64)
    weights = _weights(pools)
    return Sweep(
        _front(STRENGTHS, answers, photos),
        _front(weights, [[pool.first(w) for pool in pools] for w in weights], photos),
        len(captions.texts),
    )


def _embedded(texts: Sequence[str], run: Run, base: TrainableEncoder) -> Iterator[tuple[slice, Iterator[Vectors]]]:
    """Batch by batch, the texts' embeddings at each strength; the frozen part of the tower reads them once."""
    import torch

    from aesalign_core.alignment import runs
    from aesalign_core.alignment.towers import embed

    heads = [runs.aligned(run, base, strength=strength).text_head() for strength in STRENGTHS]
    for start in range(0, len(texts), BATCH):
        part = slice(start, start + BATCH)
        features = torch.from_numpy(base.text_features(texts[part])).to(base.device)
        with torch.inference_mode():
            yield part, iter([embed(head, features).cpu().numpy() for head in heads])


@dataclass(frozen=True)
class _Pool:
    """What was found for some queries: (b, k) similarity, reward, and whether it is the query's own photo."""

    similarity: Floats
    reward: Floats
    own: Floats

    @classmethod
    def of(cls, found: Sequence[Sequence[Match]], wanted: Sequence[str], reward: str) -> _Pool:
        return cls(
            np.array([[m.similarity for m in row] for row in found]),
            np.array([[m.rewards[reward] for m in row] for row in found]),
            np.array([[float(m.id == photo) for m in row] for row, photo in zip(found, wanted, strict=True)]),
        )

    def scaled(self, mean: float, std: float) -> _Pool:
        return replace(self, reward=(self.reward - mean) / std)

    def first(self, weight: float) -> _Judged:
        order = np.argsort(-(self.similarity + weight * self.reward), axis=1, kind="stable")[:, :DEPTH]
        own, reward = (np.take_along_axis(values, order, 1) for values in (self.own, self.reward))
        return own.max(1), reward.mean(1)


def _weights(pools: Sequence[_Pool]) -> tuple[float, ...]:
    """Weights that matter to these similarities, rounded so that they can be typed."""
    spread = float(np.median(np.concatenate([pool.similarity.std(1) for pool in pools])))
    return tuple(dict.fromkeys(float(f"{spread * share:.2g}") for share in SPREADS))


def _front(strengths: Sequence[float], judged: Sequence[Sequence[_Judged]], photos: Indices) -> Front:
    recall, reward = (np.stack([np.concatenate([b[k] for b in batches]) for batches in judged]) for k in (0, 1))
    return Front(tuple(strengths), recall, reward, photos)


def _evenly(count: int, most: int) -> list[int]:
    return list(range(count)) if count <= most else [k * count // most for k in range(most)]
