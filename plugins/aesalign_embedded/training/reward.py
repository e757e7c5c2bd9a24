"""Trains and measures the reward head that ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from aesalign_core.types import Scores, Vectors
from aesalign_embedded.flaws import FLAWS
from aesalign_embedded.heads import RewardHead
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.metrics import share, spearman
from aesalign_embedded.training.split import Indices
from aesalign_embedded.training.storing import store
from aesalign_embedded.weights import REWARD

FLAWED_TRAIN, FLAWED_TEST = 700, 300
FOLDS = 5
RIDGE = 3e4
"""Weight of the ridge penalty, for standardised features; chosen by cross-validation inside training folds."""
PENALTY = 3.0
"""In points of LAION's scale: what an evident flaw costs."""
STEPS, BATCH, LEARNING_RATE = 1500, 256, 1e-3


def train(features: FeatureStore, *, out: Path) -> Iterator[str]:
    """Fits, measures and stores the head; gives the lines of the report.

    The flaw detector sees training photographs only, the flaw table test photographs without a score. LAION's
    scores are measured out of fold; the stored head is fitted on all of them.
    """
    photos = features.photographs
    plain = features.view("plain")
    head = detector(features, photos.train[:FLAWED_TRAIN])
    labelled = np.array([i for i in photos.test if photos.names[i] in photos.scores], np.int64)
    labels = np.array([photos.scores[photos.names[i]] for i in labelled], np.float32)
    unseen = np.setdiff1d(photos.test, labelled)[:FLAWED_TEST]
    found = out_of_fold(head, plain[labelled], labels)
    yield f"Spearman with {len(labels)} LAION scores, {FOLDS}-fold: {spearman(found, labels)}"
    set_beauty(head, plain[labelled], labels)
    halve(head)
    right = {flaw: better(head, plain[unseen], features.flawed(flaw, unseen, salt=1)) for flaw in FLAWS}
    for flaw, rows in right.items():
        yield f"{flaw:14} ranked below its original: {share(rows)}"
    yield f"{'all flaws':14} ranked below its original: {share(np.stack(list(right.values()), 1))}"
    store(out, REWARD, head.state_dict(), {"photographs": str(FLAWED_TRAIN), "scores": str(len(labels))})


def detector(features: FeatureStore, chosen: Indices, *, seed: int = 0) -> RewardHead:
    """Trains the flaw part: on each photo against its own copies, and on copies against any photo."""
    torch.manual_seed(seed)
    good = torch.from_numpy(features.view("plain")[chosen])
    bad = torch.from_numpy(np.stack([features.flawed(flaw, chosen, salt=0) for flaw in FLAWS]))
    head = RewardHead(good.shape[1], dropout=0.5)
    std, mean = torch.std_mean(good, 0)
    head.mean.copy_(mean)
    head.scale.copy_(1.0 / std.clamp(min=1e-3))
    head.weight.fill_(PENALTY)
    optimizer = torch.optim.AdamW(
        [*head.inner.parameters(), *head.outer.parameters()], LEARNING_RATE, weight_decay=0.1
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    head.train()
    for _ in range(STEPS):
        rows, kinds = torch.randint(len(good), (BATCH,)), torch.randint(len(FLAWS), (BATCH,))
        fine = head.flaw(head.standardised(good[rows]))
        flawed = head.flaw(head.standardised(bad[kinds, rows]))
        loss = -logsigmoid(flawed - fine).mean()
        loss = loss + binary_cross_entropy_with_logits(fine, torch.zeros(BATCH))
        loss = loss + binary_cross_entropy_with_logits(flawed, torch.ones(BATCH))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return head.eval().requires_grad_(False)


def set_beauty(head: RewardHead, features: Vectors, labels: Scores) -> None:
    """Fits the affine part by ridge regression of what the scores are beside the penalty."""
    x = head.standardised(torch.from_numpy(features)).double()
    penalty = head.weight * torch.sigmoid(head.flaw(x.float()))
    target = (torch.from_numpy(labels) + penalty).double()
    centre, offset = x.mean(0), target.mean()
    x = x - centre
    # The dual form: 493 equations instead of 2,816.
    dual = torch.linalg.solve(x @ x.T + RIDGE * torch.eye(len(x), dtype=x.dtype), target - offset)
    slope = x.T @ dual
    head.beauty.weight.copy_(slope[None])
    head.beauty.bias.copy_((offset - centre @ slope)[None])


def out_of_fold(head: RewardHead, features: Vectors, labels: Scores) -> Scores:
    """Scores of each labelled photo from a fit that has not seen its label."""
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    found = np.empty(len(labels), np.float32)
    for number in range(FOLDS):
        held = fold == number
        set_beauty(head, features[~held], labels[~held])
        found[held] = score(head, features[held])
    return found


def score(head: RewardHead, features: Vectors) -> Scores:
    """(n, f) → (n,)."""
    with torch.inference_mode():
        found: Scores = head(torch.from_numpy(features)).numpy()
    return found


def better(head: RewardHead, good: Vectors, bad: Vectors) -> NDArray[np.bool_]:
    """Whether each photo scores above its copy: (n,)."""
    return np.asarray(score(head, good) > score(head, bad))


def halve(head: RewardHead) -> None:
    """Rounds weights to what is stored, so that what is measured is what ships."""
    head.load_state_dict({k: v.half().float() for k, v in head.state_dict().items()})
