"""Which stage the work is in, for people who wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from aesalign_embedded.demo.material import StageProgress


class Report(Protocol):
    """What the work of one stage reports to."""

    def __call__(self, done: int, total: int, numbers: Mapping[str, float] | None = None) -> None:
        """So many of so many steps are done."""
        ...


class Stages:
    """Passes progress on under the name of the stage, and takes the time.

    Attributes:
        suffix: Told after a stage's name; its time is that of the stage.
        seconds: Wall time by stage, in order.
    """

    def __init__(self, progress: StageProgress | None) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._current = self.suffix = ""
        self.seconds: dict[str, float] = {}

    def enter(self, stage: str) -> Report:
        """Begins a stage, which ends the one before, and gives the call that its work reports to."""
        self.finish()
        self._current = stage
        told = stage + self.suffix

        def report(done: int, total: int, numbers: Mapping[str, float] | None = None) -> None:
            if self._progress:
                self._progress(told, done, total, numbers)

        return report

    def finish(self) -> dict[str, float]:
        """Ends the last stage."""
        now = time.perf_counter()
        if self._current:
            self.seconds[self._current] = self.seconds.get(self._current, 0.0) + now - self._started
        self._started, self._current = now, ""
        return self.seconds
