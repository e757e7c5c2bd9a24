"""Trains and measures the reward head that ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from aesalign_core.types import Scores, Vectors
from aesalign_embedded import weights
from aesalign_embedded.flaws import FLAWS
from aesalign_embedded.heads import ProjectionHead, embed, projection_from
from aesalign_embedded.reward_head import RewardHead
from aesalign_embedded.training import beauty, detector
from aesalign_embedded.training.features import FeatureStore
from aesalign_embedded.training.metrics import share, spearman
from aesalign_embedded.training.split import Indices
from aesalign_embedded.training.storing import store

FLAWED_TRAIN, VARIED_TRAIN, FLAWED_VALIDATION, FLAWED_TEST = 1000, 500, 200, 300


def train(features: FeatureStore, *, out: Path) -> Iterator[str]:
    """Fits, measures and stores the head; gives the lines of the report.

    The flaw detector sees training photographs only, its penalty is chosen on validation photographs, and the table
    of flaws is of test photographs without a score. LAION's scores are measured out of fold; the stored head is
    fitted on all of them. The projections that are installed give the embedding; they saw no scored photograph.
    """
    photos = features.photographs
    labelled = np.array([i for i in photos.test if photos.names[i] in photos.scores], np.int64)
    labels = np.array([photos.scores[photos.names[i]] for i in labelled], np.float32)
    work = _Work(features, centres=len(labelled))

    detector.fit(work.head, *work.pairs(photos.train[:FLAWED_TRAIN], photos.train[:VARIED_TRAIN]))
    places = work.places(work.plain[labelled])
    found = beauty.out_of_fold(work.head, places, labels)
    settings = beauty.fit(work.head, places, labels)
    yield f"aesthetic part: {settings}"
    yield work.choose_penalty(photos.validation[:FLAWED_VALIDATION])
    work.halve()

    with torch.inference_mode():
        whole = found - work.head.penalty(work.head.flaw(torch.from_numpy(work.plain[labelled]))).numpy()
    yield f"Spearman with {len(labels)} LAION scores, out of fold: {spearman(whole, labels)}"
    yield f"{'':4} before the penalty for flaws: {spearman(found, labels)}"
    unseen = np.setdiff1d(photos.test, labelled)[:FLAWED_TEST]
    right = {flaw: work.better(unseen, flaw) for flaw in FLAWS}
    for flaw, rows in right.items():
        yield f"{flaw:14} ranked below its original: {share(rows)}"
    yield f"{'all flaws':14} ranked below its original: {share(np.stack(list(right.values()), 1))}"
    about = {"photographs": str(FLAWED_TRAIN), "scores": str(len(labels)), "projections": work.projections}
    store(out, weights.REWARD, work.head.state_dict(), about)


class _Work:
    """The head that is fitted, and features as it reads them."""

    def __init__(self, features: FeatureStore, *, centres: int) -> None:
        self.features = features
        self.plain = features.view("plain")
        kept = weights.own(weights.PROJECTIONS)
        self.projections = kept.sha256
        self._projection: ProjectionHead = projection_from(kept.part("image"))
        base = self.plain[features.photographs.train]
        embeddings = self._embed(base)
        self.head = RewardHead(base.shape[1], embeddings.shape[1], centres=centres, dropout=0.5)
        self.head.features.fit(torch.from_numpy(base))
        self.head.embedding.fit(embeddings)

    def pairs(self, plain: Indices, varied: Indices) -> tuple[Vectors, Vectors]:
        """Photographs as they are and with harmless differences, and flawed copies of both: (m, f), (flaws, m, f)."""
        good = np.concatenate([self.plain[plain], self.features.varied(varied)])
        return good, np.concatenate([self.copies(plain, salt=0), self.copies(varied, salt=0, varied=True)], 1)

    def copies(self, photos: Indices, *, salt: int, varied: bool = False) -> Vectors:
        """(flaws, m, f)."""
        return np.stack([self.features.flawed(flaw, photos, salt=salt, varied=varied) for flaw in FLAWS])

    def places(self, features: Vectors) -> torch.Tensor:
        """(m, f) → (m, k)."""
        with torch.no_grad():  # not inference mode: some of these become buffers
            return self.head.place(torch.from_numpy(features), self._embed(features))

    def choose_penalty(self, photos: Indices) -> str:
        """On photographs and copies that nothing was fitted on."""
        good = self._parts(self.plain[photos])
        right, kept = detector.set_penalty(self.head, good, [self._parts(c) for c in self.copies(photos, salt=2)])
        numbers = f"weight {float(self.head.weight):g}, threshold {float(self.head.threshold):g}"
        return f"penalty: {numbers}; validation pairs right {right:.3f}, order of photos kept {kept:.3f} (Spearman)"

    def better(self, photos: Indices, flaw: str) -> NDArray[np.bool_]:
        """Whether each photograph scores above its copy with this flaw: (m,)."""
        return np.asarray(self._score(self.plain[photos]) > self._score(self.features.flawed(flaw, photos, salt=1)))

    def halve(self) -> None:
        """Rounds weights to what is stored, so that what is measured is what ships."""
        self.head.load_state_dict({k: v.half().float() for k, v in self.head.state_dict().items()})

    def _embed(self, features: Vectors) -> torch.Tensor:
        return embed(self._projection, torch.from_numpy(features))

    def _parts(self, features: Vectors) -> tuple[Scores, torch.Tensor]:
        with torch.inference_mode():
            scores: Scores = self.head.beauty(self.places(features)).numpy()
            return scores, self.head.flaw(torch.from_numpy(features))

    def _score(self, features: Vectors) -> Scores:
        with torch.inference_mode():
            found: Scores = self.head(torch.from_numpy(features), self._embed(features)).numpy()
        return found
