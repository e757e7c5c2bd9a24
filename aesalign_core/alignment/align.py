"""From preference grids to an aligned encoder.

What happens, from top to bottom: everything is read and checked; the run's folder is begun or gone on with; features
are computed once; steps are taken, with a checkpoint now and then; the trained heads are written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from torch import Tensor

from aesalign_core.alignment import data as training_data
from aesalign_core.alignment import guard as guarding
from aesalign_core.alignment import loop, run_folder, runs
from aesalign_core.alignment import processes as processes_of_a_run
from aesalign_core.alignment.data import PhaseProgress, TrainingData
from aesalign_core.alignment.events import Events
from aesalign_core.alignment.inputs import Inputs, describe, read
from aesalign_core.alignment.log import Metrics, read_metrics
from aesalign_core.alignment.processes import Processes
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
    ends, on the CPU, with the very weights that it would have had. Under a launcher each process calls it, and all
    get the same result.

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
    processes = processes_of_a_run.join(builder.device)
    with processes.together():
        inputs = read(pairs_path, gallery_path, builder, captions, photos_root)
        settings, objective = builder.recipe.align, builder.objective()
        own = describe(inputs, builder)
    theirs = processes.of_main(own)
    with contextlib.ExitStack() as held:
        with processes.together():
            run_folder.check_same(theirs, own)
        record = processes.by_main(lambda: _begin(out, inputs, own, resume, held))
        if processes.by_main(lambda: record.finished and _intact(out, record, builder)):
            return processes.by_main(lambda: _result(out, inputs, record, settings, already_finished=True))
        if settings.pretraining_weight and not inputs.captions:
            builder.warn(f"the pre-training loss is {inputs.pretraining}; retrieval accuracy may fall unnoticed")
        told = progress if progress and processes.is_main else _silent
        data = _prepare(inputs, settings, features or out / runs.FEATURES, told, processes)
        with processes.together():
            trainer = Trainer(data, objective, settings, processes)
        base = trainer.trained()
        resumed_from = loop.resume(out, trainer)
        events = Events(builder.registry, builder.warn, str(out))
        processes.by_main(lambda: events.started(settings.model_dump(mode="json")))
        loop.train(out, trainer, events, told)
        record = processes.by_main(lambda: _finish(out, trainer, base, record, events))
    result = processes.by_main(lambda: _result(out, inputs, record, settings, resumed_from=resumed_from))
    _warn(result, settings, builder)
    return result


def _begin(out: Path, inputs: Inputs, record: RunRecord, resume: bool, held: contextlib.ExitStack) -> RunRecord:
    """Locks the folder for as long as `held` lasts, and begins the run or goes on with it."""
    held.enter_context(run_folder.locked(out))
    for leftover in (out / runs.FEATURES).glob(".*.npy"):  # of a run that was killed; this one holds the lock
        leftover.unlink()
    return run_folder.begin(out, record, inputs.recipe, resume=resume)


def _finish(out: Path, trainer: Trainer, base: dict[str, Tensor], record: RunRecord, events: Events) -> RunRecord:
    """Writes the weights that are kept, and the plot."""
    kept, weights = loop.best(out, trainer, base)
    done = run_folder.finish(out, record, weights, kept)
    loss_plot.draw(out / runs.METRICS, out / runs.PLOT)
    events.finished(trainer.steps_done)
    return done


def _prepare(
    inputs: Inputs, settings: AlignSettings, folder: Path, progress: PhaseProgress, processes: Processes
) -> TrainingData:
    """The main process computes what the others then read."""
    found: TrainingData | None = None
    for turn in (True, False):
        with processes.together():
            if processes.is_main is turn:
                found = training_data.prepare(inputs, settings, folder, progress)
    assert found is not None  # noqa: S101 - a process is the main one or is not
    return found


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
