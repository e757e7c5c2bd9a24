"""Fitting the flaw detector of the reward head, and how much a flaw costs."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from aesalign_core.types import Scores, Vectors
from aesalign_embedded.reward_head import RewardHead

STEPS, BATCH, LEARNING_RATE = 2000, 256, 1e-3
SMOOTHING = 0.1
"""Of the labels: without it logits grow large on pictures unlike the training photos, and the penalty saturates."""
WEIGHT = 1.5
"""What an evident flaw costs: two standard deviations of LAION's scores, more than most changes of subject bring."""
THRESHOLDS = (-2.0, -1.0, 0.0, 1.0, 2.0)
RIGHT = 0.97
"""Share of validation pairs that the penalty has to get right; well above the goal of 0.90 on unseen ones."""


def fit(head: RewardHead, good: Vectors, bad: Vectors, *, seed: int = 0) -> None:
    """Trains on each photo against its own copies, and on copies against any photo.

    Args:
        head: Changed in place; its features are standardised already.
        good: (m, f) features of photos.
        bad: (flaws, m, f) of their copies, one with each flaw.
        seed: Of initial weights and batches.
    """
    torch.manual_seed(seed)
    fine, flawed = torch.from_numpy(good), torch.from_numpy(bad)
    head.inner.reset_parameters()
    head.outer.reset_parameters()
    weights = [*head.inner.parameters(), *head.outer.parameters()]
    optimizer = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    head.train()
    for _ in range(STEPS):
        rows, kinds = torch.randint(len(fine), (BATCH,)), torch.randint(len(flawed), (BATCH,))
        without, with_one = head.flaw(fine[rows]), head.flaw(flawed[kinds, rows])
        loss = -logsigmoid(with_one - without).mean()
        loss = loss + binary_cross_entropy_with_logits(without, torch.full((BATCH,), SMOOTHING))
        loss = loss + binary_cross_entropy_with_logits(with_one, torch.full((BATCH,), 1 - SMOOTHING))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    head.eval().requires_grad_(False)


def set_penalty(
    head: RewardHead, good: tuple[Scores, torch.Tensor], bad: list[tuple[Scores, torch.Tensor]]
) -> tuple[float, float]:
    """Chooses the threshold on validation photos.

    Of those that get `RIGHT` of the pairs right, the one that changes the order of the unflawed photos least; if none
    does, the one that gets most right.

    Args:
        head: Changed in place.
        good: (m,) aesthetic scores and (m,) flaw logits of photos.
        bad: The same of their copies, for each flaw.

    Returns:
        The share of pairs that are right; the rank correlation of the photos' scores with their aesthetic scores.
    """
    head.weight.fill_(WEIGHT)
    tried: list[tuple[float, float, float]] = []
    for threshold in THRESHOLDS:
        head.threshold.fill_(threshold)
        scores = good[0] - head.penalty(good[1]).numpy()
        right = float(np.mean([scores > b - head.penalty(f).numpy() for b, f in bad]))
        tried.append((right, float(spearmanr(good[0], scores).statistic), threshold))
    enough = [t for t in tried if t[0] >= RIGHT]
    right, kept, threshold = max(enough, key=lambda t: t[1]) if enough else max(tried)
    head.threshold.fill_(threshold)
    return right, kept
