"""What a RUN folder tells of its training: curves and settings, for a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.alignment.log import Metrics, read_metrics
from aesalign_core.alignment.runs import METRICS, WATCH
from aesalign_core.report.records import Curve

if TYPE_CHECKING:
    from aesalign_core.alignment.runs import Run
    from aesalign_core.recipe import Use

TRAINED = {
    "loss": "Loss",
    "preference_loss": "Preference loss",
    "pretraining_loss": "Pre-training loss",
    "accuracy": "Share of pairs moved the preferred way",
    "margin": "Implicit reward margin",
}
WATCHED = {"recall_kept": "Held-out recall, share of the base's"}
WATCHED_GAINS = {
    "reward": "Held-out gain in reward, σ",
    "other": "Held-out gain in the watched reward, σ",
}


def curves(run: Path, names: Sequence[str] = tuple(TRAINED), *, kept: int | None = None) -> tuple[Curve, ...]:
    """What a run logged, as curves: its training, then what it held out.

    Args:
        run: The folder.
        names: Which columns of `metrics.jsonl`.
        kept: The step whose weights are kept, to be marked on what was held out.
    """
    lines, looks = read_metrics(run / METRICS), read_metrics(run / WATCH)
    drawn = [_curve(lines, name, TRAINED[name]) for name in names]
    drawn += [_curve(looks, name, label, kept=kept) for name, label in WATCHED.items()]
    drawn += [_gain(looks, name, label, kept) for name, label in WATCHED_GAINS.items()]
    return tuple(curve for curve in drawn if len(curve.points) > 1 and any(v for _, v in curve.points))


def _curve(lines: Sequence[Metrics], name: str, label: str, kept: int | None = None) -> Curve:
    points = tuple((int(line["step"]), line[name]) for line in lines if "step" in line and name in line)
    return Curve(label, points, kept=kept)


def _gain(looks: Sequence[Metrics], name: str, label: str, kept: int | None) -> Curve:
    columns = [f"{name}_gain", f"{name}_low", f"{name}_high"]
    told = [look for look in looks if all(column in look for column in ("step", *columns))]
    values, low, high = (tuple(look[column] for look in told) for column in columns)
    points = tuple((int(look["step"]), value) for look, value in zip(told, values, strict=True))
    return Curve(label, points, low, high, kept)


def settings(run: Run) -> tuple[tuple[str, str], ...]:
    """How it was trained, label and value."""
    record, recipe = run.record, run.recipe
    align, pairs = recipe.align, recipe.pairs
    steps = f"{align.steps:,}"
    if record.kept is not None and record.kept != align.steps:
        steps += f", of which step {record.kept:,} is kept" if record.kept else "; none was better than the base"
    told = [
        ("Encoder", record.encoder),
        ("Tuned", " and ".join(record.tuned)),
        ("Objective", _use(recipe.objective)),
        ("Steps", steps),
        ("Grids a step", f"{align.batch_size:,}"),
        ("Learning rate", f"{align.learning_rate:g}, {align.schedule}"),
        ("Pre-training loss", f"weight {align.pretraining_weight:g} on {align.pretraining_batch:,} captions"),
        ("Grids", f"{pairs.rows} × {pairs.columns} of {pairs.candidates:,} candidates, {pairs.strategy}"),
        ("Seed", str(align.seed)),
        ("Made with", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]
    if align.recall_floor is not None:
        told.insert(4, ("Floor on recall", f"{align.recall_floor:.0%} of the base's, {align.held_out:.0%} held out"))
    return tuple(told)


def _use(use: Use) -> str:
    return ", ".join([use.use, *(f"{name} {value}" for name, value in use.settings.items())])
