"""Fitting the two projection heads: symmetric InfoNCE on frozen features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from aesalign_embedded.heads import ProjectionHead


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was chosen on the validation photographs; `docs/embedded.md` tells what each choice gained.

    Attributes:
        dim: Width of an embedding.
        hidden: Width of the heads' hidden layer.
        dropout: Share of hidden units dropped; half of it of the features.
        columns: How many of the image features are read, the pooled last layer (1,280) first; 0: all.
        views: Views of a photograph that are drawn from, the plain one more often.
        averaged: Share of texts that are the mean of two to five captions of their photograph.
        smoothing: Weight of the soft targets, by similarity of the captions, against the hard ones.
        sharpness: Divisor of cosines of captions in the soft targets.
        mixup: Upper end of the share of another photograph and its caption that is mixed in.
        hard: Share of a batch that is drawn from the nearest of the rest of it, by their captions.
        epochs: Times each caption is seen.
        batch_size: Pairs in a batch, each of another photograph.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
    """

    dim: int = 512
    hidden: int = 512
    dropout: float = 0.5
    columns: int = 0
    views: tuple[str, ...] = ("plain", "flip")
    averaged: float = 0.3
    smoothing: float = 0.0
    sharpness: float = 0.1
    mixup: float = 0.0
    hard: float = 0.0
    epochs: int = 12
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.05


@dataclass(frozen=True, slots=True)
class Examples:
    """Features of the photographs to train on.

    Attributes:
        images: (views, n, f) float32, the plain view first.
        texts: (n, 5, g) float32, five captions each.
    """

    images: torch.Tensor
    texts: torch.Tensor


def fit(examples: Examples, recipe: Recipe, *, seed: int) -> tuple[ProjectionHead, ProjectionHead, float]:
    """Trains an image and a text head.

    Returns:
        Image head, text head (both in eval mode) and the logit scale, 1 / temperature.
    """
    torch.manual_seed(seed)
    image, text = (_head(examples.images[0], recipe), _head(examples.texts.flatten(0, 1), recipe))
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    photos, captions = examples.texts.shape[:2]
    size = min(recipe.batch_size, photos)
    steps = recipe.epochs * captions * (photos // size)
    groups = [
        {"params": [*image.parameters(), *text.parameters()], "weight_decay": recipe.weight_decay},
        {"params": [scale], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.15)
    near = _neighbours(examples.texts.mean(1)) if recipe.hard else None
    order = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(photos)
        rows, order = order[:size], order[size:]
        if near is not None:
            rows = _with_hard(rows, near, round(size * recipe.hard))
        x, y = _draw(examples, rows, recipe)
        target = _targets(y, recipe)
        if recipe.mixup:
            x, y, target = _mixed(x, y, target, recipe.mixup)
        logits = normalize(text(y), dim=-1) @ normalize(image(x), dim=-1).T * scale.exp().clamp(max=100)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target.T)) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return image.eval(), text.eval(), float(scale.detach().exp().clamp(max=100))


def _head(features: torch.Tensor, recipe: Recipe) -> ProjectionHead:
    head = ProjectionHead(features.shape[1], recipe.dim, hidden=recipe.hidden, dropout=recipe.dropout)
    head.standardise(features)
    return head.train()


def _neighbours(texts: torch.Tensor, count: int = 10) -> torch.Tensor:
    """(n, count): who else is told about in nearly the same words."""
    unit = normalize(texts, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-1.0).topk(count).indices


def _with_hard(rows: torch.Tensor, near: torch.Tensor, count: int) -> torch.Tensor:
    """The rows, the last `count` replaced by neighbours of the first; nobody comes twice."""
    kept = rows[: len(rows) - count]
    chosen = near[kept[:count], torch.randint(near.shape[1], (min(count, len(kept)),))]
    return torch.from_numpy(np.unique(torch.cat([kept, chosen]).numpy()))


def _draw(examples: Examples, rows: torch.Tensor, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """A view of each photograph, and a caption or a mean of some."""
    views, size = len(examples.images), len(rows)
    view = torch.where(torch.rand(size) < 0.7, torch.randint(views, (size,)), 0)
    captions = examples.texts[rows]
    ranks = torch.rand(captions.shape[:2]).argsort(1)
    many = torch.randint(2, captions.shape[1] + 1, (size,))
    count = torch.where(torch.rand(size) < recipe.averaged, many, 1)
    weight = (ranks < count[:, None]).float() / count[:, None]
    return examples.images[view, rows], (captions * weight[..., None]).sum(1)


def _targets(y: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """(n, n): the identity, softened by how alike the texts are."""
    hard = torch.eye(len(y))
    if not recipe.smoothing:
        return hard
    unit = normalize(y, dim=-1)
    alike = (unit @ unit.T / recipe.sharpness).softmax(1)
    return (1 - recipe.smoothing) * hard + recipe.smoothing * alike


def _mixed(
    x: torch.Tensor, y: torch.Tensor, target: torch.Tensor, most: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    share, other = torch.rand(len(x), 1) * most, torch.randperm(len(x))
    return x + share * (x[other] - x), y + share * (y[other] - y), target
