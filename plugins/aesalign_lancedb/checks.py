"""What may enter a table or a statement: names, ids, vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from aesalign_core.errors import GalleryError, QueryError, SpaceMismatchError
from aesalign_core.messages import nearest
from aesalign_core.types import Vectors

FIXED = ("id", "path", "width", "height", "vector")
_REWARD = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_ID = re.compile(r"[0-9a-f]{64}\Z")
_UNIT = 1e-3


def reward_name(name: str) -> str:
    """A name that may become a reward column.

    Raises:
        GalleryError: It is not lower-case letters, digits and `_`, or is a column already.
    """
    if not _REWARD.match(name) or name in FIXED or name.startswith("_"):
        raise GalleryError(
            f"{name!r} cannot be the name of a reward column",
            hint="use lower-case letters, digits and _, starting with a letter, and none of " + ", ".join(FIXED),
        )
    return name


def known_columns(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names, all of which are columns.

    Raises:
        GalleryError: One is not; the hint names the nearest.
    """
    for name in names:
        if name not in known:
            raise GalleryError(f"the gallery has no column {name!r}", hint=nearest(name, known))
    return list(names)


def id_list(ids: Sequence[str]) -> str:
    """Ids as an SQL list; only hex digits can be in it.

    Raises:
        GalleryError: One is no sha256 in hex.
    """
    for name in ids:
        if not isinstance(name, str) or not _ID.match(name):
            raise GalleryError(f"{name!r:.80} is not the id of a photo (64 hex digits)")
    return ", ".join(f"'{name}'" for name in ids)


def stored_vectors(vectors: Vectors, dim: int) -> None:
    """Vectors that may be stored: of the table's width, finite, of unit length.

    Raises:
        SpaceMismatchError: They are of another width.
        GalleryError: One is not of unit length.
    """
    _same_width(vectors, dim)
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1) < _UNIT):
        raise GalleryError("an embedding is not of unit length", hint="the encoder is broken")


def query_vectors(vectors: Vectors, dim: int) -> None:
    """Vectors that may be searched for.

    Raises:
        SpaceMismatchError: They are of another width.
        QueryError: One has no direction.
    """
    _same_width(vectors, dim)
    if not np.all(np.isfinite(vectors)) or not np.all(np.any(vectors != 0, axis=1)):
        raise QueryError("a query's embedding is zero or not finite", hint="the encoder is broken")


def _same_width(vectors: Vectors, dim: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise SpaceMismatchError(
            f"vectors of shape {vectors.shape} do not belong to a gallery of width {dim}",
            hint="use the encoder that filled the gallery",
        )
