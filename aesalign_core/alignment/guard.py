"""Guarding a training against over-optimisation: which step to keep, and whether the reward was gamed.

A policy that is optimised against a reward for too long finds photos that the reward likes and people do not (Gao et
al., arXiv 2210.10760). What was held out shows it: while the trained reward rises, relevance or another reward falls.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from aesalign_core.alignment import checkpoints
from aesalign_core.alignment.data import TrainingData, WatchedRows
from aesalign_core.alignment.log import Metrics, MetricsLog, read_metrics
from aesalign_core.alignment.towers import Tower, embed
from aesalign_core.errors import AlignmentError
from aesalign_core.evaluation.statistics import paired_difference

if TYPE_CHECKING:
    from aesalign_core.alignment.settings import AlignSettings
    from aesalign_core.alignment.trainer import Trainer

MANY = 100
"""Among fewer photos than these the first one found is looked at, instead of the first ten."""
_CHUNK = 1024


class Watch:
    """What the policy finds for held-out captions among the run's photos, against what the reference finds.

    Args:
        data: Of the run, with `watched` rows.
        watched: They.

    Raises:
        AlignmentError: The reference finds none of them, so that there is nothing to keep.
    """

    def __init__(self, data: TrainingData, watched: WatchedRows) -> None:
        self._data, self._rows = data, watched
        self.depth = 10 if len(watched.photos) >= MANY else 1
        self._groups = [str(k) for k in watched.own.tolist()]  # captions of one photo are resampled together
        text, image = data.text.reference[watched.texts], data.image.reference[watched.photos]
        self._recall, self._rewards = self._found(text, image)
        if not self._recall.any():
            raise AlignmentError(
                "the encoder finds none of the held-out photos by its captions",
                hint="check the captions, or leave align.recall_floor out",
            )

    def measure(self, step: int) -> Metrics:
        """A line of `watch.jsonl`.

        Returns:
            `step`; `recall` at `depth`; `recall_kept`, its ratio to the reference's; `reward_gain`, the mean reward
            of the first `depth` photos over the reference's, in standard deviations of the gallery, with its 95 %
            interval `reward_low` to `reward_high`; and `other_gain` … of the other reward, if there is one.
        """
        text, image = (
            self._policy(self._data.text, self._rows.texts),
            self._policy(self._data.image, self._rows.photos),
        )
        recall, rewards = self._found(text, image)
        line: Metrics = {
            "step": step,
            "depth": self.depth,
            "recall": float(recall.mean()),
            "recall_kept": float(recall.mean() / self._recall.mean()),
        }
        for name, old, new in zip(("reward", "other"), self._rewards.T, rewards.T, strict=False):
            gain = paired_difference(old.numpy(), new.numpy(), groups=self._groups)
            line |= {f"{name}_gain": gain.difference, f"{name}_low": gain.low, f"{name}_high": gain.high}
        return line

    @torch.no_grad()
    def _policy(self, tower: Tower, rows: Tensor) -> Tensor:
        if tower.head is None or tower.features is None:
            return tower.reference[rows]
        half = self._data.half
        parts = torch.split(rows, self._data.at_once)
        return torch.cat([embed(tower.head, tower.features[part], half=half) for part in parts])

    def _found(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """(h,) whether each caption's own photo is among the first, and (h, r) mean rewards of the first."""
        first = torch.cat([(part @ image.T).topk(self.depth).indices for part in torch.split(text, _CHUNK)])
        recall = (first == self._rows.own.unsqueeze(1)).any(1).double()
        return recall.cpu(), self._rows.rewards[first].double().mean(1).cpu()


def gamed(line: Metrics) -> bool:
    """Whether the trained reward rose while the other one fell, each with a 95 % interval that leaves out 0."""
    return "other_high" in line and line["reward_low"] > 0 and line["other_high"] < 0


def best(lines: Sequence[Metrics], floor: float) -> int:
    """The step to keep: of those that kept recall and gained reward, the one that gained most; 0 if there is none.

    Gained is what has a 95 % interval above 0. Nothing from the first gamed step on is kept: what follows has learnt
    the same tricks, even where an interval is too wide to show it.

    Args:
        lines: Of `watch.jsonl`, in order.
        floor: Least `recall_kept`.
    """
    honest = itertools.takewhile(lambda line: not gamed(line), lines)
    kept = [line for line in honest if line["recall_kept"] >= floor and line["reward_low"] > 0]
    return int(max(kept, key=lambda line: line["reward_gain"])["step"]) if kept else 0


class Guard:
    """Looks at what is held out from time to time, and knows the best step so far.

    Args:
        watch: What looks.
        log: Where each look is written.
        settings: When, and the floor.
    """

    def __init__(self, watch: Watch, log: MetricsLog, settings: AlignSettings) -> None:
        self._watch, self._log, self._settings = watch, log, settings
        self._lines = read_metrics(log.path)

    @classmethod
    def begun(cls, path: Path, trainer: Trainer) -> Guard | None:
        """Of a run that begins, or goes on, at the trainer's step; None if nothing is held out."""
        if trainer.settings.recall_floor is None or trainer.data.watched is None:
            return None
        watch = Watch(trainer.data, trainer.data.watched)
        return cls(watch, MetricsLog(path, after=trainer.steps_done), trainer.settings)

    @property
    def best(self) -> int:
        """The best step so far; 0 if none is better than the base."""
        return best(self._lines, self._settings.recall_floor or 0.0)

    def look(self, step: int) -> Metrics | None:
        """Measures and writes it down, if it is time to.

        Raises:
            AlignmentError: The measurement cannot be written.
        """
        if step % self._settings.watch_every and step != self._settings.steps:
            return None
        line = self._watch.measure(step)
        with checkpoints.storage_errors(self._log.path):
            self._log.append(line)
            self._log.sync()
        self._lines.append(line)
        return line

    def close(self) -> None:
        """Closes the log."""
        self._log.close()
