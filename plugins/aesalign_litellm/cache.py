"""An exact-match cache of answers on disk: the same question to the same model is asked once.

SQLite in WAL mode, so that many processes may read and write at once. It holds JSON text and hashes of the
questions: neither the questions themselves nor any key.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock

FILE = "answers.sqlite3"
WAIT = 30.0
"""Seconds to wait for another process that writes."""


def key_of(model: str, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> str:
    """sha256, in hex, over everything that an answer depends on."""
    document = json.dumps([1, model, list(messages), dict(parameters)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(document.encode()).hexdigest()


class AnswerCache:
    """Answers by key. A cache that cannot be used costs one warning and nothing else. Any thread may use it.

    Args:
        folder: Made if it is missing, for its owner only.
        warn: Told, once, why the cache is not used.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], None]) -> None:
        self.path = folder / FILE
        self._warn = warn
        self._ready = False
        self._usable = True
        self._lock = Lock()
        self._kept: sqlite3.Connection | None = None
        self._waiting: deque[tuple[str, str]] = deque()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keeps one connection for all uses until it is left; else each use has its own, and its own syncs."""
        self._use(self._write)  # which makes the file, if need be
        with self._lock:
            self._kept = self._connect() if self._usable else None
        try:
            yield
        finally:
            with self._lock:
                kept, self._kept = self._kept, None
                if kept is not None:
                    kept.close()

    def get(self, key: str) -> Any | None:
        """The JSON value kept under a key; None if there is none or it is damaged."""
        row = self._use(lambda base: base.execute("SELECT value FROM answers WHERE key = ?", (key,)).fetchone())
        return _decoded(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Keeps a JSON value; the latest wins. It is on the disk, whatever happens then, when this returns."""
        self._waiting.append((key, json.dumps(value)))
        # Whoever has the lock writes for all who wait for it, so that a sync of the disk is shared.
        self._use(self._write)

    def _write(self, database: sqlite3.Connection) -> None:
        rows = [
            self._waiting.popleft() for _ in range(len(self._waiting))
        ]  # only this thread, which holds the lock, takes
        if rows:
            with database:
                database.execute("BEGIN")
                database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)

    def _use(self, work: Callable[[sqlite3.Connection], Any]) -> Any | None:
        """What work with the database gives; None if there is no usable cache."""
        with self._lock:
            if not self._usable:
                return None
            try:
                if not self._ready:
                    self._prepare()
                if self._kept is not None:
                    return work(self._kept)
                with closing(self._connect()) as database:
                    return work(database)
            except (sqlite3.Error, OSError) as error:
                self._usable = False
                self._warn(f"answers are not cached: {self.path}: {error}")
                return None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Two processes that switch a new file to WAL at once would not wait for each other by themselves.
        with FileLock(f"{self.path}.lock", timeout=WAIT), closing(self._connect()) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._ready = True


def _decoded(text: str) -> Any | None:
    try:
        return json.loads(text)
    except (ValueError, RecursionError, TypeError):
        return None
