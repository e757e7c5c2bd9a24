"""When the page may close by itself."""

from __future__ import annotations

import threading
import time

from aesalign_human.work import Work

LINGER = 10.0
"""Seconds that a complete page stays after the last person saw its end."""
REVIEW = 300.0
"""Seconds that it stays after somebody opened a comparison again, to change an answer."""


class Closing:
    """Watches who is where. The page closes when all votes are in and nobody is looking, or when somebody says so."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._finished = threading.Event()
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def seen(self, annotator: str, *, at_end: bool) -> None:
        """Somebody has opened a page."""
        is_review = not at_end and self._work.is_complete()
        with self._lock:
            self._until[annotator.casefold()] = time.monotonic() + (REVIEW if is_review else LINGER)

    def finish(self) -> None:
        """Somebody says that it is over."""
        self._finished.set()

    def wait(self, seconds: float) -> bool:
        """Waits, but no longer than until somebody says so; whether it is over."""
        if self._finished.wait(seconds):
            return True
        with self._lock:
            until = max(self._until.values(), default=0.0)
        return self._work.is_complete() and time.monotonic() > until
