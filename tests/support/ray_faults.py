"""A plugin for tests of the Ray engine: colours, and a reward that fails where it is told to.

Workers build what is installed, so `installed` makes packages of `colours` and of this module that Python finds on
its path.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import colours

from aesalign_core import Component, hookimpl
from aesalign_core.build import Builder
from aesalign_core.recipe import Recipe, Use
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Scores


class FaultyReward(colours.ContrastReward):
    """Contrast; the calls of given numbers, over all processes, fail."""

    name = "faulty"

    class Settings(Settings):
        """`calls` is a file that grows by one byte a call."""

        calls: str
        first: int
        last: int
        how: Literal["kill", "raise"] = "kill"

    def __init__(self, settings: Any = None, context: Any = None) -> None:
        super().__init__()
        self.settings = settings

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        calls = Path(self.settings.calls)
        with calls.open("ab") as file:
            file.write(b".")
        if self.settings.first <= calls.stat().st_size <= self.settings.last:
            if self.settings.how == "raise":
                raise TimeoutError("the reward's own trouble")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score_pixels(pixels)


@hookimpl
def aesalign_rewards() -> list[Component]:
    return [Component("faulty", "ray_faults:FaultyReward")]


def installed(folder: Path) -> Path:
    """Makes both modules packages that a path with this folder and that of the modules offers."""
    for name in ("colours", "ray_faults"):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[aesalign]\n{name} = {name}\n")
    return folder


def builder(*rewards: str | Use, **recipe: Any) -> Builder:
    """A builder of a recipe alone, as workers have it."""
    uses = tuple(Use(use=r) if isinstance(r, str) else r for r in rewards)
    return Builder(Recipe(**{"device": "cpu", "encoder": Use(use="colours"), "rewards": uses, **recipe}))
