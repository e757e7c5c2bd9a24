"""What is compared, known by its content: a query and the very photos of two rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from aesalign_core.errors import EvaluationError, ImageError
from aesalign_core.evaluation.hpir import Item
from aesalign_core.images.decoding import read_bytes
from aesalign_core.images.loading import default_workers
from aesalign_core.types import Row


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rows of one query.

    Attributes:
        id: Over the query and the bytes of all photos in order, in hex: votes belong to it, wherever photos lie.
        item: The query and the rows, old first, as an HPIR file names them; without labels.
        first: sha256 of each photo of the old row, in hex.
        second: Of each of the new.
    """

    id: str
    item: Item
    first: tuple[str, ...]
    second: tuple[str, ...]

    @property
    def photos(self) -> tuple[str, ...]:
        """The sha256 of every photo."""
        return (*self.first, *self.second)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What can be shown to people, and what cannot.

    Attributes:
        each: For each query its comparison, or why there is none.
        paths: Where each photo was read, by its sha256.
    """

    each: tuple[Comparison | str, ...]
    paths: dict[str, Path]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those that can be shown, each once."""
        return tuple({one.id: one for one in self.each if isinstance(one, Comparison)}.values())


def gather(queries: Sequence[str], old: Sequence[Row], new: Sequence[Row], *, most: int) -> Gathered:
    """Reads every photo once, so that votes are tied to what was seen.

    Args:
        queries: q of them.
        old: (q) rows, best photo first.
        new: (q) rows.
        most: Photos of a row that count; the rest is cut off.

    Raises:
        EvaluationError: Not as many rows as queries.
    """
    if not len(queries) == len(old) == len(new):
        raise EvaluationError(f"{len(queries)} queries, but {len(old)} old and {len(new)} new rows")
    rows = [(tuple(before[:most]), tuple(after[:most])) for before, after in zip(old, new, strict=True)]
    names = _digests(path for pair in rows for row in pair for path in row)
    each = tuple(_comparison(query, *pair, names) for query, pair in zip(queries, rows, strict=True))
    return Gathered(each, {name: Path(path) for path, (name, reason) in names.items() if not reason})


def _digests(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By path, a file's sha256 and an empty reason, or nothing and why it cannot be read."""
    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(default_workers()) as pool:
        return dict(zip(unique, pool.map(_digest, unique), strict=True))


def _digest(path: str) -> tuple[str, str]:
    try:
        return hashlib.sha256(read_bytes(Path(path))).hexdigest(), ""
    except ImageError as error:
        return "", error.args[0]


def _comparison(query: str, old: Row, new: Row, names: dict[str, tuple[str, str]]) -> Comparison | str:
    if not old or not new:
        return f"empty row: the {'new' if old else 'old'} one"
    for path in (*old, *new):
        if reason := names[path][1]:
            return f"unreadable photo: {path}: {reason}"
    try:
        item = Item(query=query, first=tuple(old), second=tuple(new))
    except ValidationError as error:
        return f"no HPIR item: {error.errors(include_url=False, include_input=False)[0]['msg']}"
    first, second = (tuple(names[path][0] for path in row) for row in (old, new))
    document = json.dumps([1, query, first, second])
    return Comparison(hashlib.sha256(document.encode()).hexdigest(), item, first, second)
