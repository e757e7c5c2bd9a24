"""What one run of `index` did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from aesalign_core.types import BadFile


@dataclass
class IndexReport:
    """What one run did. Every photo is counted once: added, unchanged, moved, duplicate or bad.

    Attributes:
        gallery: Its folder.
        photos: Files that were looked at.
        added: New rows.
        unchanged: Files whose content was there already, at this path.
        moved: Rows whose file is elsewhere now.
        duplicates: Files whose content is another file's too.
        removed: Rows taken out: their file holds another picture now, or is gone and `prune` was asked for.
        vanished: Rows whose file is gone, still in the gallery.
        rescored: Scores given other than in the first pass over new photos, by reward.
        unscored: Photos that a reward was asked for and has no finite score of, by reward.
        index: What the retriever says of its search index.
        bad: Files that were left out, and why.
        seconds: Wall time.
        engine: Who read the photos: `local` or `ray`.
    """

    gallery: str
    photos: int = 0
    added: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicates: int = 0
    removed: int = 0
    vanished: int = 0
    rescored: dict[str, int] = field(default_factory=dict)
    unscored: dict[str, int] = field(default_factory=dict)
    index: str = ""
    bad: list[BadFile] = field(default_factory=list)
    seconds: float = 0.0
    engine: str = "local"

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)
