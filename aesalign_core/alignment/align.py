"""From preference grids to an aligned encoder.

What happens, from top to bottom: everything is read and checked; the run's folder is begun or gone on with; features
are computed once; steps are taken, with a checkpoint now and then; the trained heads are written.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import torch
from torch import Tensor

from aesalign_core.alignment import checkpoints, run_folder, runs
from aesalign_core.alignment import data as training_data
from aesalign_core.alignment import guard as guarding
from aesalign_core.alignment.data import PhaseProgress
from aesalign_core.alignment.events import Events, Interruption
from aesalign_core.alignment.guard import Guard
from aesalign_core.alignment.inputs import Inputs, describe, read
from aesalign_core.alignment.log import Metrics, MetricsLog, read_metrics
from aesalign_core.alignment.runs import RunRecord
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.alignment.trainer import Trainer
from aesalign_core.build import Builder
from aesalign_core.fingerprints import of_file
from aesalign_core.report import loss_plot
from aesalign_core.types import Tower


@dataclass(frozen=True)
class AlignResult:
    """What `align` did.

    Attributes:
        run: The RUN folder; it can be used as an encoder.
        encoder: The encoder that was aligned.
        tuned: The towers that were trained. With `("text",)` the old gallery is searched unchanged.
        queries: Grids trained on.
        captions: Caption pairs in use for the pre-training loss.
        pretraining: `on`, or why it is off.
        missing: Captioned files that are not in the gallery.
        steps: Steps taken in all.
        kept: The step that the weights are of: the last, or the best of a guarded run; 0: the base's own weights.
        held_out: What was measured at that step on what was held out, see `guard.Watch`; empty if nothing was, or if
            the base was kept.
        gamed: The steps at which the trained reward rose while the watched one fell.
        resumed_from: The step of the checkpoint that it went on from, if any.
        already_finished: Whether there was nothing left to do.
        seconds: Of training, over all parts of the run.
        first: The first line of `metrics.jsonl`.
        last: The last one.
    """

    run: Path
    encoder: str
    tuned: tuple[Tower, ...]
    queries: int
    captions: int
    pretraining: str
    missing: int
    steps: int
    kept: int
    held_out: Metrics = field(default_factory=dict)
    gamed: tuple[int, ...] = ()
    resumed_from: int | None = None
    already_finished: bool = False
    seconds: float = 0.0
    first: Metrics = field(default_factory=dict)
    last: Metrics = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "run": str(self.run),
            "tuned": list(self.tuned),
            "gamed": list(self.gamed),
        }


def align(
    pairs_path: Path,
    gallery_path: PurePath,
    out: Path,
    builder: Builder,
    *,
    captions: Path | None = None,
    photos_root: Path | None = None,
    features: Path | None = None,
    progress: PhaseProgress | None = None,
    resume: bool = True,
) -> AlignResult:
    """Trains an encoder's heads on preference grids.

    A run that was stopped, killed, or ran out of disk goes on when it is called again with the same arguments, and
    ends, on the CPU, with the very weights that it would have had.

    Args:
        pairs_path: Grids, from `make_pairs`.
        gallery_path: The gallery they were made from.
        out: The RUN folder.
        builder: Of the encoder, the objective and the settings. A recipe that names no encoder means the gallery's.
        captions: A CSV file of file,caption for the pre-training loss.
        photos_root: The folder that its files are relative to; without it they are matched by name.
        features: A folder for what the frozen parts of the towers make of texts and photos, which runs on the same
            gallery can share; None: the RUN's own.
        progress: Called with phase (`texts`, `photos`, `training`), done, total, and while training the metrics.
        resume: False refuses a folder that holds a run.

    Raises:
        AlignmentError: The run cannot start, resume or go on.
        PreferenceError: The grids cannot be used.
        SpaceMismatchError: Grids, gallery and encoder do not belong together.
        KeyboardInterrupt: Ctrl-C, after the step it came in was finished and a checkpoint written.
    """
    inputs = read(pairs_path, gallery_path, builder, captions, photos_root)
    settings, objective = builder.recipe.align, builder.objective()
    with run_folder.locked(out):
        record = run_folder.begin(out, describe(inputs, builder), inputs.recipe, resume=resume)
        if record.finished and _intact(out, record, builder):
            return _result(out, inputs, record, settings, already_finished=True)
        if settings.pretraining_weight and not inputs.captions:
            builder.warn(f"the pre-training loss is {inputs.pretraining}; retrieval accuracy may fall unnoticed")
        for leftover in (out / runs.FEATURES).glob(".*.npy"):  # of a run that was killed; this one holds the lock
            leftover.unlink()
        data = training_data.prepare(inputs, settings, features or out / runs.FEATURES, progress or _silent)
        trainer = Trainer(data, objective, settings)
        base = trainer.trained()
        resumed_from = _resume(out, trainer)
        events = Events(builder.registry, builder.warn, str(out))
        events.started(settings.model_dump(mode="json"))
        _train(out, trainer, events, progress or _silent)
        kept, weights = _best(out, trainer, base)
        record = run_folder.finish(out, record, weights, kept)
        loss_plot.draw(out / runs.METRICS, out / runs.PLOT)
        events.finished(trainer.steps_done)
    result = _result(out, inputs, record, settings, resumed_from=resumed_from)
    _warn(result, settings, builder)
    return result


def _intact(out: Path, record: RunRecord, builder: Builder) -> bool:
    """Whether a finished run's weights are those that it wrote; else they are made again from its checkpoint."""
    path = out / runs.WEIGHTS
    if path.is_file() and of_file(path) == record.weights:
        return True
    builder.warn(f"{path} is missing or damaged, and is made again")
    return False


