"""Whether a launcher (torchrun, `accelerate launch`) started this process as one of several: its environment says.

One of them speaks for all: the first, or the first on a machine. Only `aesalign align` shares work between them.
"""

from __future__ import annotations

import os


def count() -> int:
    """Number of processes, over all machines; 1 without a launcher."""
    return _number("WORLD_SIZE", 1) if "RANK" in os.environ else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return _number("RANK", 0) if count() > 1 else 0


def local_rank() -> int:
    """Which of those on this machine this one is, from 0."""
    return _number("LOCAL_RANK", 0) if count() > 1 else 0


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
