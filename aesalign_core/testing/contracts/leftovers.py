"""What a component leaves behind in its process."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

_PATIENCE = 1.0
"""Seconds for threads and children that were told to end."""


def held() -> dict[str, int]:
    """How many of what this process holds; 0 where the system does not say."""
    return {
        "file, socket or pipe open": _entries(Path("/proc/self/fd")),
        "thread running": threading.active_count(),
        "child process": _children(),
    }


def grown(before: dict[str, int], uses: int) -> dict[str, int]:
    """What there is more of by one per use, which were so many; what ends by itself in a moment is not."""
    end = time.monotonic() + _PATIENCE
    while True:
        gc.collect()
        found = {what: now - before[what] for what, now in held().items() if now >= before[what] + uses}
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def _entries(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _children() -> int:
    count = 0
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            count += len(task.read_text().split())
        except OSError:  # the thread has just ended
            continue
    return count
