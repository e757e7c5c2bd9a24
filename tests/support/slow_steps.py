"""A plugin that listens and takes its time, so that a training can be stopped from outside."""

from __future__ import annotations

import time

from aesalign_core import hookimpl


@hookimpl
def aesalign_training_step(step: int) -> None:
    time.sleep(0.05)
