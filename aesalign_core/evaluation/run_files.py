"""Ranked lists of any engine: JSON lines, as `aesalign search --queries` prints them, or TREC run files."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aesalign_core.errors import EvaluationError
from aesalign_core.files import read_text, write_text

MAX_BYTES = 2_000_000_000
Rankings = dict[str, list[str]]
"""By query, what it found, best first: paths or ids of photos."""
_HINT = 'write one {"query": …, "hits": ["a.jpg", …]} a line, or a TREC run: QUERY Q0 PHOTO RANK SCORE TAG'


def read_rankings(path: Path) -> Rankings:
    """Reads ranked lists.

    JSON lines have `query` and `hits`, best first, each of which is a path or an object with `path` (or `id`). A TREC
    run's lines have a query's number, `Q0`, a photo, its rank, its score and a tag; photos are ordered as trec_eval
    does: by score in single precision, ties by name, the last of the alphabet first. Ranks are not looked at.

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


def _json_lines(path: Path, lines: list[tuple[int, str]]) -> Rankings:
    found: Rankings = {}
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
        if len(set(hits)) < len(hits):
            twice = Counter(hits).most_common(1)[0][0]
            raise _wrong(path, number, f"{twice[:60]} comes twice for the query {query[:60]}")
        found[query] = hits
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)  # NaN and Infinity are no JSON, and a system that prints them has a fault


def _photo(hit: Any) -> str:
    name = hit if isinstance(hit, str) else hit.get("path") or hit["id"]
    if not isinstance(name, str) or not name:
        raise ValueError
    return name


def _trec(path: Path, lines: list[tuple[int, str]]) -> Rankings:
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
    return {query: list(_ordered(photos)) for query, photos in scored.items()}


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
