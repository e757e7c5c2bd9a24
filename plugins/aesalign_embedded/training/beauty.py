"""Fitting the aesthetic part of the reward head: kernel ridge regression of LAION's scores."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV

from aesalign_core.types import Scores
from aesalign_embedded.reward_head import RewardHead

FOLDS = 5
GRID = {"alpha": [0.1, 0.3, 1.0], "gamma": [0.125, 0.25, 0.5, 1.0]}
"""Squared distances between two photos are about 4: a gamma of 0.25 halves the kernel's exponent at half of that."""


def fit(head: RewardHead, places: torch.Tensor, labels: Scores) -> dict[str, float]:
    """Sets centres, dual coefficients, width and offset of a head; both settings are chosen by cross-validation.

    Args:
        head: Changed in place.
        places: (m, k) of rated photos; m is the head's number of centres.
        labels: (m,) their scores.
    """
    offset = float(labels.mean())
    search = GridSearchCV(KernelRidge(kernel="rbf"), GRID, cv=FOLDS, scoring="neg_mean_squared_error")
    search.fit(places.double().numpy(), labels.astype(np.float64) - offset)
    chosen = search.best_estimator_
    head.centres, head.dual = places.clone(), torch.from_numpy(chosen.dual_coef_).float()
    head.offset.fill_(offset)
    head.gamma.fill_(float(chosen.gamma))
    return {name: float(value) for name, value in search.best_params_.items()}


def out_of_fold(head: RewardHead, places: torch.Tensor, labels: Scores) -> Scores:
    """Aesthetic scores of each photo from a fit, settings and all, that has not seen its label: (m,)."""
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    found = np.empty(len(labels), np.float32)
    for number in range(FOLDS):
        held = fold == number
        fit(head, places[~held], labels[~held])
        with torch.inference_mode():
            found[held] = head.beauty(places[held]).numpy()
    return found
