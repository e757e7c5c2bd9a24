"""Training runs in TensorBoard: it listens to the training hooks and writes into the RUN's folder `tensorboard`.

Installing the package is all there is to do; `tensorboard --logdir RUN/tensorboard` shows the curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core import hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_writers: dict[str, SummaryWriter] = {}


def _writer(run: str, step: int) -> SummaryWriter:
    """The run's writer. Made at its first step, so that a resumed run's curves begin again from there."""
    if run not in _writers:
        # Heavy, and not needed before there is something to write.
        from torch.utils.tensorboard import SummaryWriter

        _writers[run] = SummaryWriter(str(Path(run) / "tensorboard"), purge_step=step)
    return _writers[run]


@hookimpl
def aesalign_training_step(run: str, step: int, metrics: Mapping[str, float]) -> None:
    """Writes the numbers of a step."""
    for name in metrics.keys() - {"step", "seconds"}:
        _writer(run, step).add_scalar(f"training/{name}", metrics[name], step)


@hookimpl
def aesalign_training_watched(run: str, step: int, metrics: Mapping[str, float]) -> None:
    """Writes what was measured on what is held out."""
    for name in metrics.keys() - {"step", "depth"}:
        _writer(run, step).add_scalar(f"held out/{name}", metrics[name], step)


@hookimpl
def aesalign_training_finished(run: str) -> None:
    """Closes the run's file."""
    if run in _writers:
        _writers.pop(run).close()
