"""The fronts as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aesalign_core.evaluation.fronts import KEPT, Front
from aesalign_core.files import replacing

LOWEST = 0.88
"""Of the base's recall: what loses more is of no interest."""


def draw(found: dict[str, list[Front]], path: Path) -> None:
    """Recall kept against beauty gained, mean over seeds; up and to the right is better."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for name, fronts in found.items():
        curves = [front.curve() for front in fronts]
        kept = np.mean([recall / recall[0] for recall, _ in curves], 0)
        gained = np.mean([gain for _, gain in curves], 0)
        shown = kept >= LOWEST
        style = "--" if name.startswith(("re-rank", "query", "oracle")) else "-"
        axes.plot(gained[shown], kept[shown], style, marker=".", label=name)
    axes.axhline(KEPT, color="grey", linewidth=0.8)
    axes.set(xlabel="LAION score of the first 10, gain in σ", ylabel="R@10, share of the base's", ylim=(LOWEST, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
