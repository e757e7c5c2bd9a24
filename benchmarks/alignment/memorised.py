"""How much better the shipped heads find photographs that they were trained on than others.

`python -m benchmarks.alignment.memorised --photos ../shared/photos` prints R@10 of all captions among 246
photographs, as many as a gallery of the benchmark has: drawn from the training photographs, and from the test ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from aesalign_core.types import Vectors
from aesalign_embedded import weights
from aesalign_embedded.heads import embed, projection_from
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.metrics import ranks, recall
from aesalign_embedded.training.split import read

PHOTOS = 246


def main() -> None:
    """Prints a line for each part of the photographs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment.memorised", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="images/, captions.csv, laion_b32.csv")
    parser.add_argument("--cache", type=Path, default=Path("runs/embedded-features"), help="features are kept here")
    given = parser.parse_args()
    features = FeatureStore(read(given.photos), given.cache)
    photos, looks, texts = features.photographs, features.view("plain"), features.captions()
    has_score = np.isin(np.arange(len(photos.names)), [photos.names.index(name) for name in photos.scores])
    parts = {
        "trained on": photos.train,
        "unseen, without a LAION score": photos.test[~has_score[photos.test]],
        "unseen, with one": photos.test[has_score[photos.test]],
    }
    for name, chosen in parts.items():
        drawn = np.sort(np.random.default_rng(0).choice(chosen, PHOTOS, replace=False))
        captions = photos.captions_of(drawn)
        photo_of = np.searchsorted(drawn, photos.photo_of[captions])
        found = ranks(_embedded("text", texts[captions]), _embedded("image", looks[drawn]), photo_of)
        print(f"{name:<32} R@10 among {PHOTOS}: {recall(found, photo_of, 10)}")


def _embedded(tower: str, features: Vectors) -> Vectors:
    head = projection_from(weights.own(weights.PROJECTIONS).part(tower))
    unit: Vectors = embed(head, torch.from_numpy(features)).numpy()
    return unit


if __name__ == "__main__":
    main()
