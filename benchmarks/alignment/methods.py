"""The methods that are compared: how each ranks at each strength."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge

from aesalign_core.alignment import runs
from aesalign_core.alignment.adapted import AdaptedEncoder
from aesalign_core.evaluation.fronts import Front
from aesalign_core.types import Vectors
from benchmarks.alignment import variants
from benchmarks.alignment.judged import judged
from benchmarks.alignment.recipes import DISTILLED, GRIDS, LOOSE, LOW_RANK, RANKED, TUNED
from benchmarks.alignment.world import REWARD, SHUFFLED, Method, World

WEIGHTS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.08, 0.1)
LENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0, 3.5, 4.0)
BASE = -1.0
"""Stands for the untouched base where a method does something even at strength 0."""
RERANKED = "re-rank"
Ranker = Callable[[float], Vectors]

TRAINED = {
    "text: ranked_dpo, w_pt 0.1": Method(RANKED, LOOSE, GRIDS),
    "text: ranked_dpo, w_pt 1": Method(RANKED, TUNED.model_copy(update={"pretraining_weight": 1.0}), GRIDS),
    "text: reward_distillation": Method(DISTILLED, TUNED, GRIDS),
    "text: reward_distillation, k_list": Method(DISTILLED, TUNED, GRIDS.model_copy(update={"strategy": "k_list"})),
    "text: shuffled rewards": Method(DISTILLED, TUNED, GRIDS.model_copy(update={"reward": SHUFFLED})),
    "both: reward_distillation": Method(DISTILLED, LOW_RANK, GRIDS),
}
"""Chosen on other halves (seed 0) than those reported; docs/experiments.md tells what else was tried."""
ALL = TRAINED | {name: method for group in variants.GROUPS.values() for name, method in group.items()}
"""With what else was tried."""


def sweep(world: World, chosen: Sequence[str]) -> dict[str, Front]:
    """Every method's front over one judged half; `chosen` are the trained ones to run."""
    queries, images = world.queries(world.encoder), world.images(world.encoder)
    similar, direction = queries @ images.T, _direction(world)
    found = {
        RERANKED: _swept(world, WEIGHTS, lambda w: similar + w * world.rewards),
        "[e, R] searched with [q, w]": _swept(world, WEIGHTS, functools.partial(_one_stage, queries, images, world)),
        "cascade: rephrase, then re-rank": _after(world, similar, world.rephrased @ images.T),
        "query + direction": _swept(world, LENGTHS, lambda w: _unit(queries + w * direction) @ images.T),
        "oracle: re-rank by the true score": _swept(world, WEIGHTS, lambda w: similar + w * world.truth),
    }
    for name in chosen:
        run = world.run(folder_of(name), ALL[name])
        found[name] = _swept(world, STRENGTHS, functools.partial(_at, world, run))
        if ALL[name].pairs.reward == SHUFFLED:
            found[f"{name}, then re-rank"] = _after(world, similar, _at(world, run, 1.0))
    return found


def folder_of(name: str) -> str:
    """The RUN folder's name of a method."""
    return name.replace(": ", "-").replace(", ", "-").replace(" ", "-")


def _one_stage(queries: Vectors, images: Vectors, world: World, weight: float) -> Vectors:
    """The reward as one more dimension of the index, the weight as one more of the query: one inner product."""
    longer = np.hstack([queries, np.full((len(queries), 1), weight, np.float32)])
    return longer @ np.hstack([images, world.rewards[:, None]]).T


def _after(world: World, similar: Vectors, other: Vectors) -> Front:
    """From the untouched base to other similarities, and on by re-ranking what they find."""
    return _swept(world, (BASE, *WEIGHTS), lambda w: similar if w == BASE else other + w * world.rewards)


def _swept(world: World, strengths: Sequence[float], rank: Ranker) -> Front:
    points = [judged(rank(strength), world.own, world.truth) for strength in strengths]
    recall, beauty = (np.stack(values) for values in zip(*points, strict=True))
    return Front(tuple(strengths), recall, beauty, world.photos)


def _at(world: World, run: Path, strength: float) -> Vectors:
    # As `RUN@STRENGTH` does, on towers that are built already.
    record = runs.read(run)
    base = AdaptedEncoder(world.encoder) if record.recipe.align.tune == "adapter" else world.encoder
    encoder = runs.aligned(record, base, strength=strength)
    return world.queries(encoder) @ world.images(encoder).T


def _direction(world: World) -> Vectors:
    """Unit vector along which the reward grows, by ridge regression over the photographs of the alignment."""
    direction = Ridge(alpha=1.0).fit(world.trained.vectors(), world.trained.scores(REWARD)).coef_
    return _unit(direction.astype(np.float32))


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
