"""`metrics.jsonl`: one line per logged step, cut back to the checkpoint that a run resumes from."""

from __future__ import annotations

import json
import os
from pathlib import Path

from aesalign_core.files import write_text

Metrics = dict[str, float]


def read_metrics(path: Path) -> list[Metrics]:
    """The lines of a log, up to the first that is not whole (a kill may leave one)."""
    lines: list[Metrics] = []
    if not path.exists():
        return lines
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            values = json.loads(line)
            lines.append({str(name): float(value) for name, value in values.items()})
        except (ValueError, TypeError, AttributeError):
            break
    return lines


class MetricsLog:
    """Appends to a log.

    Args:
        path: The file.
        after: Steps done: later lines are cut off, they will come again.

    Attributes:
        path: As given.
        seconds: Training time up to the line that it goes on from.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        self.path = path
        kept = [line for line in read_metrics(path) if line.get("step", after + 1) <= after]
        write_text(path, "".join(_line(values) for values in kept))
        self.seconds = kept[-1].get("seconds", 0.0) if kept else 0.0
        # Unbuffered: a line that a full disk refused must not come back when the file is closed.
        self._file = path.open("ab", buffering=0)

    def append(self, values: Metrics) -> None:
        """Adds a line."""
        left = memoryview(_line(values).encode())
        while left:
            left = left[self._file.write(left) :]

    def sync(self) -> None:
        """Waits until all lines are on the disk; called before a checkpoint, which must not be ahead of its log."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _line(values: Metrics) -> str:
    whole = {name: int(value) if name in ("step", "pairs", "depth") else value for name, value in values.items()}
    return json.dumps(whole, allow_nan=False) + "\n"
