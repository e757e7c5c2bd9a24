"""Ranked lists of any engine: JSON lines, as `aesalign search --queries` prints them, or TREC run files."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aesalign_core.errors import EvaluationError
from aesalign_core.files import read_text, write_text

MAX_BYTES = 2_000_000_000
Rankings = dict[str, list[str]]
"""By query, what it found, best first: paths or ids of photos."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo of a ranked list.

    Attributes:
        path: Its path, or its id where the list has none.
        score: What the engine ordered by, if it says.
        similarity: Cosine with the query, if it says.
        rewards: By name, those it says.
    """

    path: str
    score: float | None = None
    similarity: float | None = None
    rewards: Mapping[str, float] = field(default_factory=dict)


Lists = dict[str, list[Listed]]
"""By query, what it found, best first."""
_HINT = 'write one {"query": …, "hits": ["a.jpg", …]} a line, or a TREC run: QUERY Q0 PHOTO RANK SCORE TAG'


def read_rankings(path: Path) -> Rankings:
    """Reads ranked lists, the names of photos only; see `read_lists`."""
    return {query: [photo.path for photo in photos] for query, photos in read_lists(path).items()}


def read_lists(path: Path) -> Lists:
    """Reads ranked lists.

    JSON lines have `query` and `hits`, best first, each of which is a path or an object with `path` (or `id`), and
    perhaps `score`, `similarity` and `rewards`; of these, what is no number is as if it was not there. A TREC run's
    lines have a query's number, `Q0`, a photo, its rank, its score and a tag; photos are ordered as trec_eval does:
    by score in single precision, ties by name, the last of the alphabet first. Ranks are not looked at.

    Raises:
        EvaluationError: It cannot be read; the error names the line.
    """
    try:
        text = read_text(path, limit=MAX_BYTES)
    except ValueError as error:
        raise EvaluationError(f"cannot read {path}: {error}", hint=_HINT) from None
    # Not `splitlines`: JSON text may hold U+2028 and its like, which are no ends of lines.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise EvaluationError(f"{path} holds no ranking", hint=_HINT)
    return _json_lines(path, lines) if lines[0][1].lstrip().startswith("{") else _trec(path, lines)


def write_trec(path: Path, rankings: Mapping[str, list[str]], *, tag: str) -> None:
    """Writes ranked lists as a TREC run; scores fall from the list's length to 1.

    Raises:
        EvaluationError: A query, photo or tag holds white space, which the format cannot hold.
    """

    def line(query: str, rank: int, photo: str, score: int) -> str:
        if any(len(part.split()) != 1 for part in (query, photo, tag)):
            raise EvaluationError(
                f"a TREC run cannot hold {query[:40]!r}, {photo[:40]!r}", hint="use ids without white space"
            )
        return f"{query} Q0 {photo} {rank} {score} {tag}\n"

    rows = (
        line(query, rank, photo, len(photos) - rank + 1)
        for query, photos in rankings.items()
        for rank, photo in enumerate(photos, 1)
    )
    write_text(path, "".join(rows))


def _json_lines(path: Path, lines: list[tuple[int, str]]) -> Lists:
    found: Lists = {}
    for number, line in lines:
        try:
            value = json.loads(line, parse_constant=_no_number)
            query, hits = value["query"], [_photo(hit) for hit in value["hits"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise _wrong(path, number, "no query with hits") from None
        if not isinstance(query, str) or not query.strip():
            raise _wrong(path, number, "no query with hits")
        if query in found:
            raise _wrong(path, number, f"the query {query[:60]!r} comes twice")
        twice, count = Counter(hit.path for hit in hits).most_common(1)[0] if hits else ("", 0)
        if count > 1:
            raise _wrong(path, number, f"{twice[:60]} comes twice for the query {query[:60]}")
        found[query] = hits
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)  # NaN and Infinity are no JSON, and a system that prints them has a fault


def _photo(hit: Any) -> Listed:
    told = {"path": hit} if isinstance(hit, str) else hit
    name, rewards = told.get("path") or told["id"], told.get("rewards")
    if not isinstance(name, str) or not name:
        raise ValueError
    numbers = {key: _said(value) for key, value in rewards.items()} if isinstance(rewards, dict) else {}
    known = {key: value for key, value in numbers.items() if value is not None}
    return Listed(name, _said(told.get("score")), _said(told.get("similarity")), known)


def _said(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _trec(path: Path, lines: list[tuple[int, str]]) -> Lists:
    scored: dict[str, dict[str, float]] = {}
    for number, line in lines:
        parts = line.split()
        if len(parts) != 6:
            raise _wrong(path, number, f"{len(parts)} columns, not 6")
        query, photo, score = parts[0], parts[2], _number(parts[4])
        if score is None:
            raise _wrong(path, number, f"the score {parts[4][:20]!r} is no number")
        if photo in scored.setdefault(query, {}):
            raise _wrong(path, number, f"{photo[:60]} comes twice for the query {query[:60]}")
        scored[query][photo] = score
    return {query: [Listed(name, photos[name]) for name in _ordered(photos)] for query, photos in scored.items()}


def _ordered(photos: Mapping[str, float]) -> Iterator[str]:
    yield from sorted(sorted(photos, reverse=True), key=lambda name: -photos[name])


def _number(text: str) -> float | None:
    """A score in single precision, which is what trec_eval keeps: what differs in the ninth digit is a tie."""
    try:
        (value,) = struct.unpack("f", struct.pack("f", float(text)))
    except (ValueError, OverflowError):
        return None
    return float(value) if math.isfinite(value) else None


def _wrong(path: Path, line: int, reason: str) -> EvaluationError:
    return EvaluationError(f"cannot use {path}: line {line}: {reason}", hint=_HINT)
