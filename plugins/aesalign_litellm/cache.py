"""An exact-match cache of answers on disk: the same question to the same model is asked once.

SQLite in WAL mode, so that many processes may read and write at once. It holds JSON text and hashes of the
questions: neither the questions themselves nor any key.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
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
    """Answers by key. A cache that cannot be used costs one warning and nothing else.

    Args:
        folder: Made if it is missing, for its owner only.
        warn: Told, once, why the cache is not used.
    """

    def __init__(self, folder: Path, *, warn: Callable[[str], None]) -> None:
        self.path = folder / FILE
        self._warn = warn
        self._ready = False
        self._usable = True

    def get(self, key: str) -> Any | None:
        """The JSON value kept under a key; None if there is none or it is damaged."""
        row = self._execute("SELECT value FROM answers WHERE key = ?", key)
        return _decoded(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Keeps a JSON value; the latest wins."""
        self._execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, json.dumps(value))

    def _execute(self, statement: str, *values: str) -> tuple[Any, ...] | None:
        """The first row of a statement's result; None if there is none, or no usable cache."""
        if not self._usable:
            return None
        try:
            if not self._ready:
                self._prepare()
            # A connection per use costs 0.1 ms and may be had from any thread and after any fork.
            with closing(self._connect()) as database:
                row: tuple[Any, ...] | None = database.execute(statement, values).fetchone()
                return row
        except (sqlite3.Error, OSError) as error:
            self._usable = False
            self._warn(f"answers are not cached: {self.path}: {error}")
            return None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)

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