def _warn(result: AlignResult, settings: AlignSettings, builder: Builder) -> None:
    """Says what the guard saw and a user must know."""
    if result.gamed:
        builder.warn(
            f"from step {result.gamed[0]} on the trained reward was gamed: it rose on held-out queries while"
            f" {settings.watch_reward!r} fell; nothing from there on is kept, step {result.kept} is"
        )
    if result.kept == 0:
        builder.warn(
            f"no step gained reward on held-out queries and kept {settings.recall_floor:.0%} of their recall: the run"
            " holds the weights it began with; train more gently, or lower align.recall_floor"
        )


def _resume(out: Path, trainer: Trainer) -> int | None:
    checkpoint = checkpoints.newest(out / runs.CHECKPOINTS)
    if checkpoint is None:
        return None
    trainer.restore(checkpoint)
    return checkpoint.step


def _train(out: Path, trainer: Trainer, events: Events, progress: PhaseProgress) -> None:
    """Takes the steps that are left."""
    settings, data = trainer.settings, trainer.data
    device = data.reference.device
    log, guard = MetricsLog(out / runs.METRICS, after=trainer.steps_done), Guard.begun(out / runs.WATCH, trainer)
    started = time.monotonic() - log.seconds
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []), Interruption() as interruption:
            while trainer.steps_done < settings.steps:
                metrics = trainer.advance() | {"seconds": round(time.monotonic() - started, 3)}
                step, last = trainer.steps_done, trainer.steps_done == settings.steps
                if step % settings.log_every == 0 or step == 1 or last:
                    with checkpoints.storage_errors(out / runs.METRICS):
                        log.append(metrics)
                    events.step(step, metrics)
                progress("training", step, settings.steps, metrics)
                if guard is not None and (look := guard.look(step)):
                    events.watched(step, look)
                better = guard is not None and guard.best == step
                if step % settings.checkpoint_every == 0 or last or better or interruption.requested:
                    _save(out, trainer, log, guard)
                if interruption.requested:
                    raise KeyboardInterrupt(f"stopped after step {step}; the same command goes on from there")
    finally:
        log.close()
        if guard is not None:
            guard.close()


def _save(out: Path, trainer: Trainer, log: MetricsLog, guard: Guard | None) -> None:
    with checkpoints.storage_errors(out / runs.METRICS):
        log.sync()
    keep, best = trainer.settings.keep_checkpoints, guard.best if guard else None
    checkpoints.save(out / runs.CHECKPOINTS, trainer.state(), keep=keep, best=best)


def _best(out: Path, trainer: Trainer, base: dict[str, Tensor]) -> tuple[int, dict[str, Tensor]]:
    """The step that is kept, and its weights."""
    floor = trainer.settings.recall_floor
    if floor is None:
        return trainer.steps_done, trainer.trained()
    best = guarding.best(read_metrics(out / runs.WATCH), floor)
    if best == 0:
        return 0, base
    if best != trainer.steps_done:
        trainer.restore(checkpoints.at(out / runs.CHECKPOINTS, best))
    return best, trainer.trained()


def _silent(phase: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
    """Reports nothing."""


def _result(out: Path, inputs: Inputs, record: RunRecord, settings: AlignSettings, **more: Any) -> AlignResult:
    lines, looks = read_metrics(out / runs.METRICS) or [{}], read_metrics(out / runs.WATCH)
    kept = settings.steps if record.kept is None else record.kept
    return AlignResult(
        run=out,
        encoder=record.encoder,
        tuned=record.tuned,
        queries=len(inputs.pairs.grids),
        captions=len(inputs.captions.texts) if inputs.captions else 0,
        pretraining=inputs.pretraining,
        missing=len(inputs.captions.missing) if inputs.captions else 0,
        steps=settings.steps,
        kept=kept,
        held_out=next((look for look in looks if look["step"] == kept), {}),
        gamed=tuple(int(look["step"]) for look in looks if guarding.gamed(look)),
        seconds=lines[-1].get("seconds", 0.0),
        first=lines[0],
        last=lines[-1],
        **more,
    )
