"""A picture of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.alignment.log import Metrics, read_metrics
from aesalign_core.errors import AesalignError
from aesalign_core.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(metrics: Path, out: Path) -> None:
    """Draws losses, and accuracy and margin of the implicit reward, over the steps of a `metrics.jsonl`, as PNG.

    Raises:
        AesalignError: There is nothing to draw, or the picture cannot be written.
    """
    # The object interface: no window, no global state, safe in any thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = read_metrics(metrics)
    if not lines:
        raise AesalignError(f"{metrics} holds no step to draw")
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_losses(left, lines)
    _draw_preference(right, lines)
    with replacing(out) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _draw_losses(axes: Axes, lines: list[Metrics]) -> None:
    _curve(axes, lines, "preference_loss", "preference", "tab:blue")
    if any(line["pretraining_loss"] for line in lines):
        _curve(axes, lines, "pretraining_loss", "pre-training", "tab:orange")
    axes.set(title="loss", xlabel="step")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)


def _draw_preference(axes: Axes, lines: list[Metrics]) -> None:
    _curve(axes, lines, "accuracy", "accuracy", "tab:green")
    axes.set(title="implicit reward", xlabel="step", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    other = axes.twinx()
    _curve(other, lines, "margin", "margin (right)", "tab:red")
    handles = [h for a in (axes, other) for h in a.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, frameon=False, loc="lower right")


def _curve(axes: Axes, lines: list[Metrics], name: str, label: str, colour: str) -> None:
    marker = "o" if len(lines) == 1 else ""
    axes.plot([x["step"] for x in lines], [x[name] for x in lines], label=label, color=colour, marker=marker)
