"""Relevance files: which photos answer which query, and how well. TREC qrels, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aesalign_core.errors import EvaluationError
from aesalign_core.files import read_text, write_text

MAX_BYTES = 2_000_000_000
MAX_GRADE = 1_000
Qrels = dict[str, dict[str, int]]
"""By query and photo, the grade: 0 and below is looked at and not relevant; what is missing was not looked at."""
_HINT = 'write QUERY 0 PHOTO GRADE a line, or {"query": …, "relevant": {"a.jpg": 2, …}}'


def read_qrels(path: Path) -> Qrels:
    """Reads a relevance file.

    TREC qrels have a query's number, a column that nobody reads, a photo and its grade, a whole number. JSON lines
    have `query` and `relevant`: grades by photo, or a list of photos, which is grade 1 for each.

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
        raise EvaluationError(f"{path} holds no relevance", hint=_HINT)
    is_json = lines[0][1].lstrip().startswith("{")
    found: Qrels = {}
    for number, line in lines:
        try:
            _add(found, *(_json_line if is_json else _trec_line)(line), whole=is_json)
        except ValueError as error:
            raise EvaluationError(f"cannot use {path}: line {number}: {error}", hint=_HINT) from None
    return found


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Writes TREC qrels.

    Raises:
        EvaluationError: A query or photo holds white space, which the format cannot hold.
    """

    def line(query: str, photo: str, grade: int) -> str:
        if any(len(part.split()) != 1 for part in (query, photo)):
            raise EvaluationError(
                f"TREC qrels cannot hold {query[:40]!r}, {photo[:40]!r}", hint="use ids without white space"
            )
        return f"{query} 0 {photo} {grade}\n"

    write_text(path, "".join(line(q, photo, g) for q, photos in qrels.items() for photo, g in photos.items()))


def _add(found: Qrels, query: str, graded: Iterable[tuple[str, int]], *, whole: bool) -> None:
    if whole and query in found:
        raise ValueError(f"the query {query[:60]!r} comes twice")
    photos = found.setdefault(query, {})
    for photo, grade in graded:
        if photo in photos:
            raise ValueError(f"{photo[:60]} comes twice for the query {query[:60]}")
        photos[photo] = grade


def _trec_line(line: str) -> tuple[str, list[tuple[str, int]]]:
    parts = line.split()
    if len(parts) != 4:
        raise ValueError(f"{len(parts)} columns, not 4")
    try:
        grade = int(parts[3])
    except ValueError:
        raise ValueError(f"the grade {parts[3][:20]!r} is no whole number") from None
    return parts[0], [(parts[2], _checked(grade))]


def _json_line(line: str) -> tuple[str, list[tuple[str, int]]]:
    try:
        value = json.loads(line)
        query, relevant = value["query"], value["relevant"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError("no query with relevant photos") from None
    if not isinstance(query, str) or not query.strip() or not isinstance(relevant, dict | list):
        raise ValueError("no query with relevant photos")
    pairs = list(relevant.items()) if isinstance(relevant, dict) else [(photo, 1) for photo in relevant]
    if not all(isinstance(photo, str) and photo for photo, _ in pairs):
        raise ValueError("a photo is no text")
    return query, [(photo, _checked(grade)) for photo, grade in pairs]


def _checked(grade: Any) -> int:
    if not isinstance(grade, int) or isinstance(grade, bool) or abs(grade) > MAX_GRADE:
        raise ValueError(f"the grade {str(grade)[:20]!r} is no whole number up to {MAX_GRADE:,}")
    return grade
