"""The loop of a training run: steps, with what is written down about them, and a checkpoint now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from aesalign_core.alignment import checkpoints, runs
from aesalign_core.alignment import guard as guarding
from aesalign_core.alignment.data import PhaseProgress
from aesalign_core.alignment.events import Events, Interruption
from aesalign_core.alignment.guard import Guard
from aesalign_core.alignment.log import Metrics, MetricsLog, read_metrics
from aesalign_core.alignment.trainer import Trainer


class Journal:
    """What the main process writes down: the log, the looks at what is held out, checkpoints.

    Args:
        out: The RUN folder.
        trainer: Whose steps.
        events: Who is told.
        progress: Likewise.
    """

    def __init__(self, out: Path, trainer: Trainer, events: Events, progress: PhaseProgress) -> None:
        self._out, self._trainer, self._events, self._progress = out, trainer, events, progress
        self._log = MetricsLog(out / runs.METRICS, after=trainer.steps_done)
        self._guard = Guard.begun(out / runs.WATCH, trainer)
        self._started = time.monotonic() - self._log.seconds
        self._saved = trainer.steps_done

    def note(self, metrics: Metrics) -> None:
        """Writes the step that was just taken down, where it is time to, with a checkpoint where one is due.

        Raises:
            AlignmentError: It cannot be written.
        """
        step, settings = self._trainer.steps_done, self._trainer.settings
        last = step == settings.steps
        metrics = metrics | {"seconds": round(time.monotonic() - self._started, 3)}
        if step % settings.log_every == 0 or step == 1 or last:
            with checkpoints.storage_errors(self._log.path):
                self._log.append(metrics)
            self._events.step(step, metrics)
        self._progress("training", step, settings.steps, metrics)
        if self._guard is not None and (look := self._guard.look(step)):
            self._events.watched(step, look)
        better = self._guard is not None and self._guard.best == step
        if step % settings.checkpoint_every == 0 or last or better:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint, unless there is one of this step.

        Raises:
            AlignmentError: It cannot be written.
        """
        if self._saved == self._trainer.steps_done:
            return
        with checkpoints.storage_errors(self._log.path):
            self._log.sync()
        keep, best = self._trainer.settings.keep_checkpoints, self._guard.best if self._guard else None
        checkpoints.save(self._out / runs.CHECKPOINTS, self._trainer.state(), keep=keep, best=best)
        self._saved = self._trainer.steps_done

    def close(self) -> None:
        """Closes the logs."""
        self._log.close()
        if self._guard is not None:
            self._guard.close()


def resume(out: Path, trainer: Trainer) -> int | None:
    """Goes on from the newest checkpoint that the main process finds whole; gives its step."""
    processes = trainer.processes
    with processes.together():
        newest = checkpoints.newest(out / runs.CHECKPOINTS) if processes.is_main else None
    step = processes.of_main(newest.step if newest else None)
    if step is not None:
        with processes.together():
            trainer.restore(newest or checkpoints.at(out / runs.CHECKPOINTS, step))
    return step


def train(out: Path, trainer: Trainer, events: Events, progress: PhaseProgress) -> None:
    """Takes the steps that are left.

    Raises:
        AlignmentError: A step went wrong, or something cannot be written.
        KeyboardInterrupt: Ctrl-C, after the step it came in was finished and a checkpoint written.
    """
    processes, device = trainer.processes, trainer.data.reference.device
    fork = torch.random.fork_rng([device] if device.type == "cuda" else [])
    patient = processes.count > 1
    with _journal(out, trainer, events, progress) as journal, fork, Interruption(patient=patient) as interruption:
        while trainer.steps_done < trainer.settings.steps:
            metrics = trainer.advance()
            with processes.together():
                if journal:
                    journal.note(metrics)
            if processes.agree(interruption.requested):
                with processes.together():
                    if journal:
                        journal.save()
                told = f"stopped after step {trainer.steps_done}; the same command goes on from there"
                raise KeyboardInterrupt(told)


@contextlib.contextmanager
def _journal(out: Path, trainer: Trainer, events: Events, progress: PhaseProgress) -> Iterator[Journal | None]:
    processes = trainer.processes
    with processes.together():
        journal = Journal(out, trainer, events, progress) if processes.is_main else None
    try:
        yield journal
    finally:
        if journal:
            journal.close()


def best(out: Path, trainer: Trainer, base: dict[str, Tensor]) -> tuple[int, dict[str, Tensor]]:
    """The step that is kept, and its weights."""
    floor = trainer.settings.recall_floor
    if floor is None:
        return trainer.steps_done, trainer.trained()
    kept = guarding.best(read_metrics(out / runs.WATCH), floor)
    if kept == 0:
        return 0, base
    if kept != trainer.steps_done:
        trainer.restore(checkpoints.at(out / runs.CHECKPOINTS, kept))
    return kept, trainer.trained()
