"""Trains and measures the projection heads that ship."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from aesalign_core.types import Vectors
from aesalign_embedded.heads import ProjectionHead, embed
from aesalign_embedded.training.contrastive import Examples, Recipe, fit
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.metrics import Estimate, ranks, recall
from aesalign_embedded.training.split import Indices
from aesalign_embedded.training.storing import store
from aesalign_embedded.weights import PROJECTIONS

DEPTHS = (1, 5, 10)


def validate(features: FeatureStore, recipe: Recipe, *, seeds: int) -> dict[int, list[float]]:
    """Fits on the training photographs and gives, for each seed, R@k over the 500 of validation."""
    photos = features.photographs
    examples = _examples(features, photos.train, recipe)
    found: dict[int, list[float]] = {k: [] for k in DEPTHS}
    for seed in range(seeds):
        image, text, _ = fit(examples, recipe, seed=seed)
        for k, estimate in measure(features, image, text, photos.validation).items():
            found[k].append(estimate.value)
    return found


def train(features: FeatureStore, recipe: Recipe, *, out: Path) -> dict[int, Estimate]:
    """Fits on training and validation photographs, stores the heads, and gives R@k over the 1,000 of test."""
    photos = features.photographs
    examples = _examples(features, np.sort(np.concatenate([photos.train, photos.validation])), recipe)
    image, text, scale = fit(examples, recipe, seed=0)
    _halve(image, text)
    tensors = {f"image.{k}": v for k, v in image.state_dict().items()}
    tensors |= {f"text.{k}": v for k, v in text.state_dict().items()}
    about = {
        "logit_scale": f"{scale:.6f}",
        "photographs": str(examples.texts.shape[0]),
        "recipe": repr(asdict(recipe)),
    }
    store(out, PROJECTIONS, tensors, about)
    return measure(features, image, text, photos.test)


def measure(
    features: FeatureStore, image: ProjectionHead, text: ProjectionHead, chosen: Indices
) -> dict[int, Estimate]:
    """R@k of the captions of some photographs among those photographs."""
    photos = features.photographs
    captions = photos.captions_of(chosen)
    photo_of = np.searchsorted(chosen, photos.photo_of[captions])
    found = ranks(
        _embedded(text, features.captions()[captions]),
        _embedded(image, features.view("plain")[chosen, : len(image.mean)]),
        photo_of,
    )
    return {k: recall(found, photo_of, k) for k in DEPTHS}


def _examples(features: FeatureStore, chosen: Indices, recipe: Recipe) -> Examples:
    photos = features.photographs
    texts = features.captions()
    grouped = np.stack([texts[photos.photo_of == i] for i in chosen])
    images = np.stack([features.view(view)[chosen, : recipe.columns or None] for view in recipe.views])
    return Examples(images=torch.from_numpy(images), texts=torch.from_numpy(grouped))


def _embedded(head: ProjectionHead, features: Vectors) -> Vectors:
    unit: Vectors = embed(head, torch.from_numpy(features)).numpy()
    return unit


def _halve(*heads: ProjectionHead) -> None:
    """Rounds weights to what is stored, so that what is measured is what ships."""
    for head in heads:
        head.load_state_dict({k: v.half().float() for k, v in head.state_dict().items()})
