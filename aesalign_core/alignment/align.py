"""From preference grids to an aligned encoder.

What happens, from top to bottom: everything is read and checked; the run's folder is begun or gone on with; features
are computed once; steps are taken, with a checkpoint now and then; the trained heads are written.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from aesalign_core.alignment import checkpoints, run_folder, runs
from aesalign_core.alignment import data as training_data
from aesalign_core.alignment.data import PhaseProgress
from aesalign_core.alignment.events import Events, Interruption
from aesalign_core.alignment.inputs import Inputs, describe, read
from aesalign_core.alignment.log import Metrics, MetricsLog, read_metrics
from aesalign_core.alignment.runs import RunRecord
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.alignment.trainer import Trainer
from aesalign_core.build import Builder
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
        }


def align(
    pairs_path: Path,
    gallery_path: Path,
    out: Path,
    builder: Builder,
    *,
    captions: Path | None = None,
    photos_root: Path | None = None,
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
        if record.finished:
            return _result(out, inputs, record, settings, already_finished=True)
        if settings.pretraining_weight and not inputs.captions:
            builder.warn(f"the pre-training loss is {inputs.pretraining}; retrieval accuracy may fall unnoticed")
        data = training_data.prepare(
            inputs.pairs,
            inputs.gallery,
            inputs.encoder,
            inputs.captions,
            settings,
            out / runs.FEATURES,
            progress or _silent,
        )
        trainer = Trainer(data, objective, settings)
        resumed_from = _resume(out, trainer)
        events = Events(builder.registry, builder.warn, str(out))
        events.started(settings.model_dump(mode="json"))
        _train(out, trainer, events, progress or _silent)
        record = run_folder.finish(out, record, trainer.trained())
        loss_plot.draw(out / runs.METRICS, out / runs.PLOT)
        events.finished(trainer.steps_done)
    return _result(out, inputs, record, settings, resumed_from=resumed_from)


def _resume(out: Path, trainer: Trainer) -> int | None:
    checkpoint = checkpoints.newest(out / runs.CHECKPOINTS)
    if checkpoint is None:
        return None
    trainer.restore(checkpoint)
    return checkpoint.step


def _train(out: Path, trainer: Trainer, events: Events, progress: PhaseProgress) -> None:
    """Takes the steps that are left."""
    settings = trainer.settings
    device = trainer.data.reference.device
    log = MetricsLog(out / runs.METRICS, after=trainer.steps_done)
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
                if step % settings.checkpoint_every == 0 or last or interruption.requested:
                    _save(out, trainer, log)
                if interruption.requested:
                    raise KeyboardInterrupt(f"stopped after step {step}; the same command goes on from there")
    finally:
        log.close()


def _save(out: Path, trainer: Trainer, log: MetricsLog) -> None:
    with checkpoints.storage_errors(out / runs.METRICS):
        log.sync()
    checkpoints.save(out / runs.CHECKPOINTS, trainer.state(), keep=trainer.settings.keep_checkpoints)


def _silent(phase: str, done: int, total: int, metrics: Mapping[str, float]) -> None:
    """Reports nothing."""


def _result(out: Path, inputs: Inputs, record: RunRecord, settings: AlignSettings, **more: Any) -> AlignResult:
    lines = read_metrics(out / runs.METRICS) or [{}]
    return AlignResult(
        run=out,
        encoder=record.encoder,
        tuned=record.tuned,
        queries=len(inputs.pairs.grids),
        captions=len(inputs.captions.texts) if inputs.captions else 0,
        pretraining=inputs.pretraining,
        missing=len(inputs.captions.missing) if inputs.captions else 0,
        steps=settings.steps,
        seconds=lines[-1].get("seconds", 0.0),
        first=lines[0],
        last=lines[-1],
        **more,
    )
