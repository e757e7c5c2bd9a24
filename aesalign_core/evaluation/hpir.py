"""HPIR, Human Preference of Image Retrieval: per query two rows of photos, and what people say of them.

A file has one JSON object a line:

    {"query": "a dog", "first": ["a.jpg", …], "second": ["b.jpg", …],
     "labels": [{"annotator": "ann", "aspect": "aesthetic", "choice": "second", "confidence": 0.8}, …]}

`docs/hpir.md` says what of this is the paper's and what had to be defined here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from aesalign_core.errors import EvaluationError
from aesalign_core.files import read_text, write_text
from aesalign_core.settings import Settings

MAX_BYTES = 2_000_000_000
Choice = Literal["first", "second", "similar"]
_HINT = "docs/hpir.md describes the format"


class Label(Settings):
    """What one person says of one aspect of two rows.

    Attributes:
        annotator: Who.
        aspect: `accuracy`, `aesthetic` or another name.
        choice: The better row, or `similar`.
        confidence: How sure they are, from 0 (a guess, which does not count) to 1.
    """

    annotator: str = Field(min_length=1, max_length=200)
    aspect: str = Field(min_length=1, max_length=100)
    choice: Choice
    confidence: float = Field(1.0, ge=0, le=1)


class Item(Settings):
    """One query, its two rows, and its labels.

    Attributes:
        query: What was searched.
        first: Photos of the one row, best first: paths, relative to the photos' folder if there is one.
        second: Photos of the other.
        labels: At most one per annotator and aspect.
    """

    query: str = Field(min_length=1, max_length=10_000)
    first: tuple[str, ...] = Field(min_length=1, max_length=100)
    second: tuple[str, ...] = Field(min_length=1, max_length=100)
    labels: tuple[Label, ...] = ()

    def of(self, aspect: str) -> list[Label]:
        """Its labels of an aspect."""
        return [label for label in self.labels if label.aspect == aspect]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What people say together of one aspect of one item.

    Attributes:
        net: Mean of −1 (first), 0 and +1 (second), weighted by confidence.
        labels: How many it rests on.
    """

    net: float
    labels: int

    @property
    def choice(self) -> Choice:
        """The row that they prefer; `similar` if their votes cancel."""
        return "second" if self.net > 0 else "first" if self.net < 0 else "similar"

    @property
    def weight(self) -> float:
        """How much agreement with it counts: 1 if all are sure and of one mind, 0 if their votes cancel."""
        return abs(self.net)


_VOTES: dict[Choice, int] = {"first": -1, "similar": 0, "second": 1}


def consensus(labels: Sequence[Label]) -> Consensus | None:
    """What labels of one aspect of one item say together; None if nobody says anything with confidence."""
    total = sum(label.confidence for label in labels)
    if not total:
        return None
    return Consensus(sum(label.confidence * _VOTES[label.choice] for label in labels) / total, len(labels))


def read_hpir(path: Path, *, photos_root: Path | None = None) -> list[Item]:
    """Reads and checks a file.

    Args:
        path: JSON lines.
        photos_root: The folder that its photos are relative to.

    Raises:
        EvaluationError: It cannot be read, or a line is wrong; the error names the line and the field.
    """
    try:
        # Not `splitlines`: JSON text may hold U+2028 and its like, which are no ends of lines.
        lines = read_text(path, limit=MAX_BYTES).split("\n")
    except ValueError as error:
        raise EvaluationError(f"cannot read {path}: {error}", hint=_HINT) from None
    items = [_item(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise EvaluationError(f"{path} holds no item", hint=_HINT)
    return [_rooted(item, photos_root) for item in items] if photos_root else items


def write_hpir(path: Path, items: Iterable[Item]) -> None:
    """Writes items as `read_hpir` reads them."""
    write_text(path, "".join(json.dumps(item.model_dump(mode="json"), ensure_ascii=False) + "\n" for item in items))


def _item(path: Path, number: int, line: str) -> Item:
    try:
        item = Item.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "line"
        raise _wrong(path, number, f"{place[:80]}: {first['msg']}") from None
    said = [(label.annotator, label.aspect) for label in item.labels]
    if len(set(said)) < len(said):
        who, what = next(pair for pair in said if said.count(pair) > 1)
        raise _wrong(path, number, f"{who[:40]!r} labels {what[:40]!r} twice")
    return item


def _rooted(item: Item, root: Path) -> Item:
    def rooted(row: Sequence[str]) -> tuple[str, ...]:
        return tuple(str(root / photo) for photo in row)

    return item.model_copy(update={"first": rooted(item.first), "second": rooted(item.second)})


def _wrong(path: Path, line: int, reason: str) -> EvaluationError:
    return EvaluationError(f"cannot use {path}: line {line}: {reason}", hint=_HINT)
